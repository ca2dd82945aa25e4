"""The page about data: lines of equal quality over training rows and demonstrations.

    write_grid(found, Path("runs/demo/data.html"))

Between the cells of the grid quality is taken to be straight on the scales of log(1 + rows) and
log(1 + demonstrations), each rectangle in two triangles; a line of equal quality crosses them where
it must. Numbers come out, no markup: the template draws them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Literal, NamedTuple

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from stepladder.checkpoints import short_name
from stepladder.plurals import counted
from stepladder.report import units
from stepladder.report.axes import Tick, quality_scale
from stepladder.report.files import write_pair
from stepladder.report.frame import render_page
from stepladder.report.labels import FONT, Box, width
from stepladder.study.grid import Cell, GridFound

_LINES = 6
"""Lines of equal quality at most."""


class Corner(NamedTuple):
    """A place in the picture with a quality."""

    x: float
    y: float
    value: float


class Written(NamedTuple):
    """A value in the picture."""

    text: str
    x: float
    """Where it starts, ends or has its middle, as `align` says."""
    y: float
    """Of its letters' feet."""
    align: Literal["start", "middle", "end"]
    box: Box


class Spot(NamedTuple):
    """A cell that was measured."""

    x: float
    y: float
    title: str
    value: Written


class Piece(NamedTuple):
    """Of a line, straight."""

    x1: float
    y1: float
    x2: float
    y2: float


class Contour(NamedTuple):
    """A line of equal quality: pieces as SVG writes them, and its value, which stands on it."""

    path: str
    value: Written


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
    bounds = plot._replace(right=breadth)
    spots, contours = _written(found, corners, bounds)
    return Plane(
        width=breadth,
        height=height,
        plot=plot,
        spots=spots,
        contours=contours,
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


def _written(
    found: GridFound, corners: dict[tuple[int, int], Corner], bounds: Box
) -> tuple[tuple[Spot, ...], tuple[Contour, ...]]:
    """Dots and lines with their values, which stand where least is in the way: of a dot beside it,
    clear of the scales' lines, and of a line on it."""
    lines = list(_lines(found, corners))
    drawn = [[_around(*point, 1.0) for point in _along(pieces, 3.0)] for _, pieces in lines]
    taken = [_around(corner.x, corner.y, 5.0) for corner in corners.values()]
    spots: list[Spot] = []
    contours: list[Contour] = []
    for name, corner in corners.items():
        text = units.points(corner.value)
        value = _clearest(_beside(corner, text), taken, chain(*drawn), bounds)
        taken.append(value.box)
        spots.append(Spot(corner.x, corner.y, _title(found, found.cell(*name)), value))
    for number, (text, pieces) in enumerate(lines):
        others = chain(*drawn[:number], *drawn[number + 1 :])
        value = _clearest(_upon(pieces, text), taken, others, bounds)
        taken.append(value.box)
        path = "".join(f"M{a:.1f} {b:.1f}L{c:.1f} {d:.1f}" for a, b, c, d in pieces)
        contours.append(Contour(path, value))
    return tuple(spots), tuple(contours)


def _lines(
    found: GridFound, corners: dict[tuple[int, int], Corner]
) -> Iterator[tuple[str, list[Piece]]]:
    """Each line of equal quality with that quality as written; a quality may have several lines."""
    values = [corner.value for corner in corners.values()]
    if max(values) - min(values) < 1e-9:
        return
    levels = [float(tick.text) for tick in quality_scale(values, 0.0, 1.0).ticks]
    levels = [level for level in levels if min(values) < level < max(values)]
    for level in levels[:: math.ceil(len(levels) / _LINES) or 1]:
        crossings = (_crossing(triangle, level) for triangle in _triangles(found, corners))
        for strand in _strands([piece for piece in crossings if piece is not None]):
            yield f"{level:g}", strand


def _strands(pieces: Sequence[Piece]) -> list[list[Piece]]:
    """The lines that pieces make where they meet; what is no longer than a dot is none."""
    strands: list[list[Piece]] = []
    for piece in pieces:
        met = [strand for strand in strands if any(_ends(piece) & _ends(own) for own in strand)]
        strands = [strand for strand in strands if strand not in met]
        strands.append([piece, *chain(*met)])
    return [strand for strand in strands if sum(map(_length, strand)) > 10.0]


def _ends(piece: Piece) -> set[tuple[float, float]]:
    """Rounded, since two triangles come to the same place by other sums."""
    return {(round(piece.x1, 1), round(piece.y1, 1)), (round(piece.x2, 1), round(piece.y2, 1))}


def _length(piece: Piece) -> float:
    return math.hypot(piece.x2 - piece.x1, piece.y2 - piece.y1)


def _clearest(
    places: Iterable[Written], taken: Sequence[Box], lines: Iterable[Box], bounds: Box
) -> Written:
    """The place with the least of what is taken on it, then the least of the lines; the first of
    several."""
    crossed = list(lines)

    def in_the_way(place: Written) -> tuple[bool, int, int]:
        covered, crossings = (sum(map(place.box.overlaps, some)) for some in (taken, crossed))
        return not place.box.inside(bounds), covered, crossings

    return min(places, key=in_the_way)


def _beside(corner: Corner, text: str) -> Iterator[Written]:
    """Off a dot's four corners, then further up and down."""
    x, y = corner.x, corner.y
    wide = width(text)
    for feet in (y + 18.0, y - 8.0, y + 30.0, y - 20.0):
        top, bottom = feet - 0.8 * FONT, feet + 2.0
        yield Written(text, x + 6.0, feet, "start", Box(x + 4.0, top, x + 8.0 + wide, bottom))
        yield Written(text, x - 6.0, feet, "end", Box(x - 8.0 - wide, top, x - 4.0, bottom))


def _upon(pieces: Sequence[Piece], text: str) -> Iterator[Written]:
    """All along a line, from its top."""
    half = width(text) / 2 + 2.0
    for x, y in sorted(_along(pieces, 6.0), key=lambda point: (point[1], -point[0])):
        box = Box(x - half, y - 0.6 * FONT, x + half, y + 0.6 * FONT)
        yield Written(text, x, y + 0.35 * FONT, "middle", box)


def _along(pieces: Sequence[Piece], step: float) -> Iterator[tuple[float, float]]:
    """Points on a line, no further apart than that."""
    for piece in pieces:
        x1, y1, x2, y2 = piece
        parts = math.ceil(_length(piece) / step) or 1
        for share in (part / parts for part in range(parts + 1)):
            yield x1 + (x2 - x1) * share, y1 + (y2 - y1) * share


def _around(x: float, y: float, radius: float) -> Box:
    return Box(x - radius, y - radius, x + radius, y + radius)


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


def _crossing(triangle: tuple[Corner, Corner, Corner], level: float) -> Piece | None:
    """Where a level enters and leaves a triangle."""
    a, b, c = triangle
    points = [
        _between(one, other, level)
        for one, other in ((a, b), (b, c), (c, a))
        if (one.value < level) != (other.value < level)
    ]
    return Piece(*points[0], *points[1]) if len(points) == 2 else None


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
