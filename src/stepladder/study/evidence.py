"""What was measured of the rungs, and the bounds that follow: the ground a verdict stands on.

Inside, every measure is turned so that more is better (TER's sign is changed), a mean measure is
bounded by betting, a corpus measure by jackknife, and all rungs are taken in one shuffled order.

    evidence = Evidence(metric, rungs)
    evidence.bound(rung.worst, level=0.01, side="lower")     # a rung's own value
    evidence.lead_bound(other.best, rung.worst, level=0.01)  # at most so much is `other` better
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, sqrt

import numpy as np
from numpy.typing import NDArray

from stepladder.contracts import Floats, Metric
from stepladder.errors import MetricError
from stepladder.statistics import (
    Bound,
    Jackknife,
    Side,
    items_needed,
    jackknife,
    mean_bound,
)


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """One rung's answers to the test items, graded by the metric that decides.

    Rows are items, the same and in the same order for every rung. Their order should not come from
    the data's file, only from the items (sorted by id, say).
    """

    name: str
    statistics: Floats
    """Shape (items, columns)."""
    worst: Floats
    """The same with missing answers at the metric's worst."""
    best: Floats
    """The same with missing answers at the metric's best."""
    cost: float | None
    """Seconds in total at the user's traffic; None is unknown."""
    groups: NDArray[np.generic] | None = None
    """A label an item, where items of one label are not independent."""

    @property
    def missing(self) -> int:
        """Answers that the machine owes."""
        return int((self.worst != self.best).any(axis=1).sum())


class Evidence:
    """Bounds of one study's rungs under one metric, more being better."""

    def __init__(self, metric: Metric, rungs: Sequence[Measured]) -> None:
        """Raises ValueError for rungs without items in common."""
        shapes = {array.shape for r in rungs for array in (r.statistics, r.worst, r.best)}
        if len(shapes) != 1 or 0 in next(iter(shapes)):
            raise ValueError(f"rungs measured on different items, or on none: {sorted(shapes)}")
        self.metric = metric
        self.items = len(rungs[0].statistics)
        self.sign = 1.0 if metric.better == "higher" else -1.0
        # The stakes learn from what came before: a file sorted by length would mislead them.
        self._order = np.random.default_rng(0).permutation(self.items)
        self._unshuffled = groups = rungs[0].groups
        self._groups = None if groups is None else np.asarray(groups)[self._order]
        self.units = self.items if self._groups is None else len(set(self._groups.tolist()))
        # The arrays are kept beside, so that no other array can come to have the same id.
        self._kept: dict[int, tuple[Floats, Jackknife | None]] = {}
        self._span = 1.0 if metric.mean else 100.0 / metric.times

    def value(self, rows: Floats) -> float:
        """The score, turned. Raises MetricError where the metric finds none."""
        value = self.metric.aggregate(rows)
        if value is None:
            raise MetricError(f"{self.metric.name} gives no score for {len(rows)} answers")
        return self.sign * value

    def bound(self, rows: Floats, *, level: float, side: Side) -> float:
        """A one-sided bound on a rung's score, turned; infinite where nothing can be said."""
        if self.metric.mean:
            return self._betting(rows[:, 0], level, side, pair=False)
        found = self._jackknife(rows)
        if found is None:
            return -inf if side == "lower" else inf
        return found.bound(alpha=level, side=side, span=self._span)

    def lead_bound(self, other: Floats, this: Floats, *, level: float) -> float:
        """An upper bound on how much better `other` is than `this`, paired by item."""
        if self.metric.mean:
            return self._betting(other[:, 0] - this[:, 0], level, "upper", pair=True)
        first, second = self._jackknife(other), self._jackknife(this)
        if first is None or second is None:
            return inf
        return (first - second).bound(alpha=level, side="upper", span=self._span)

    def needed(self, rows: Floats, distance: float, *, level: float) -> int | None:
        """About how many items show that a score lies this far from a line."""
        return self._needed(self._jackknife(rows), distance, level, self._span)

    def lead_needed(
        self, other: Floats, this: Floats, distance: float, *, level: float
    ) -> int | None:
        """About how many items show that a paired difference lies this far from a line."""
        first, second = self._jackknife(other), self._jackknife(this)
        lead = None if first is None or second is None else first - second
        return self._needed(lead, distance, level, 2 * self._span)

    def _betting(self, column: Floats, level: float, side: Side, *, pair: bool) -> float:
        low, high = (-1.0, 1.0) if pair else sorted((0.0, self.sign))
        values = self.sign * column[self._order]
        try:
            return mean_bound(
                values, alpha=level, side=side, low=low, high=high, groups=self._groups
            )
        except ValueError as error:
            raise MetricError(
                f"{self.metric.name} says that it is a mean of values from 0 to 1, but {error}"
            ) from error

    def _jackknife(self, rows: Floats) -> Jackknife | None:
        """Kept by array: every rung is compared with every other."""
        if id(rows) not in self._kept:
            if self.metric.mean and self._groups is None and self.items > 1:
                column = self.sign * rows[:, 0]
                left_out = (column.sum() - column) / (self.items - 1)
                found: Jackknife | None = Jackknife(float(column.mean()), left_out)
            else:
                found = jackknife(self.value, rows, self._unshuffled)
            self._kept[id(rows)] = rows, found
        return self._kept[id(rows)][1]

    def _needed(
        self, found: Jackknife | None, distance: float, level: float, span: float
    ) -> int | None:
        if found is None:
            return None
        # Clustering is in the error: so many items, grouped as these are.
        sd = found.standard_error * sqrt(self.items)
        bound: Bound = "betting" if self.metric.mean else "jackknife"
        return items_needed(distance, level=level, sd=sd, span=span, bound=bound)
