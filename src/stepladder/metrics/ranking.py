"""Measures of a ranking against the passages that are known to be right.

>>> rank_measures([4, 7, 2], {7, 9}, k=3)
Ranking(recall=0.5, reciprocal_rank=0.5, ndcg=0.3868528072345416)
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import NamedTuple


class Ranking(NamedTuple):
    """Of one query, each from 0 to 1."""

    recall: float
    """The share of the right passages among the first k."""
    reciprocal_rank: float
    """One over the place of the first right one among the first k; 0 where none is."""
    ndcg: float
    """Discounted cumulative gain with gains of 0 and 1, over that of the best ranking of k
    (Järvelin and Kekäläinen, "Cumulated Gain-Based Evaluation of IR Techniques", TOIS 2002)."""


def rank_measures(found: Sequence[int], right: Collection[int], k: int) -> Ranking:
    """Of the first k found; `right` holds at least one."""
    places = [place for place, at in enumerate(found[:k], start=1) if at in right]
    best = sum(1 / math.log2(place + 1) for place in range(1, min(k, len(right)) + 1))
    return Ranking(
        recall=len(places) / len(right),
        reciprocal_rank=1 / places[0] if places else 0.0,
        ndcg=sum(1 / math.log2(place + 1) for place in places) / best,
    )
