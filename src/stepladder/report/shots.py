"""The page about demonstrations: quality over their number, a line a model.

    write_shots(found, Path("runs/demo/shots.html"))

A line joins the means over the draws, the band behind it reaches from the lowest draw to the
highest, thin bars over the draws' 95 % intervals, and a dashed line stands where the tuned model
does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from stepladder.plurals import counted
from stepladder.report import units
from stepladder.report.axes import Scale, Tick, quality_scale
from stepladder.report.files import write_pair
from stepladder.report.frame import render_page
from stepladder.report.labels import Anchor, Box, Label, place, width
from stepladder.report.picture import SHAPES, beside
from stepladder.study.shots import ModelShots, Shots, ShotsFound, Tuned

_RADIUS = 5.5


class Dot(NamedTuple):
    """The mean over the draws at one number of demonstrations."""

    x: float
    y: float
    title: str
    reach: tuple[float, float] | None
    """Heights of the highest and the lowest end of the draws' 95 % intervals."""


@dataclass(frozen=True, slots=True)
class Line:
    """A model, in the picture's units."""

    series: int
    """Which of the four looks of a line it has."""
    shape: str
    dots: tuple[Dot, ...]
    path: str
    """Through the dots, as SVG writes it."""
    band: str
    """From the highest draws back along the lowest."""
    tuned: float | None
    """Height of the tuned model."""
    label: Label | None


