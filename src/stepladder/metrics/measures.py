"""What all measures here have in common; a measure from elsewhere needs only `contracts.Metric`.

A measure is a frozen dataclass whose fields are its settings. `MeanMeasure` averages a value a row;
other measures sum sufficient statistics and compute from the sums.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np

from stepladder import registry
from stepladder.contracts import Floats

Choice = Literal["best", "mean"]
"""With several references: the one with the highest value, or the mean over all of them."""


class Measure(ABC):
    """The name under which a measure is registered, and the direction of its scale."""

    base: ClassVar[str]
    """The registered name, without settings."""
    better: ClassVar[Literal["higher", "lower"]] = "higher"
    times: ClassVar[float]
    mean: ClassVar[bool]

    @property
    def name(self) -> str:
        """As in a task file: `rougeL`, or `rougeL(stem=False)` where settings differ."""
        return registry.describe(self.base, self)


class MeanMeasure(Measure):
    """A value in [0, 1] for each example, in column 0; parts of it in the columns behind."""

    times = 100.0
    mean = True
    parts: ClassVar[tuple[str, ...]] = ()
    """What stands in columns 1, 2, ..."""

    def aggregate(self, statistics: Floats) -> float | None:
        """The mean of column 0; None from no rows."""
        return float(statistics[:, 0].mean()) if len(statistics) else None

    def details(self, statistics: Floats) -> dict[str, float]:
        """The mean of each further column."""
        if not len(statistics):
            return {}
        means = statistics[:, 1:].mean(axis=0).tolist()
        return dict(zip(self.parts, means, strict=True))


class SumMeasure(Measure):
    """A corpus measure: a function of the columns' sums."""

    mean = False

    def aggregate(self, statistics: Floats) -> float | None:
        """The score of the rows together; None from no rows."""
        return self.from_sums(statistics.sum(axis=0)) if len(statistics) else None

    @abstractmethod
    def from_sums(self, sums: Floats) -> float:
        """The score from the sums of the columns, shape (columns,)."""


def table(rows: Sequence[Sequence[float]], columns: int) -> Floats:
    """Rows of statistics as an array, shape (rows, columns), also where there are none."""
    return np.array(rows, dtype=np.float64).reshape(len(rows), columns)


def over_references(rows: Sequence[Sequence[float]], choice: Choice) -> list[float]:
    """One row from a row a reference: the first of those highest in column 0, or the mean."""
    if choice == "best":
        return list(rows[int(np.argmax([row[0] for row in rows]))])
    return [float(part) for part in np.mean(rows, axis=0)]


def signature(name: str, **settings: object) -> str:
    """A name and its settings in one line, as sacrebleu writes them: `name|key:value|...`.

    >>> signature("rougeL", stem=True, scale="0-1")
    'rougeL|stem:yes|scale:0-1'
    """
    yes_no = {True: "yes", False: "no"}
    pairs = (
        f"{key}:{yes_no[value] if isinstance(value, bool) else value}"
        for key, value in settings.items()
    )
    return "|".join((name, *pairs))
