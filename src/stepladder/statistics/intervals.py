"""Confidence intervals of any score, by resampling the statistics of its examples.

The bias-corrected and accelerated bootstrap (BCa: Efron 1987, "Better Bootstrap Confidence
Intervals", JASA 82; the formulas are those of Efron & Tibshirani 1993, section 14.3). It
describes; the verdict rests on the bounds of `betting` and `jackknife`.

    confidence_interval(metric.aggregate, statistics)   # Interval(low=0.431, high=0.498)
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
    confidence: float = 0.95,
    seed: int = 0,
) -> Interval:
    """The BCa interval of `aggregate(statistics)`.

    `statistics` has the shape (examples, columns); with `groups`, a label a row, whole groups are
    drawn. Rows that are all equal give an interval of no width. One example or one group tells
    nothing about others: both ends are None, as they are where the score itself is undefined.
    """
    value = aggregate(statistics)
    members = units(len(statistics), groups)
    if value is None or len(members) < 2:
        return UNKNOWN
    if bool((statistics == statistics[0]).all()):
        return Interval(value, value)
    rng = np.random.default_rng(seed)
    draws = rng.integers(len(members), size=(RESAMPLES, len(members)))
    scores = np.empty(RESAMPLES)
    for i, draw in enumerate(draws):
        rows = draw if groups is None else np.concatenate([members[unit] for unit in draw])
        score = aggregate(statistics[rows])
        if score is None:
            return UNKNOWN
        scores[i] = score
    left_out = without_each(aggregate, statistics, members)
    if left_out is None:
        return UNKNOWN
    shares = _bca_shares(value, scores, left_out, confidence)
    low, high = np.quantile(scores, shares)
    return Interval(float(low), float(high))


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
