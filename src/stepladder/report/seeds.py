"""What rungs come to under further seeds: texts, and where to draw them.

view = look_at_seeds(summary)
view.rows[0].values, view.rows[0].range      # ("63.0", "67.0", "61.0"), "61.0 to 67.0"
"""

from __future__ import annotations

from dataclasses import dataclass

from stepladder.report import units
from stepladder.report.axes import on_strip
from stepladder.study.spread import RungSpread
from stepladder.study.summary import Summary


@dataclass(frozen=True, slots=True)
class SpreadRow:
    """A rung that was repeated."""

    number: int
    """That of the table of rungs."""
    name: str
    winner: bool
    items: str
    values: tuple[str, ...]
    """A seed each."""
    mean: str
    range: str
    """The lowest to the highest."""
    places: tuple[float, ...]
    """Of the values that are known, from 0 to STRIP on one scale for all rungs."""
    first: float | None
    """Of the build that the verdict is about."""


@dataclass(frozen=True, slots=True)
class SpreadView:
    seeds: tuple[str, ...]
    rows: tuple[SpreadRow, ...]
    sentences: tuple[str, ...]
    warnings: tuple[str, ...]


def look_at_seeds(summary: Summary) -> SpreadView | None:
    """None where no further seeds were asked for."""
    spread = summary.spread
    if spread is None:
        return None
    known = [value for row in spread.rungs for value in row.values if value is not None]
    ends = min(known, default=0.0), max(known, default=1.0)
    return SpreadView(
        seeds=tuple(str(seed) for seed in spread.seeds),
        rows=tuple(_row(row, summary, ends) for row in spread.rungs),
        sentences=tuple(map(units.legible, spread.sentences)),
        warnings=tuple(map(units.legible, spread.warnings)),
    )


def _row(row: RungSpread, summary: Summary, ends: tuple[float, float]) -> SpreadRow:
    number, rung = next((i, r) for i, r in enumerate(summary.rungs, 1) if r.name == row.rung)
    score = rung.metrics.get(summary.deciding)
    times = score.times if score else 1.0
    places = [on_strip(value, *ends) for value in row.values]
    return SpreadRow(
        number=number,
        name=units.legible(row.rung),
        winner=row.rung == summary.verdict.rung,
        items=f"{row.items:,}",
        values=tuple(units.points(value, times) for value in row.values),
        mean=units.points(row.mean, times),
        range=units.interval(row.low, row.high, times),
        places=tuple(place for place in places if place is not None),
        first=places[0],
    )
