"""What was measured of the rungs, and the bounds that follow: the ground a verdict stands on.

Inside, every measure is turned so that more is better (TER's sign is changed), a mean measure is
bounded by betting, a corpus measure by jackknife. Rungs may have answered a different number of the
items, all from the beginning of one shuffled order; two of them are compared over what both did.

    evidence = Evidence(metric, rungs, extent)
    evidence.bound(rung.worst, level=0.01, side="lower")     # a rung's own value
    evidence.lead_bound(other.best, rung.worst, level=0.01)  # at most so much is `other` better
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, inf, isfinite, sqrt

import numpy as np
from numpy.typing import NDArray

from stepladder.contracts import Floats, Metric
from stepladder.errors import MetricError
from stepladder.statistics import (
    LOOKS,
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

    Rows are items, in the same shuffled order for every rung: the stakes of a bound learn from what
    came before, and a file sorted by length would mislead them. A rung that was not asked to the
    end has the first of them.
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
    refused: str | None = None
    """Why it may not be the answer, whatever it scores: what it was trained on made it forget."""

    @property
    def answered(self) -> NDArray[np.bool_]:
        """Of each item, whether there is an answer; the others are owed by the machine."""
        there: NDArray[np.bool_] = (self.worst == self.best).all(axis=1)
        return there

    @property
    def missing(self) -> int:
        """Answers that the machine owes."""
        return int((~self.answered).sum())


@dataclass(frozen=True, slots=True)
class Extent:
    """The whole test split, known before the first answer: every look is at a part of it."""

    items: int
    units: int
    """Groups, or items where there are none."""
    largest: int
    """Items of the largest unit."""
    looks: tuple[int, ...]
    """Items at which a corpus measure may be looked at: a quarter, half and all of the units."""

    @classmethod
    def of(cls, items: int, groups: NDArray[np.generic] | None = None) -> Extent:
        """From the number of items and the group of each, groups one after the other."""
        if groups is None:
            ends = np.arange(1, items + 1)
            largest = 1
        else:
            _, first, sizes = np.unique(groups, return_index=True, return_counts=True)
            ends = np.cumsum(sizes[np.argsort(first)])
            largest = int(sizes.max())
        looks = tuple(int(ends[ceil(share * len(ends)) - 1]) for share in LOOKS)
        return cls(items, len(ends), largest, looks)


class Evidence:
    """Bounds of one study's rungs under one metric, more being better."""

    def __init__(
        self, metric: Metric, rungs: Sequence[Measured], extent: Extent | None = None
    ) -> None:
        """`extent` is that of all planned items; without it the rungs have answered them all.
        Raises ValueError for rungs without items in common."""
        longest = max(rungs, key=lambda rung: len(rung.statistics))
        self.extent = extent or Extent.of(len(longest.statistics), longest.groups)
        self._check(rungs, fixed=extent is None)
        self.metric = metric
        self.sign = 1.0 if metric.better == "higher" else -1.0
        self._groups = longest.groups
        # The arrays are kept beside, so that no other array can come to have the same id.
        self._kept: dict[tuple[int, int], tuple[Floats, Jackknife | None]] = {}
        self._leads: dict[tuple[int, int, float], tuple[Floats, Floats, float]] = {}
        self._span = 1.0 if metric.mean else 100.0 / metric.times

    def _check(self, rungs: Sequence[Measured], fixed: bool) -> None:
        shapes = {array.shape for r in rungs for array in (r.statistics, r.worst, r.best)}
        lengths = {shape[0] for shape in shapes}
        too_many = max(lengths) > self.extent.items
        if len({s[1:] for s in shapes}) > 1 or 0 in lengths or too_many:
            raise ValueError(f"rungs measured on different items, or on none: {sorted(shapes)}")
        if fixed and len(lengths) > 1:
            raise ValueError(f"rungs measured on different items: {sorted(lengths)} of them")

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
        look = self._look(len(rows))
        found = None if look is None else self._jackknife(rows, self.extent.looks[look])
        if look is None or found is None:
            return -inf if side == "lower" else inf
        return found.bound(alpha=level, side=side, look=LOOKS[look], span=self._span)

    def lead_bound(self, other: Floats, this: Floats, *, level: float) -> float:
        """An upper bound on how much better `other` is than `this`, paired over common items."""
        key = id(other), id(this), level
        if key not in self._leads:
            self._leads[key] = other, this, self._lead_bound(other, this, level)
        return self._leads[key][2]

    def _lead_bound(self, other: Floats, this: Floats, level: float) -> float:
        both = min(len(other), len(this))
        if self.metric.mean:
            return self._betting(other[:both, 0] - this[:both, 0], level, "upper", pair=True)
        look = self._look(both)
        if look is None:
            return inf
        until = self.extent.looks[look]
        first, second = self._jackknife(other, until), self._jackknife(this, until)
        if first is None or second is None:
            return inf
        lead = first - second
        return lead.bound(alpha=level, side="upper", look=LOOKS[look], span=self._span)

    def highest(self, rows: Floats) -> float:
        """The score, turned, that all items would give if each remaining answer were as good as
        can be; infinite for a corpus measure, of which that cannot be said."""
        if not self.metric.mean:
            return inf
        top = max(0.0, self.sign)
        rest = self.extent.items - len(rows)
        return (self.sign * float(rows[:, 0].sum()) + top * rest) / self.extent.items

    def lowest_lead(self, other: Floats, this: Floats) -> float:
        """How much better `other` is than `this` over all items, if from here on `this` is always
        right and `other` always wrong; minus infinity for a corpus measure."""
        if not self.metric.mean:
            return -inf
        both = min(len(other), len(this))
        lead = self.sign * float((other[:both, 0] - this[:both, 0]).sum())
        return (lead - (self.extent.items - both)) / self.extent.items

    def needed(self, rows: Floats, distance: float, *, level: float) -> int | None:
        """About how many items show that a score lies this far above a line, or below it."""
        bound = self.bound(rows, level=level, side="lower" if distance > 0 else "upper")
        width = abs(bound - self.value(rows))
        return self._needed(
            self._jackknife(rows, len(rows)), len(rows), abs(distance), width, level
        )

    def lead_needed(
        self, other: Floats, this: Floats, distance: float, *, level: float
    ) -> int | None:
        """About how many items show that a paired difference lies this far from a line."""
        both = min(len(other), len(this))
        first, second = self._jackknife(other, both), self._jackknife(this, both)
        lead = None if first is None or second is None else first - second
        width = self.lead_bound(other, this, level=level)
        width -= self.value(other[:both]) - self.value(this[:both])
        return self._needed(lead, both, distance, width, level, pair=True)

    def _betting(self, column: Floats, level: float, side: Side, *, pair: bool) -> float:
        low, high = (-1.0, 1.0) if pair else sorted((0.0, self.sign))
        try:
            return mean_bound(
                self.sign * column,
                alpha=level,
                side=side,
                low=low,
                high=high,
                groups=None if self._groups is None else self._groups[: len(column)],
                horizon=self.extent.units,
                largest=self.extent.largest,
            )
        except ValueError as error:
            raise MetricError(
                f"{self.metric.name} says that it is a mean of values from 0 to 1, but {error}"
            ) from error

    def _look(self, items: int) -> int | None:
        """The latest planned look that so many items allow; None before the first."""
        reached = [look for look, until in enumerate(self.extent.looks) if until <= items]
        return reached[-1] if reached else None

    def _jackknife(self, rows: Floats, until: int) -> Jackknife | None:
        """Of the first rows. Kept by array: every rung is compared with every other."""
        key = id(rows), until
        if key not in self._kept:
            found: Jackknife | None
            if self.metric.mean and self._groups is None and until > 1:
                column = self.sign * rows[:until, 0]
                left_out = (column.sum() - column) / (until - 1)
                found = Jackknife(float(column.mean()), left_out)
            else:
                groups = None if self._groups is None else self._groups[:until]
                found = jackknife(self.value, rows[:until], groups)
            self._kept[key] = rows, found
        return self._kept[key][1]

    def _needed(
        self,
        found: Jackknife | None,
        items: int,
        distance: float,
        width: float,
        level: float,
        *,
        pair: bool = False,
    ) -> int | None:
        """`width`: how far the bound is from the value at these items. It shrinks about with the
        root of their number, and may be wider than its spread lets expect, where groups are few
        and large."""
        if found is None:
            return None
        # Clustering is in the error: so many items, grouped as these are.
        sd = found.standard_error * sqrt(items)
        span = self._span * (2 if pair else 1)
        bound: Bound = "betting" if self.metric.mean else "jackknife"
        expected = items_needed(distance, level=level, sd=sd, span=span, bound=bound)
        if expected is None or not isfinite(width):
            return expected
        return max(expected, ceil(items * (width / distance) ** 2))
