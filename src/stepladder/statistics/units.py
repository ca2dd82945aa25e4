"""What is independent of what: the units that intervals, tests and bounds resample.

Where rows belong to groups (questions on one text, turns of one dialogue) the group is the unit, a
row alone where they do not.

    units(4, ["a", "b", "a", "c"])   # [array([0, 2]), array([1]), array([3])]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from stepladder.contracts import Floats

Aggregate = Callable[[Floats], float | None]
"""From rows of statistics, shape (examples, columns), to the score; None where there is none."""
Groups = Sequence[str | None] | NDArray[np.generic]
"""A label a row; rows of one label are not independent. None: a row of its own."""


def units(n: int, groups: Groups | None = None) -> list[NDArray[np.intp]]:
    """The row numbers of each unit, in order of first appearance."""
    if groups is None:
        return list(np.arange(n).reshape(n, 1))
    if len(groups) != n:
        raise ValueError(f"{len(groups)} groups for {n} rows")
    members: dict[object, list[int]] = {}
    for row, group in enumerate(groups):
        members.setdefault(("alone", row) if group is None else group, []).append(row)
    return [np.array(rows, dtype=np.intp) for rows in members.values()]


def without_each(
    aggregate: Aggregate, statistics: Floats, members: Sequence[NDArray[np.intp]]
) -> Floats | None:
    """The score with each unit left out in turn, shape (units,); None where one is undefined."""
    keep = np.ones(len(statistics), dtype=bool)
    values = np.empty(len(members))
    for unit, rows in enumerate(members):
        keep[rows] = False
        value = aggregate(statistics[keep])
        keep[rows] = True
        if value is None:
            return None
        values[unit] = value
    return values
