"""The page about data: lines of equal quality over training rows and demonstrations.

    write_grid(found, Path("runs/demo/data.html"))

Between the cells of the grid quality is taken to be straight on the scales of log(1 + rows) and
log(1 + demonstrations), each rectangle in two triangles; a line of equal quality crosses them where
it must. Numbers come out, no markup: the template draws them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from stepladder.checkpoints import short_name
from stepladder.report import units
from stepladder.report.axes import Tick, quality_scale
from stepladder.report.files import write_pair
from stepladder.report.frame import render_page
from stepladder.report.labels import Box
from stepladder.study.grid import Cell, GridFound
from stepladder.tasks.knowledge import counted

_LINES = 6
"""Lines of equal quality at most."""


class Corner(NamedTuple):
    """A place in the picture with a quality."""

    x: float
    y: float
    value: float


class Spot(NamedTuple):
    """A cell that was measured."""

    x: float
    y: float
    text: str
    title: str


class Contour(NamedTuple):
    """A line of equal quality: pieces as SVG writes them, and where its value stands."""

    path: str
    text: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Plane:
    """The whole picture."""

    width: float
    height: float
    plot: Box
    spots: tuple[Spot, ...]
    contours: tuple[Contour, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    description: str


def render_grid(found: GridFound) -> str:
    """The whole page. The same findings give the same page, byte for byte."""
    return render_page(
        "grid.html.j2",
        found=found,
        model=short_name(found.model),
        pictures={"wide": draw(found, 760, 420), "narrow": draw(found, 340, 340)},
        table=[(rows, [_text(found.cell(rows, k)) for k in found.shots]) for rows in found.rows],
    )


def write_grid(found: GridFound, html: Path, data: Path | None = None) -> None:
    """Writes the page and, where it is wanted, the same as JSON. Raises OutputError."""
    write_pair(render_grid(found), html, found.as_json(), data)


def print_grid(found: GridFound, console: Console) -> None:
    """The answers and the grid in the terminal."""
    for sentence in found.sentences:
        console.print(Text(units.legible(sentence), style="bold"))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("rows", justify="right")
    for k in found.shots:
        table.add_column(f"{k} shown", justify="right", no_wrap=True)
    for rows in found.rows:
        cells = (_text(found.cell(rows, k)) for k in found.shots)
        table.add_row(f"{rows:,}", *(f"{cell.value}\n{cell.interval}" for cell in cells))
    console.print(table)


def draw(found: GridFound, breadth: float, height: float) -> Plane | None:
    """The picture in `breadth` x `height` units; None where no cell has a value."""
    known = [cell for cell in found.cells if cell.mean is not None]
    if not known:
        return None
    plot = Box(30.0, 12.0, breadth - 12.0, height - 46.0)
    inset = 30.0
    across = _places(found.rows, plot.left + inset, plot.right - inset)
    upward = _places(found.shots, plot.bottom - inset, plot.top + inset)
    corners = {
        (c.rows, c.k): Corner(across[c.rows], upward[c.k], c.mean)
        for c in known
        if c.mean is not None
    }
    return Plane(
        width=breadth,
        height=height,
        plot=plot,
        spots=tuple(
            Spot(*corners[c.rows, c.k][:2], units.points(c.mean), _title(found, c)) for c in known
        ),
        contours=tuple(_contours(found, corners)),
        x_ticks=tuple(Tick(x, f"{rows:,}") for rows, x in across.items()),
        y_ticks=tuple(Tick(y, str(k)) for k, y in upward.items()),
        description=" ".join([*found.sentences, *(_title(found, c) for c in known)]),
    )


def _places(values: Sequence[int], start: float, end: float) -> dict[int, float]:
    """On the scale of log(1 + value)."""
    low, high = math.log1p(values[0]), math.log1p(values[-1])
    if high == low:
        return {values[0]: (start + end) / 2}
    return {v: start + (math.log1p(v) - low) / (high - low) * (end - start) for v in values}


def _contours(found: GridFound, corners: dict[tuple[int, int], Corner]) -> Iterator[Contour]:
    values = [corner.value for corner in corners.values()]
    if max(values) - min(values) < 1e-9:
        return
    levels = [float(tick.text) for tick in quality_scale(values, 0.0, 1.0).ticks]
    levels = [level for level in levels if min(values) < level < max(values)]
    for level in levels[:: math.ceil(len(levels) / _LINES) or 1]:
        pieces = [
            piece
            for triangle in _triangles(found, corners)
            if (piece := _crossing(triangle, level)) is not None
        ]
        if pieces:
            path = "".join(f"M{a:.1f} {b:.1f}L{c:.1f} {d:.1f}" for a, b, c, d in pieces)
            ends = [(a, b) for a, b, _, _ in pieces] + [(c, d) for _, _, c, d in pieces]
            x, y = min(ends, key=lambda end: (end[1], -end[0]))
            yield Contour(path, f"{level:g}", x, y)


def _triangles(
    found: GridFound, corners: dict[tuple[int, int], Corner]
) -> Iterator[tuple[Corner, Corner, Corner]]:
    """Two for every rectangle of neighbours whose corners are all known; where there is one number
    of rows or of demonstrations only, there are none."""
    for rows, more_rows in zip(found.rows, found.rows[1:], strict=False):
        for k, more_k in zip(found.shots, found.shots[1:], strict=False):
            names = ((rows, k), (more_rows, k), (more_rows, more_k), (rows, more_k))
            if all(name in corners for name in names):
                a, b, c, d = (corners[name] for name in names)
                yield a, b, c
                yield a, c, d


def _crossing(
    triangle: tuple[Corner, Corner, Corner], level: float
) -> tuple[float, float, float, float] | None:
    """Where a level enters and leaves a triangle: x1, y1, x2, y2."""
    a, b, c = triangle
    points = [
        _between(one, other, level)
        for one, other in ((a, b), (b, c), (c, a))
        if (one.value < level) != (other.value < level)
    ]
    return (*points[0], *points[1]) if len(points) == 2 else None


def _between(one: Corner, other: Corner, level: float) -> tuple[float, float]:
    share = (level - one.value) / (other.value - one.value)
    return one.x + share * (other.x - one.x), one.y + share * (other.y - one.y)


def _title(found: GridFound, cell: Cell) -> str:
    return (
        f"{counted(cell.rows, 'row')}, {counted(cell.k, 'demonstration')}: {found.deciding} "
        f"{units.points(cell.mean)} (95 % interval {units.interval(cell.low, cell.high)})."
    )


class CellText(NamedTuple):
    """A cell in words."""

    value: str
    interval: str
    seeds: str
    error: str | None


def _text(cell: Cell) -> CellText:
    seeds = ", ".join(units.points(value) for value in cell.values)
    interval = units.interval(cell.low, cell.high)
    return CellText(units.points(cell.mean), interval, seeds, cell.error)
