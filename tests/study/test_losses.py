from __future__ import annotations

import pytest

from stepladder.study.losses import BITS, POINTS


@pytest.mark.parametrize(
    ("loss", "said"), [(27.04, "27.0 lost"), (-36.3, "36.3 gained"), (-0.04, "0.0 lost")]
)
def test_a_gain_is_called_one(loss: float, said: str) -> None:
    assert POINTS.said(loss) == said
    assert BITS.said(-0.07) == "0.070 fewer"


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (20.3, 33.7, "20.3 to 33.7 lost"),
        (-52.3, -47.0, "47.0 to 52.3 gained"),
        (-2.3, 6.7, "2.3 gained to 6.7 lost"),
        (-2.3, -0.01, "0.0 to 2.3 gained"),
        (-0.01, 6.7, "0.0 to 6.7 lost"),
    ],
)
def test_an_interval_has_its_smaller_size_first_or_both_words(
    low: float, high: float, said: str
) -> None:
    assert POINTS.span(low, high) == said


@pytest.mark.parametrize(
    ("bound", "said"),
    [
        (4.12, "at most 4.2 lost"),
        (-36.36, "at least 36.3 gained"),
        (-0.04, "at most 0.0 lost"),
        (0.0, "at most 0.0 lost"),
    ],
)
def test_a_bound_claims_no_more_than_was_shown(bound: float, said: str) -> None:
    assert POINTS.at_most(bound) == said
