"""The ladder picture's geometry: quality with its interval against cost.

Height is the deciding metric on the scale it is shown on, breadth the total seconds at the stated
traffic, on a logarithmic scale where rungs lie far apart. A rung whose cost is unknown stands in a
lane of its own. Numbers come out, no markup: the template draws them.

    picture = draw(summary, breadth=720, height=400, named=True)
    picture.marks[0].x, picture.marks[0].label.box
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from stepladder.report import units
from stepladder.report.axes import Scale, Tick, cost_scale, quality_scale
from stepladder.report.labels import Anchor, Box, Label, place, width
from stepladder.study.summary import Summary

SHAPES = ("circle", "square", "diamond", "triangle")
"""One a model, in the order of the table; further models share the last."""
_RADIUS = 5.5
_RING = 10.0
"""Of the ring around the winner."""
_LONG = re.compile(r"\S{25}")
"""A word that is longer than a line of a label."""
_WORD = 50.0
"""Breadth of the word 'target'."""


class Point(NamedTuple):
    """A measured rung as the picture needs it; heights on the scale shown."""

    number: int
    name: str
    model: str
    winner: bool
    value: float
    low: float | None
    high: float | None
    bounds: tuple[float, float] | None
    """What the verdict rests on, where there is a target."""
    cost: float | None


@dataclass(frozen=True, slots=True)
class Mark:
    """A rung, in the picture's units."""

    number: int
    title: str
    x: float
    y: float
    whisker: tuple[float, float] | None
    """Top and bottom of the 95 % interval."""
    bounds: tuple[float, float] | None
    """Top and bottom of what the verdict rests on."""
    shape: str
    winner: bool
    label: Label


