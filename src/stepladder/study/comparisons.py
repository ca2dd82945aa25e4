"""Description beside the verdict: every pair of rungs, and the traffic at which costs cross."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import floor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stepladder.contracts import Floats, Metric
from stepladder.statistics import approximate_randomisation, confidence_interval, holm
from stepladder.study.evidence import Evidence, Extent, Measured
from stepladder.study.summary import Comparison


class _Pair(NamedTuple):
    """Two rungs over the items that both have answered."""

    better: Measured
    worse: Measured
    rows: tuple[Floats, Floats]
    groups: NDArray[np.generic] | None


def comparisons(
    rungs: Sequence[Measured], metric: Metric, seed: int, extent: Extent | None = None
) -> tuple[Comparison, ...]:
    """All pairs over the items that both have answered, the better one first: difference with its
    95 % interval, and a paired test. The pairs of the best rung come first."""
    if len(rungs) < 2:
        return ()
    evidence = Evidence(metric, rungs, extent)
    ranked = sorted(rungs, key=lambda r: -evidence.value(r.statistics))
    found_pairs = (_pair(evidence, *two) for two in combinations(ranked, 2))
    pairs = [pair for pair in found_pairs if pair is not None]
    ps = [
        approximate_randomisation(metric.aggregate, *pair.rows, groups=pair.groups, seed=seed)
        for pair in pairs
    ]

    def difference(both: Floats) -> float:
        better, worse = np.hsplit(both, 2)
        return evidence.sign * (evidence.value(better) - evidence.value(worse))

    widest = 100 / metric.times
    found = []
    for pair, p, adjusted in zip(pairs, ps, holm(ps), strict=True):
        both = np.hstack(pair.rows)
        low, high = confidence_interval(
            difference, both, pair.groups, scale=(-widest, widest), seed=seed
        )
        names = pair.better.name, pair.worse.name
        found.append(Comparison(*names, difference(both), low, high, p, adjusted, len(both)))
    return tuple(found)


def _pair(evidence: Evidence, one: Measured, other: Measured) -> _Pair | None:
    """None for two that have answered nothing in common."""
    both = min(len(one.statistics), len(other.statistics))
    there = one.answered[:both] & other.answered[:both]
    if not there.any():
        return None
    rows = [rung.statistics[:both][there] for rung in (one, other)]
    if evidence.value(rows[0]) < evidence.value(rows[1]):
        one, other = other, one
        rows.reverse()
    groups = None if one.groups is None else one.groups[:both][there]
    return _Pair(one, other, (rows[0], rows[1]), groups)


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
