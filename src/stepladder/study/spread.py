"""What rungs come to under further seeds: a description beside the verdict.

    spread.seeds                 # (0, 1, 2), the first that of the build that would be served
    spread.rungs[0].values       # (0.63, 0.67, 0.61)

It is the spread of so many builds on the same items, and no interval of the population.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stepladder.records import Json


@dataclass(frozen=True, slots=True)
class RungSpread:
    """One rung over the seeds."""

    rung: str
    items: int
    """That each build was asked: those of the race."""
    values: tuple[float | None, ...]
    """The deciding metric on its own scale, a value a seed; None where a build failed or is owed
    answers."""
    mean: float | None
    """With `low` and `high` None where a seed has no value."""
    low: float | None
    high: float | None

    @classmethod
    def of(cls, rung: str, items: int, values: Sequence[float | None]) -> RungSpread:
        known = [value for value in values if value is not None]
        whole = len(known) == len(values)
        mean = sum(known) / len(known) if whole else None
        low, high = (min(known), max(known)) if whole else (None, None)
        return cls(rung, items, tuple(values), mean, low, high)


@dataclass(frozen=True, slots=True)
class Spread:
    """The rungs that were repeated, and what that says."""

    seeds: tuple[int, ...]
    """The first is the task's own, which the verdict is about."""
    rungs: tuple[RungSpread, ...]
    sentences: tuple[str, ...]
    """What kind of spread this is, which rungs were not repeated and why, what it took."""
    warnings: tuple[str, ...]
    """Where the spread over builds is larger than the difference that decided."""
    trainings: int
    """Of the further seeds; with requests and seconds on no rung's bill."""
    requests: int
    seconds: float | None
    """None where the time of an answer is not known."""


def spread_from_json(data: Json) -> Spread:
    """The inverse of `asdict`."""
    rungs = tuple(RungSpread(**{**row, "values": tuple(row["values"])}) for row in data["rungs"])
    lists = {name: tuple(data[name]) for name in ("seeds", "sentences", "warnings")}
    return Spread(**{**data, **lists, "rungs": rungs})
