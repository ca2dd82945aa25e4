"""Bounds on a mean: coverage by simulation, power, groups, degenerate values."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from stepladder.contracts import Floats
from stepladder.statistics import mean_bound
from stepladder.statistics.betting import Side, horizons


def most_wrong(runs: int, alpha: float) -> int:
    """A bound with this alpha is wrong more often with a probability of one in a thousand."""
    return int(binom.ppf(0.999, runs, alpha))


@pytest.mark.parametrize("mean", [0.05, 0.5, 0.9])
@pytest.mark.parametrize("side", ["lower", "upper"])
def test_wrong_at_most_as_often_as_alpha(mean: float, side: Side) -> None:
    rng = np.random.default_rng(11)
    wrong = 0
    for _ in range(300):
        values = (rng.random(150) < mean).astype(float)
        bound = mean_bound(values, alpha=0.05, side=side)
        wrong += bound > mean if side == "lower" else bound < mean
    assert wrong <= most_wrong(300, 0.05)


def test_holds_at_every_look() -> None:
    """Looking after every tenth example and stopping at a wrong bound stays within alpha."""
    rng = np.random.default_rng(5)
    wrong = 0
    for _ in range(150):
        values = (rng.random(120) < 0.6).astype(float)
        looks = (mean_bound(values[:n], alpha=0.05, horizon=120) for n in range(10, 121, 10))
        wrong += any(bound > 0.6 for bound in looks)
    assert wrong <= most_wrong(150, 0.05)


def test_the_bound_is_where_the_gamblers_together_come_to_one_over_alpha() -> None:
    """Played out one example at a time, as the paper writes it."""
    values = (np.random.default_rng(3).random(90) < 0.8).astype(float).tolist()
    alpha, planned = 0.025, 200

    def highest_capital(mean: float) -> float:
        total, squares, capital, best = 0.5, 0.25, [0.5, 0.5], 1.0
        for count, value in enumerate(values):
            variance = squares / (1 + count) if count else 0.25
            for gambler, look in enumerate((planned, planned / 8)):
                stake = (2 * np.log(1 / alpha) / (look * variance)) ** 0.5
                capital[gambler] *= 1 + min(stake, 0.65 / mean) * (value - mean)
            total += value
            squares += (value - total / (2 + count)) ** 2
            best = max(best, sum(capital))
        return best

    bound = mean_bound(np.array(values), alpha=alpha, horizon=planned)
    assert horizons(planned) == (200.0, 25.0) and horizons(100) == (100.0,)
    assert highest_capital(bound) == pytest.approx(1 / alpha, rel=1e-4)


def test_large_differences_are_seen_early_among_many_examples() -> None:
    """.60 against .80 among 1,000: one gambler, sized for the last, would need 150 on median."""
    rng, needed = np.random.default_rng(0), []
    for _ in range(60):
        lead = (rng.random(1000) < 0.8) * 1.0 - (rng.random(1000) < 0.6)
        seen = (
            n
            for n in range(10, 1001, 10)
            if mean_bound(lead[:n], alpha=0.025, low=-1.0, horizon=1000) > 0
        )
        needed.append(next(seen))
    assert np.median(needed) <= 110


def test_groups_at_an_early_look_are_measured_by_the_largest_there_is() -> None:
    values, groups = np.ones(40), np.repeat(np.arange(20), 2)
    seen = mean_bound(values, alpha=0.05, groups=groups, horizon=40)
    planned = mean_bound(values, alpha=0.05, groups=groups, horizon=40, largest=10)
    assert 0 < planned < seen
    with pytest.raises(ValueError, match="more than the largest"):
        mean_bound(values, alpha=0.05, groups=groups, largest=1)


def clustered(rng: np.random.Generator) -> tuple[Floats, Floats]:
    """40 groups of 1 to 11 rows that agree within a group; the mean over rows is 0.5."""
    sizes = rng.integers(1, 12, 40)
    groups = np.repeat(np.arange(40), sizes)
    return np.repeat((rng.random(40) < 0.5).astype(float), sizes), groups.astype(float)


def test_groups_are_the_unit() -> None:
    rng = np.random.default_rng(1)
    wrong = naive = 0
    for _ in range(200):
        values, groups = clustered(rng)
        wrong += mean_bound(values, alpha=0.05, groups=groups.astype(np.int64)) > 0.5
        naive += mean_bound(values, alpha=0.05) > 0.5
    assert wrong <= most_wrong(200, 0.05)
    assert naive > most_wrong(200, 0.05)  # the same simulation catches a bound without groups


def test_tight_enough_to_be_of_use() -> None:
    """Within 1.45 of the exact binomial bound's distance (Clopper & Pearson) at 180 of 200."""
    from scipy.stats import beta

    values = np.random.default_rng(0).permutation((np.arange(200) < 180).astype(float))
    exact = beta.ppf(0.025, 180, 21)
    assert 0.9 - mean_bound(values, alpha=0.025) < 1.45 * (0.9 - exact)


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_equal_values_give_a_bound_that_nears_them(value: float) -> None:
    few, many = (mean_bound(np.full(n, value), alpha=0.05) for n in (20, 2000))
    assert 0 <= few <= many <= value
    assert value - many < 0.01


def test_no_values_and_one_value_bound_nothing_much() -> None:
    assert mean_bound(np.empty(0), alpha=0.05) == 0
    assert mean_bound(np.empty(0), alpha=0.05, side="upper", low=-1) == 1
    assert mean_bound(np.ones(1), alpha=0.05) <= 0.05


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=60), st.floats(0.001, 0.2), st.floats(0.1, 5.0)
)
def test_sides_and_scales_mirror_each_other(
    values: list[float], alpha: float, scale: float
) -> None:
    array = np.array(values)
    lower = mean_bound(array, alpha=alpha)
    assert 0 <= lower <= array.mean() + 1e-9
    assert mean_bound(1 - array, alpha=alpha, side="upper") == pytest.approx(1 - lower, abs=1e-6)
    moved = np.clip(array * scale - 2, -2, scale - 2)
    moved_bound = mean_bound(moved, alpha=alpha, low=-2, high=scale - 2)
    assert moved_bound == pytest.approx(lower * scale - 2, abs=1e-5)
    assert mean_bound(array, alpha=alpha / 2) <= lower + 1e-9


@pytest.mark.parametrize(("values", "alpha"), [([0.5, 1.1], 0.05), ([0.5], 0.0), ([0.5], 1.0)])
def test_refuses_what_it_cannot_bound(values: list[float], alpha: float) -> None:
    with pytest.raises(ValueError, match="alpha is|values reach"):
        mean_bound(np.array(values), alpha=alpha)


def test_refuses_nan() -> None:
    with pytest.raises(ValueError, match="values reach"):
        mean_bound(np.array([0.5, np.nan]), alpha=0.05)


def test_two_thousand_values_take_milliseconds() -> None:
    values = np.random.default_rng(0).random(2000)
    begin = time.process_time()
    for _ in range(20):
        mean_bound(values, alpha=0.05)
    assert (time.process_time() - begin) / 20 < 0.03