@dataclass(frozen=True, slots=True)
class Curves:
    """The whole picture."""

    width: float
    height: float
    plot: Box
    lines: tuple[Line, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    target: Tick | None
    description: str


def render_shots(found: ShotsFound) -> str:
    """The whole page. The same findings give the same page, byte for byte."""
    return render_page(
        "shots.html.j2",
        found=found,
        tables=[
            (_called(found, model), model, [_row(s) for s in model.shots], *_tuned(model.tuned))
            for model in found.models
        ],
        pictures={"wide": draw(found, 760, 400), "narrow": draw(found, 340, 320)},
        shapes=SHAPES,
    )


def write_shots(found: ShotsFound, html: Path, data: Path | None = None) -> None:
    """Writes the page and, where it is wanted, the same as JSON. Raises OutputError."""
    write_pair(render_shots(found), html, found.as_json(), data)


def print_shots(found: ShotsFound, console: Console) -> None:
    """The answers and a table in the terminal."""
    for sentence in found.sentences:
        console.print(Text(units.legible(sentence), style="bold"))
    for model in found.models:
        console.print()
        console.print(_table(found, model))


def draw(found: ShotsFound, breadth: float, height: float) -> Curves | None:
    """The picture in `breadth` x `height` units; None where nothing has a value."""
    heights = [v for m in found.models for v in _heights(m)]
    if not heights:
        return None
    named = len(found.models) > 1
    longest = max((width(_called(found, m)) for m in found.models), default=0.0)
    right = min(longest + 14.0, 0.4 * breadth) if named else 12.0
    plot = Box(44.0, 12.0, breadth - right, height - 46.0)
    target = [] if found.target is None else [found.target]
    scale = quality_scale([*heights, *target], plot.bottom, plot.top)
    line = None if not target else Tick(scale.at(target[0]), units.points(target[0]))
    counts = [shots.k for shots in found.models[0].shots]
    step = (plot.right - plot.left) / max(1, len(counts))
    places = {k: plot.left + step * (i + 0.5) for i, k in enumerate(counts)}
    lines = [_line(found, i, scale, places) for i in range(len(found.models))]
    whole = Box(0.0, 0.0, breadth, height)
    return Curves(
        width=breadth,
        height=height,
        plot=plot,
        lines=tuple(_named(lines, found, whole) if named else lines),
        x_ticks=tuple(Tick(x, str(k)) for k, x in places.items()),
        y_ticks=beside(scale.ticks, line),
        target=line,
        description=" ".join(found.sentences),
    )


def _called(found: ShotsFound, model: ModelShots) -> str:
    return units.legible(found.called(model))


def _heights(model: ModelShots) -> list[float]:
    drawn = _drawn(model)
    values = [value for shots in drawn for value in shots.values]
    values += [end for shots in drawn for end in shots.ends if end is not None]
    tuned = model.tuned.draw.value if model.tuned else None
    return values if tuned is None else [*values, tuned]


def _drawn(model: ModelShots) -> list[Shots]:
    """Numbers of demonstrations that fit, and were measured in all draws."""
    return [s for s in model.shots if s.mean is not None and s.shown == s.k]


def _line(found: ShotsFound, number: int, scale: Scale, places: dict[int, float]) -> Line:
    model = found.models[number]
    called, drawn = _called(found, model), _drawn(model)
    dots, tops, bottoms = [], [], []
    for shots in drawn:
        x, mean = places[shots.k], shots.mean
        assert mean is not None
        low, high = shots.ends
        reach = None if low is None or high is None else (scale.at(high), scale.at(low))
        dots.append(Dot(x, scale.at(mean), _title(called, shots, mean), reach))
        tops.append((x, scale.at(max(shots.values))))
        bottoms.append((x, scale.at(min(shots.values))))
    tuned = model.tuned.draw.value if model.tuned else None
    return Line(
        series=min(number, len(SHAPES) - 1),
        shape=SHAPES[min(number, len(SHAPES) - 1)],
        dots=tuple(dots),
        path=_path([(dot.x, dot.y) for dot in dots]),
        band=_path([*tops, *reversed(bottoms)]),
        tuned=None if tuned is None else scale.at(tuned),
        label=None,
    )


def _named(lines: list[Line], found: ShotsFound, bounds: Box) -> list[Line]:
    """With the model's name beside its last dot."""
    anchors: list[Anchor] = []
    for line, model in zip(lines, found.models, strict=True):
        x, y = (line.dots[-1].x, line.dots[-1].y) if line.dots else (bounds.right / 2, 20.0)
        mark = Box(x - _RADIUS, y - _RADIUS, x + _RADIUS, y + _RADIUS)
        anchors.append(Anchor(mark, y, (_called(found, model),), str(len(anchors) + 1)))
    labels = place(anchors, [], bounds)
    return [replace(line, label=label) for line, label in zip(lines, labels, strict=True)]


def _path(points: list[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points) if points else ""


def _title(called: str, shots: Shots, mean: float) -> str:
    spread = units.interval(min(shots.values), max(shots.values))
    shown = counted(shots.k, "demonstration")
    within = units.interval(*shots.ends)
    return f"{called}, {shown}: {units.points(mean)}, draws {spread}, 95 % intervals {within}"


class Row(NamedTuple):
    """A line of the table, in words."""

    k: str
    mean: str
    spread: str
    within: str
    """From the lowest end of the draws' 95 % intervals to the highest."""
    intervals: tuple[str, ...]
    tokens: str
    seconds: str
    tuned_from: str
    note: str


def _row(shots: Shots) -> Row:
    fitted = [draw.shown for draw in shots.draws if draw.shown is not None]
    varies = len(set(fitted)) > 1
    spread = units.DASH
    if len(shots.values) > 1:
        spread = units.interval(min(shots.values), max(shots.values))
    intervals = (
        f"{units.points(d.value)} ({units.interval(d.low, d.high)})"
        + (f", {d.shown} shown" if varies and d.shown is not None else "")
        for d in shots.draws
    )
    never = units.DASH if shots.tuned_from is None else f"{shots.tuned_from:,}"
    return Row(
        k=str(shots.k),
        mean=units.points(shots.mean),
        spread=spread,
        within=units.interval(*shots.ends),
        intervals=tuple(intervals),
        tokens=units.mean(shots.tokens),
        seconds=units.seconds(shots.seconds),
        tuned_from=never,
        note=_fitting(shots.k, fitted),
    )


def _fitting(k: int, fitted: list[int]) -> str:
    """Where the context is too small for k demonstrations, how many fitted it in the draws."""
    least, most = min(fitted, default=k), max(fitted, default=k)
    if least == k:
        return ""
    if least < most:
        return f"{least} to {most} of {k} fit the context"
    return f"only {most} of {k} {'fits' if most == 1 else 'fit'} the context"


def _tuned(tuned: Tuned | None) -> tuple[Row | None, str]:
    """The training as a row of the table, and its time to build."""
    if tuned is None:
        return None, units.DASH
    row = _row(Shots(0, 0, (tuned.draw,), None, tuned.seconds))
    return row, units.seconds(tuned.build_seconds)


def _table(found: ShotsFound, model: ModelShots) -> Table:
    table = Table(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        title=Text(_called(found, model)),
        title_justify="left",
    )
    tuned = model.tuned.rung if model.tuned else None
    heads = ["shots", found.deciding, "draws", "95 %", "tokens", "a request"]
    for head in [*heads, *([f"{tuned} cheaper from"] if tuned else [])]:
        table.add_column(Text(head), justify="right")
    for shots in model.shots:
        row = _row(shots)
        cells = [row.k, row.mean, row.spread, row.within, row.tokens, row.seconds]
        note = f"\n{row.note}" if row.note else ""
        table.add_row(*([cells[0] + note, *cells[1:], *([row.tuned_from] if tuned else [])]))
    if model.tuned:
        draw = model.tuned.draw
        within = units.interval(draw.low, draw.high)
        cells = [tuned or "", units.points(draw.value), "", within, ""]
        table.add_row(*cells, units.seconds(model.tuned.seconds), "")
    return table
