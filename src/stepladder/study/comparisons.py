"""Description beside the verdict: every pair of rungs, and the traffic at which costs cross."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import floor

import numpy as np

from stepladder.contracts import Floats, Metric
from stepladder.statistics import approximate_randomisation, confidence_interval, holm
from stepladder.study.evidence import Evidence, Measured
from stepladder.study.summary import Comparison


def comparisons(rungs: Sequence[Measured], metric: Metric, seed: int) -> tuple[Comparison, ...]:
    """All pairs, the better one first: difference with its 95 % interval, and a paired test."""
    if len(rungs) < 2:
        return ()
    evidence = Evidence(metric, rungs)
    ranked = sorted(rungs, key=lambda r: -evidence.value(r.statistics))
    pairs = list(combinations(ranked, 2))
    ps = [
        approximate_randomisation(
            metric.aggregate, better.statistics, worse.statistics, better.groups, seed=seed
        )
        for better, worse in pairs
    ]

    def difference(both: Floats) -> float:
        better, worse = np.hsplit(both, 2)
        return evidence.sign * (evidence.value(better) - evidence.value(worse))

    widest = 100 / metric.times
    found = []
    for (better, worse), p, adjusted in zip(pairs, ps, holm(ps), strict=True):
        both = np.hstack([better.statistics, worse.statistics])
        low, high = confidence_interval(
            difference, both, better.groups, scale=(-widest, widest), seed=seed
        )
        found.append(Comparison(better.name, worse.name, difference(both), low, high, p, adjusted))
    return tuple(found)


def crossover(
    a_build: float, a_per_request: float, b_build: float, b_per_request: float
) -> int | None:
    """The least number of requests from which on the other of two rungs is the cheaper one.

    Costs in seconds: once to build, and each request. None where one of the two is the cheaper (or
    as cheap) at any traffic from one request on.

    >>> crossover(0.0, 2.0, 600.0, 0.5)
    401
    """
    if a_per_request == b_per_request:
        return None
    equal = (b_build - a_build) / (a_per_request - b_per_request)
    return floor(equal) + 1 if equal >= 1 else None
