"""Bounds on corpus measures: the normal case, few influential units, the looks' shares."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest
from scipy.stats import binom, t

from stepladder.contracts import Floats
from stepladder.statistics import corpus_bound, jackknife
from stepladder.statistics.jackknife import LOOKS, alpha_at


def ratio(rows: Floats) -> float | None:
    return float(rows[:, 0].sum() / rows[:, 1].sum()) if len(rows) else None


def mean(rows: Floats) -> float | None:
    return float(rows[:, 0].mean()) if len(rows) else None


def lengths(rng: np.random.Generator, n: int) -> Floats:
    length = rng.integers(3, 40, n).astype(float)
    return np.c_[rng.binomial(length.astype(int), rng.beta(6, 3, n)), length]


def test_for_a_mean_it_is_students_bound() -> None:
    values = np.random.default_rng(0).random((100, 1))
    error = values.std(ddof=1) / 10
    found = jackknife(mean, values)
    assert found is not None and found.standard_error == pytest.approx(error)
    distance = t.ppf(1 - alpha_at(1.0, 0.05), 99) * error
    assert corpus_bound(mean, values, alpha=0.05) == pytest.approx(values.mean() - distance)
    upper = corpus_bound(mean, values, alpha=0.05, side="upper")
    assert upper == pytest.approx(values.mean() + distance)


def test_the_looks_spend_alpha_and_no_more() -> None:
    shares = [alpha_at(look, 0.025) for look in LOOKS]
    assert sum(shares) == pytest.approx(0.025)
    assert shares[0] + shares[1] == pytest.approx(0.025 / 4)
    with pytest.raises(ValueError, match=r"planned are 0.25, 0.5, 1.0"):
        alpha_at(0.75, 0.05)


@pytest.mark.parametrize("n", [30, 200])
def test_wrong_about_as_often_as_alpha(n: int) -> None:
    rng = np.random.default_rng(2)
    wrong = sum(corpus_bound(ratio, lengths(rng, n), alpha=0.05) > 2 / 3 for _ in range(250))
    assert wrong <= binom.ppf(0.999, 250, 0.05)


def test_a_paired_difference_is_the_difference_of_jackknives() -> None:
    rng = np.random.default_rng(4)
    a, b = lengths(rng, 50), lengths(rng, 50)

    def lead(both: Floats) -> float | None:
        first, second = ratio(both[:, :2]), ratio(both[:, 2:])
        return None if first is None or second is None else first - second

    one, other = jackknife(ratio, a), jackknife(ratio, b)
    assert one is not None and other is not None
    direct = corpus_bound(lead, np.hstack([a, b]), alpha=0.05, span=2.0)
    assert (one - other).bound(alpha=0.05, span=2.0) == pytest.approx(direct)


def test_groups_are_the_unit() -> None:
    rows = lengths(np.random.default_rng(3), 60)
    alone = corpus_bound(ratio, rows, alpha=0.05)
    copied = corpus_bound(
        ratio, np.repeat(rows, 4, axis=0), np.repeat(np.arange(60), 4), alpha=0.05
    )
    assert copied == pytest.approx(alone)


def test_all_right_is_not_taken_for_certain() -> None:
    """No error in n rows leaves a share of log(1/alpha)/n open; the bound must leave about that."""
    for n in (20, 200):
        gap = 1 - corpus_bound(mean, np.ones((n, 1)), alpha=0.025)
        assert 0.7 * np.log(1 / 0.025) / n < gap < 1.5 * np.log(1 / 0.025) / n


def test_few_differing_rows_are_not_taken_for_many() -> None:
    """3 in 200: the exact upper limit (Clopper & Pearson, one-sided 2.5 %) is 0.0432, the normal
    approximation's 0.0319."""
    values = (np.arange(200) < 3).astype(float)[:, None]
    assert corpus_bound(mean, values, alpha=0.025, side="upper") > 0.038


@pytest.mark.parametrize("rows", [0, 1])
def test_too_few_rows_bound_nothing(rows: int) -> None:
    assert corpus_bound(mean, np.ones((rows, 1)), alpha=0.05) == -inf
    assert corpus_bound(mean, np.ones((rows, 1)), alpha=0.05, side="upper") == inf
    assert jackknife(mean, np.ones((rows, 1))) is None
