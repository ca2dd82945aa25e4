"""Confidence intervals of any score, by resampling the statistics of its examples.

The bias-corrected and accelerated bootstrap (BCa: Efron 1987, "Better Bootstrap Confidence
Intervals", JASA 82; the formulas are those of Efron & Tibshirani 1993, section 14.3). It
describes; the verdict rests on the bounds of `betting` and `jackknife`.

    confidence_interval(metric.aggregate, statistics, scale=(0, 1))   # Interval(0.431, 0.498)
"""

from __future__ import annotations

from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from stepladder.contracts import Floats
from stepladder.statistics.units import Aggregate, Groups, units, without_each

RESAMPLES = 2000

_NORMAL = NormalDist()


class Interval(NamedTuple):
    """Both ends, or None twice where the rows cannot say."""

    low: float | None
    high: float | None


UNKNOWN = Interval(None, None)


def confidence_interval(
    aggregate: Aggregate,
    statistics: Floats,
    groups: Groups | None = None,
    *,
    scale: tuple[float, float],
    confidence: float = 0.95,
    seed: int = 0,
) -> Interval:
    """The BCa interval of `aggregate(statistics)`, whose values lie on `scale`.

    `statistics` has the shape (examples, columns); with `groups`, a label a row, whole groups are
    drawn. Where no unit can be told from another, resampling has nothing to say, and the interval
    is the exact one of `_all_alike`. One example or one group tells nothing about others: both
    ends are None, as they are where the score itself is undefined.
    """
    value = aggregate(statistics)
    members = units(len(statistics), groups)
    if value is None or len(members) < 2:
        return UNKNOWN
    left_out = without_each(aggregate, statistics, members)
    if left_out is None:
        return UNKNOWN
    if bool(np.isclose(left_out, value, rtol=1e-12, atol=1e-12).all()):
        return _all_alike(value, len(members), scale, confidence)
    rng = np.random.default_rng(seed)
    draws = rng.integers(len(members), size=(RESAMPLES, len(members)))
    scores = np.empty(RESAMPLES)
    for i, draw in enumerate(draws):
        rows = draw if groups is None else np.concatenate([members[unit] for unit in draw])
        score = aggregate(statistics[rows])
        if score is None:
            return UNKNOWN
        scores[i] = score
    shares = _bca_shares(value, scores, left_out, confidence)
    low, high = np.quantile(scores, shares)
    return Interval(float(low), float(high))


def _all_alike(value: float, units: int, scale: tuple[float, float], confidence: float) -> Interval:
    """The mean may still be another: of units that differ, up to a share of 1 - q could have gone
    unseen, q = ((1 - confidence) / 2) ^ (1 / units), and these could lie at an end of the scale.
    At 0 and 1 this is the interval of Clopper & Pearson 1934 (0 of 30: 0 to .116)."""
    unseen = 1 - ((1 - confidence) / 2) ** (1 / units)
    low, high = scale
    return Interval(value - unseen * max(value - low, 0), value + unseen * max(high - value, 0))


def _bca_shares(
    value: float, scores: Floats, left_out: Floats, confidence: float
) -> tuple[float, float]:
    """Which quantiles of the resampled scores are the ends of the interval."""
    below = float((scores < value).mean() + (scores == value).mean() / 2)
    # Resamples all on one side say "at least this far", not "infinitely far".
    edge = 0.5 / len(scores)
    bias = _NORMAL.inv_cdf(min(max(below, edge), 1 - edge))
    influence = left_out.mean() - left_out
    spread = float((influence**2).sum()) ** 1.5
    acceleration = float((influence**3).sum()) / (6 * spread) if spread > 0 else 0.0

    def share(probability: float) -> float:
        z = bias + _NORMAL.inv_cdf(probability)
        # Beyond the pole the correction has no meaning; the farthest resample stands for it.
        shrink = max(1 - acceleration * z, 1e-9)
        return _NORMAL.cdf(bias + z / shrink)

    return share((1 - confidence) / 2), share((1 + confidence) / 2)
