"""Intervals: scipy's BCa beside ours, degenerate rows, groups, time."""

from __future__ import annotations

import time

import numpy as np
import pytest
from scipy.stats import binomtest, bootstrap

from stepladder.contracts import Floats
from stepladder.statistics import confidence_interval


def mean(rows: Floats) -> float | None:
    return float(rows[:, 0].mean()) if len(rows) else None


def ratio(rows: Floats) -> float | None:
    return float(rows[:, 0].sum() / rows[:, 1].sum()) if len(rows) else None


@pytest.mark.parametrize("draw", ["binary", "skewed", "rare"])
def test_agrees_with_scipys_bca(draw: str) -> None:
    rng = np.random.default_rng(3)
    values = {
        "binary": rng.random(120) < 0.7,
        "skewed": rng.beta(0.4, 2.0, 120),
        "rare": np.arange(120) < 3,
    }[draw].astype(float)
    ours = confidence_interval(mean, values[:, None], scale=(0, 1))
    theirs = bootstrap(
        (values,), np.mean, n_resamples=8000, method="BCa", rng=np.random.default_rng(0)
    ).confidence_interval
    # Two draws of 2,000 and 8,000 resamples differ by a few hundredths of the interval's width.
    width = theirs.high - theirs.low
    assert ours.low == pytest.approx(theirs.low, abs=0.08 * width)
    assert ours.high == pytest.approx(theirs.high, abs=0.08 * width)


@pytest.mark.parametrize("rows", [2, 30, 300])
def test_equal_rows_give_the_interval_of_clopper_and_pearson(rows: int) -> None:
    exact = binomtest(0, rows).proportion_ci(0.95, method="exact")
    none = confidence_interval(mean, np.zeros((rows, 1)), scale=(0, 1))
    assert none == (0.0, pytest.approx(exact.high))
    every = confidence_interval(mean, np.ones((rows, 1)), scale=(0, 1))
    assert every == (pytest.approx(1 - exact.high), 1.0)


def test_equal_rows_between_the_ends_may_hide_both() -> None:
    unseen = 1 - 0.025 ** (1 / 50)
    low, high = confidence_interval(mean, np.full((50, 2), 0.3), scale=(0, 1))
    assert (low, high) == (pytest.approx(0.3 * (1 - unseen)), pytest.approx(0.3 + 0.7 * unseen))
    # of groups the groups count, and a column that the score does not use changes nothing
    rows = np.c_[np.zeros(50), np.arange(50)]
    grouped = confidence_interval(mean, rows, np.repeat(np.arange(10), 5), scale=(-1, 1))
    assert grouped.high == pytest.approx(1 - 0.025 ** (1 / 10)) == -grouped.low


@pytest.mark.parametrize("rows", [0, 1])
def test_too_few_rows_give_none(rows: int) -> None:
    assert confidence_interval(mean, np.ones((rows, 1)), scale=(0, 1)) == (None, None)


def test_one_group_gives_none() -> None:
    assert confidence_interval(mean, np.eye(5), ["a"] * 5, scale=(0, 1)) == (None, None)


def test_the_same_seed_gives_the_same_interval() -> None:
    rows = np.random.default_rng(0).random((40, 2)) + 0.1
    first = confidence_interval(ratio, rows, seed=4, scale=(0, 1))
    assert first == confidence_interval(ratio, rows, seed=4, scale=(0, 1))
    assert first != confidence_interval(ratio, rows, seed=5, scale=(0, 1))


def test_copied_rows_in_groups_do_not_narrow_the_interval() -> None:
    values = np.random.default_rng(1).random((30, 1))
    alone = confidence_interval(mean, values, scale=(0, 1))
    copied = confidence_interval(
        mean, np.repeat(values, 5, axis=0), np.repeat(np.arange(30), 5), scale=(0, 1)
    )
    assert copied.low == pytest.approx(alone.low) and copied.high == pytest.approx(alone.high)


def test_rows_without_a_group_stand_alone() -> None:
    values = np.random.default_rng(1).random((30, 1))
    assert confidence_interval(mean, values, [None] * 30, scale=(0, 1)) == confidence_interval(
        mean, values, scale=(0, 1)
    )


def test_coverage_of_a_ratio_of_sums() -> None:
    """95 % nominal over 100 draws of 60 rows; below 87 has a probability under 0.1 %."""
    rng = np.random.default_rng(7)
    hits = 0
    for seed in range(100):
        length = rng.integers(5, 40, 60).astype(float)
        right = rng.binomial(length.astype(int), 0.6)
        low, high = confidence_interval(ratio, np.c_[right, length], seed=seed, scale=(0, 1))
        assert low is not None and high is not None
        hits += low <= 0.6 <= high
    assert hits >= 87


def test_a_thousand_rows_take_a_fraction_of_a_second() -> None:
    rows = np.random.default_rng(0).random((1000, 10))
    begin = time.process_time()
    confidence_interval(ratio, rows, scale=(0, 1))
    assert time.process_time() - begin < 1.0
