"""Could two systems have swapped answers? Approximate randomisation, and Holm's correction.

If two systems were alike, swapping their answers to any item would change nothing. The p-value is
the share of random swaps that leave a difference at least as large as the one seen (Noreen 1989,
"Computer-Intensive Methods for Testing Hypotheses"; Riezler & Maxwell 2005, on BLEU). It stands in
the table as a description; the verdict does not use it.

    approximate_randomisation(metric.aggregate, ours, theirs, seed=0)   # 0.013
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stepladder.contracts import Floats
from stepladder.statistics.units import Aggregate, Groups, units

ROUNDS = 1000


def approximate_randomisation(
    aggregate: Aggregate,
    a: Floats,
    b: Floats,
    groups: Groups | None = None,
    *,
    rounds: int = ROUNDS,
    seed: int = 0,
) -> float:
    """The two-sided p-value of two systems on the same items, statistics of shape (examples,
    columns) each; with `groups` whole groups are swapped. The observed assignment counts as one
    (Phipson & Smyth 2010), so p is never 0.

    Raises ValueError for arrays of different shapes, or without a score.
    """
    if a.shape != b.shape:
        raise ValueError(f"statistics of different shapes: {a.shape} and {b.shape}")
    seen = _distance(aggregate, a, b)
    members = units(len(a), groups)
    unit_of = np.empty(len(a), dtype=np.intp)
    for unit, rows in enumerate(members):
        unit_of[rows] = unit
    rng = np.random.default_rng(seed)
    as_far = 0
    for _ in range(rounds):
        swap = (rng.random(len(members)) < 0.5)[unit_of, None]
        far = _distance(aggregate, np.where(swap, b, a), np.where(swap, a, b))
        # Sums in another order differ in their last bits; a tie is as far.
        as_far += far >= seen * (1 - 1e-9)
    return (as_far + 1) / (rounds + 1)


def _distance(aggregate: Aggregate, a: Floats, b: Floats) -> float:
    first, second = aggregate(a), aggregate(b)
    if first is None or second is None:
        raise ValueError("these statistics have no score to compare")
    return abs(first - second)


def holm(ps: Sequence[float]) -> list[float]:
    """Adjusted p-values (Holm 1979), in the order given: rejecting those at most alpha wrongly
    rejects any with probability <= alpha.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    adjusted = [0.0] * len(ps)
    highest = 0.0
    for rank, index in enumerate(sorted(range(len(ps)), key=ps.__getitem__)):
        highest = max(highest, min(1.0, (len(ps) - rank) * ps[index]))
        adjusted[index] = highest
    return adjusted