@dataclass(frozen=True, slots=True)
class Picture:
    width: float
    height: float
    plot: Box
    marks: tuple[Mark, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    target: Tick | None
    """The target line."""
    band: tuple[float, float] | None
    """Top and bottom of the margin below the best value."""
    lane: float | None
    """Where the lane of unknown costs begins."""
    logarithmic: bool
    description: str


def draw(summary: Summary, breadth: float, height: float, named: bool) -> Picture | None:
    """The picture in `breadth` x `height` units; `named` writes the rungs' names beside the marks,
    else their numbers in the table. None where nothing was measured."""
    points = measured(summary)
    if not points:
        return None
    plot = Box(44.0, 12.0, breadth - 12.0, height - 46.0)
    lane = _lane(points, plot, named)
    target = _target(summary)
    band = _band(summary, points)
    y_scale = quality_scale(_heights(points, target, band), plot.bottom, plot.top)
    right = plot.right if lane is None else lane
    # Left of the first mark there is room for the word at the target line.
    inset = _WORD if target is not None else 26.0 if named else 16.0
    x_scale = cost_scale(
        [point.cost for point in points if point.cost is not None], plot.left + inset, right - inset
    )
    target_tick = None if target is None else Tick(y_scale.at(target), units.points(target))
    places = [
        (right + 22.0 if p.cost is None else x_scale.at(p.cost), y_scale.at(p.value))
        for p in points
    ]
    return Picture(
        width=breadth,
        height=height,
        plot=plot,
        marks=_marks(summary, points, places, _Frame(y_scale, plot, named, target_tick, lane)),
        x_ticks=x_scale.ticks,
        y_ticks=beside(y_scale.ticks, target_tick),
        target=target_tick,
        band=None if band is None else (y_scale.at(band[1]), y_scale.at(band[0])),
        lane=lane,
        logarithmic=x_scale.logarithmic,
        description=_description(points, summary),
    )


def measured(summary: Summary) -> list[Point]:
    """The rungs that have a value of the deciding metric, in the order of the table."""
    points = []
    for number, rung in enumerate(summary.rungs, 1):
        score = rung.metrics.get(summary.deciding)
        if score is None or not units.known(score.value):
            continue
        low, high, lower, upper = (
            end * score.times if units.known(end) else None
            for end in (score.low, score.high, rung.lower, rung.upper)
        )
        value = score.value * score.times
        rests = (value if lower is None else lower, value if upper is None else upper)
        points.append(
            Point(
                number=number,
                name=units.legible(rung.name),
                model=rung.model,
                winner=rung.name == summary.verdict.rung,
                value=value,
                low=low,
                high=high,
                bounds=None if summary.target is None else rests,
                cost=rung.cost.total_seconds(summary.requests),
            )
        )
    return points


def _lane(points: Sequence[Point], plot: Box, named: bool) -> float | None:
    """Where the lane of unknown costs begins: wide enough for its labels, if that can be."""
    names = [point.name for point in points if point.cost is None]
    if not names:
        return None
    lines = [line for name in names for line in (_wrap(name) if named else ())]
    needed = max((width(line) for line in lines), default=14.0) + 44.0
    return plot.right - min(needed, 0.36 * (plot.right - plot.left))


def _target(summary: Summary) -> float | None:
    score = summary.deciding_score
    return None if summary.target is None or score is None else summary.target * score.times


def _band(summary: Summary, points: Sequence[Point]) -> tuple[float, float] | None:
    """From the best value to one margin worse, on the scale shown, lower end first."""
    score = summary.deciding_score
    if summary.target is not None or summary.margin is None or score is None:
        return None
    margin, values = summary.margin * score.times, [point.value for point in points]
    if score.better == "lower":
        return min(values), min(values) + margin
    return max(values) - margin, max(values)


def _heights(
    points: Sequence[Point], target: float | None, band: tuple[float, float] | None
) -> list[float]:
    heights = [
        v for p in points for v in (p.value, p.low, p.high, *(p.bounds or ())) if v is not None
    ]
    return [*heights, *(band or ()), *(() if target is None else (target,))]


class _Frame(NamedTuple):
    """What the marks are set into."""

    scale: Scale
    plot: Box
    named: bool
    target: Tick | None
    lane: float | None

    def obstacles(self) -> list[Box]:
        """The target line with its word, and the line before the lane."""
        left, top, right, bottom = self.plot
        boxes = []
        if self.target is not None:
            at = self.target.at
            boxes += [Box(left, at - 18, left + _WORD, at), Box(left, at - 1, right, at + 1)]
        if self.lane is not None:
            boxes.append(Box(self.lane - 1, top, self.lane + 1, bottom))
        return boxes


def beside(ticks: Sequence[Tick], target: Tick | None) -> tuple[Tick, ...]:
    """The ticks that leave room for the target's own."""
    return tuple(tick for tick in ticks if target is None or abs(tick.at - target.at) > 14)


def _marks(
    summary: Summary,
    points: Sequence[Point],
    places: Sequence[tuple[float, float]],
    frame: _Frame,
) -> tuple[Mark, ...]:
    at = frame.scale.at
    whiskers = [
        None if p.low is None or p.high is None else (at(p.high), at(p.low)) for p in points
    ]
    bounds = [None if p.bounds is None else (at(p.bounds[1]), at(p.bounds[0])) for p in points]
    anchors = []
    for point, (x, y), *spans in zip(points, places, whiskers, bounds, strict=True):
        radius = _RING if point.winner else _RADIUS
        ends = [y - radius, y + radius, *(end for span in spans if span for end in span)]
        box = Box(x - radius, min(ends), x + radius, max(ends))
        lines = _wrap(point.name)
        number = str(point.number)
        anchors.append(Anchor(box, y, lines if frame.named and lines else (number,), number))
    labels = place(anchors, frame.obstacles(), frame.plot)
    models = list(dict.fromkeys(rung.model for rung in summary.rungs))
    return tuple(
        Mark(
            number=point.number,
            title=_title(point, summary),
            x=x,
            y=y,
            whisker=whisker,
            bounds=rests,
            shape=SHAPES[min(models.index(point.model), len(SHAPES) - 1)],
            winner=point.winner,
            label=label,
        )
        for point, (x, y), whisker, rests, label in zip(
            points, places, whiskers, bounds, labels, strict=True
        )
    )


def _wrap(name: str) -> tuple[str, ...]:
    """At most three lines of about 24 letters, broken between words, or else between settings."""
    apart = re.sub(r"(?<=\()(?=\S)", " ", name) if _LONG.search(name) else name
    wrapped = textwrap.wrap(apart, 24, max_lines=3, placeholder=" …", break_on_hyphens=False)
    return tuple(re.sub(r"(?<=\() (?=\S)", "", line) for line in wrapped)


def _title(point: Point, summary: Summary) -> str:
    cost = "cost unknown" if point.cost is None else units.seconds(point.cost)
    ends = units.interval(point.low, point.high)
    return (
        f"{point.number}. {point.name}: {summary.deciding} {units.points(point.value)} "
        f"(95 % interval {ends}); {cost} for {summary.requests:,} requests"
    )


def _description(points: Sequence[Point], summary: Summary) -> str:
    """The picture in words, for those who do not see it."""
    return ". ".join(_title(point, summary) for point in points) + "."
