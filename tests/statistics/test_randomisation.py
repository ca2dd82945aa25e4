"""Paired tests: exact small cases, uniform p-values of equal systems, Holm's published example."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, permutation_test
from statsmodels.stats.multitest import multipletests

from stepladder.contracts import Floats
from stepladder.statistics import approximate_randomisation, holm


def mean(rows: Floats) -> float | None:
    return float(rows[:, 0].mean()) if len(rows) else None


def test_agrees_with_scipys_exact_permutations() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.random((10, 1)), rng.random((10, 1)) + 0.2
    exact = permutation_test(
        (a[:, 0], b[:, 0]),
        lambda x, y: abs(x.mean() - y.mean()),
        permutation_type="samples",
        alternative="greater",
        n_resamples=2**12,
    ).pvalue
    ours = approximate_randomisation(mean, a, b, rounds=4000, seed=1)
    assert ours == pytest.approx(exact, abs=0.03)


def test_equal_systems_are_called_different_as_often_as_alpha() -> None:
    rng = np.random.default_rng(3)
    called = 0
    for seed in range(200):
        both = rng.random((60, 1))
        a, b = both + 0.3 * rng.random((60, 1)), both + 0.3 * rng.random((60, 1))
        called += approximate_randomisation(mean, a, b, rounds=200, seed=seed) <= 0.05
    assert called <= binom.ppf(0.999, 200, 0.05)


def test_identical_systems_have_p_one_and_apart_ones_the_least() -> None:
    a = np.random.default_rng(0).random((50, 3))
    assert approximate_randomisation(mean, a, a) == 1
    assert approximate_randomisation(mean, a, a + 5, rounds=99) == pytest.approx(0.01)


def test_swapping_whole_groups_sees_less() -> None:
    rng = np.random.default_rng(1)
    a, b = np.repeat(rng.random((6, 1)), 20, axis=0), np.repeat(rng.random((6, 1)), 20, axis=0)
    groups = np.repeat(np.arange(6), 20)
    clustered = approximate_randomisation(mean, a, b + 0.4, groups)
    assert clustered > approximate_randomisation(mean, a, b + 0.4)
    assert clustered >= 2 / 2**6 * 0.5


def test_refuses_shapes_that_differ() -> None:
    with pytest.raises(ValueError, match="different shapes"):
        approximate_randomisation(mean, np.ones((3, 1)), np.ones((4, 1)))


def test_refuses_rows_without_a_score() -> None:
    with pytest.raises(ValueError, match="no score"):
        approximate_randomisation(mean, np.ones((0, 1)), np.ones((0, 1)))


def test_holm_agrees_with_statsmodels() -> None:
    ps = [0.01, 0.04, 0.03, 0.005, 0.9]
    assert holm(ps) == pytest.approx(multipletests(ps, method="holm")[1])
    assert holm([]) == []
