"""How alpha is shared, and the predicted difference beside simulations of the bound itself."""

from __future__ import annotations

import numpy as np
import pytest

from stepladder.statistics import (
    WORST_PAIR_SD,
    detectable_difference,
    guard_level,
    items_needed,
    margin_level,
    mean_bound,
    target_level,
)


def test_the_family_shares_alpha() -> None:
    assert target_level(5) == pytest.approx(0.01)
    assert margin_level(5) == pytest.approx(0.0025)
    assert margin_level(1) == target_level(1) == 0.05


def test_guards_share_what_a_rung_has() -> None:
    assert guard_level(5, 4) == pytest.approx(0.0025)
    assert guard_level(5, 1) == target_level(5)


@pytest.mark.parametrize("n", [50, 200, 1000])
@pytest.mark.parametrize("level", [0.025, 0.0025])
@pytest.mark.parametrize("right", [0.5, 0.97])
def test_prediction_for_a_target(n: int, level: float, right: float) -> None:
    rng = np.random.default_rng(0)
    gaps = [right - mean_bound((rng.random(n) < right) * 1.0, alpha=level) for _ in range(150)]
    sd = (right * (1 - right)) ** 0.5
    predicted = detectable_difference(n, level=level, sd=sd, span=1.0)
    assert predicted == pytest.approx(np.quantile(gaps, 0.8), rel=0.33)


@pytest.mark.parametrize("spread", ["independent", "correlated", "continuous"])
def test_prediction_for_a_margin(spread: str) -> None:
    rng = np.random.default_rng(0)
    gaps, sds = [], []
    for _ in range(150):
        shared = rng.random(200)
        other = {
            "independent": rng.random(200),
            "correlated": np.where(rng.random(200) < 0.15, rng.random(200), shared),
            "continuous": rng.random(200),
        }[spread]
        values = shared - other if spread == "continuous" else (shared < 0.6) * 1.0 - (other < 0.6)
        gaps.append(-mean_bound(values, alpha=0.025, low=-1))
        sds.append(values.std())
    predicted = detectable_difference(200, level=0.025, sd=float(np.mean(sds)))
    assert predicted == pytest.approx(np.quantile(gaps, 0.8), rel=0.33)


def test_more_items_tell_smaller_differences_apart() -> None:
    found = [detectable_difference(n, level=0.025) for n in (0, 1, 10, 100, 1000, 10_000)]
    assert found[0] == found[1] == 2.0
    assert found[1:] == sorted(found[1:], reverse=True)


def test_items_needed_inverts_it() -> None:
    n = items_needed(0.05, level=0.025, sd=WORST_PAIR_SD)
    assert n is not None
    assert detectable_difference(n, level=0.025, sd=WORST_PAIR_SD) <= 0.05
    assert detectable_difference(n - 1, level=0.025, sd=WORST_PAIR_SD) > 0.05


@pytest.mark.parametrize("difference", [0.0, -0.1, 1e-7])
def test_no_number_where_it_would_be_absurd(difference: float) -> None:
    assert items_needed(difference, level=0.025, sd=0.5) is None
