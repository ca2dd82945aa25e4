"""The page about replay: the task's score against what was lost on a guard, a point a share.

    write_shares(found, Path("runs/demo/replay.html"))

Each guard has a picture of its own: height is the task, breadth the loss, points are means over the
seeds, and whiskers reach from the lowest to the highest seed. A line joins the shares that no other
share beats on both, and another stands where `max_drop` does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from stepladder.checkpoints import short_name
from stepladder.report import units
from stepladder.report.axes import Scale, Tick, quality_scale
from stepladder.report.files import write_pair
from stepladder.report.forgetting import change, change_at_most, change_between
from stepladder.report.frame import render_page
from stepladder.report.labels import Anchor, Box, Label, place
from stepladder.study.forgetting import GuardDrop
from stepladder.study.losses import BITS
from stepladder.study.shares_found import Share, SharesFound, Spread

_RADIUS = 5.5
_RING = 10.0
_STANDINGS = {
    "within": "stays within",
    "beyond": "exceeds it",
    "open": "cannot be told",
    "not tried": "not tried",
}


class Point(NamedTuple):
    """A share as it was measured, on the scales shown."""

    share: Share
    value: Spread
    loss: Spread


@dataclass(frozen=True, slots=True)
class Mark:
    """A share, in the picture's units."""

    title: str
    x: float
    y: float
    across: tuple[float, float]
    """From the least loss of a seed to the greatest."""
    upward: tuple[float, float]
    """From the lowest value of a seed to the highest."""
    winner: bool
    label: Label


@dataclass(frozen=True, slots=True)
class TradeOff:
    """The whole picture of one guard."""

    guard: str
    width: float
    height: float
    plot: Box
    marks: tuple[Mark, ...]
    path: str
    """Through the undominated shares, as SVG writes it."""
    limit: Tick | None
    """Where max_drop stands."""
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    description: str


def render_shares(found: SharesFound) -> str:
    """The whole page. The same findings give the same page, byte for byte."""
    pictures = [
        (guard, draw(found, guard, 760, 380), draw(found, guard, 340, 320))
        for guard in found.guards
    ]
    return render_page(
        "shares.html.j2",
        found=found,
        model=short_name(found.model),
        verdict=found.verdict,
        base=units.points(found.base),
        pictures=[(g, wide, narrow) for g, wide, narrow in pictures if wide and narrow],
        table=[_row(found, share) for share in found.shares],
        texts=any(build.text for share in found.shares for build in share.builds),
        gains=any(_gained(share, guard) for share in found.shares for guard in found.guards),
        limits=[units.limit(guard.max_drop, guard.times) for guard in found.guards],
    )


def write_shares(found: SharesFound, html: Path, data: Path | None = None) -> None:
    """Writes the page and, where it is wanted, the same as JSON. Raises OutputError."""
    write_pair(render_shares(found), html, found.as_json(), data)


def print_shares(found: SharesFound, console: Console) -> None:
    """The answer and a table in the terminal."""
    console.print(Text(units.legible(found.verdict.sentence), style="bold"))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("share", justify="right")
    table.add_column(Text(found.deciding), justify="right")
    for guard in found.guards:
        table.add_column(Text(units.legible(guard.guard)), justify="right")
    table.add_column("")
    for share in found.shares:
        row = _row(found, share)
        cells = [f"{cell.mean}\n{cell.spread}".rstrip() for cell in (row.value, *row.losses)]
        part = f"\n{row.trainings} of {found.seeds} trainings"
        told = row.standing + (part if 0 < row.trainings < found.seeds else "")
        table.add_row(row.share, *cells, told)
    console.print(table)


def draw(found: SharesFound, guard: GuardDrop, breadth: float, height: float) -> TradeOff | None:
    """One guard's picture in `breadth` x `height` units; None where no share has both values."""
    points = [
        Point(share, value, loss)
        for share in found.shares
        if (value := share.value) is not None and (loss := share.loss(guard.guard)) is not None
    ]
    if not points:
        return None
    plot = Box(44.0, 22.0, breadth - 16.0, height - 46.0)
    most = None if guard.max_drop is None else guard.max_drop * guard.times
    limit = [] if most is None else [most]
    across = quality_scale(
        [0.0, *limit, *(v for p in points for v in p.loss)], plot.left + 14, plot.right - 14
    )
    upward = quality_scale([v for p in points for v in p.value], plot.bottom, plot.top)
    line = None if most is None else Tick(across.at(most), f"max_drop {most:g}")
    places = {p.share.share: (across.at(p.loss.mean), upward.at(p.value.mean)) for p in points}
    chain = [places[share] for share in found.pareto(guard.guard)]
    return TradeOff(
        guard=guard.guard,
        width=breadth,
        height=height,
        plot=plot,
        marks=_marks(found, points, across, upward, _Frame(plot, line, chain)),
        path="M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in chain) if len(chain) > 1 else "",
        limit=line,
        x_ticks=_apart(across.ticks, breadth),
        y_ticks=upward.ticks,
        description=" ".join([found.verdict.sentence, *(_title(found, p) for p in points)]),
    )


class _Frame(NamedTuple):
    """What the marks are set into."""

    plot: Box
    limit: Tick | None
    chain: list[tuple[float, float]]
    """The undominated shares."""

    def obstacles(self) -> list[Box]:
        """Both lines, the slanting one in small pieces."""
        boxes = []
        if self.limit is not None:
            at = self.limit.at
            boxes.append(Box(at - 1, self.plot.top, at + 1, self.plot.bottom))
        for (x1, y1), (x2, y2) in pairwise(self.chain):
            pieces = max(1, round(math.dist((x1, y1), (x2, y2)) / 6))
            for step in range(pieces + 1):
                x, y = x1 + (x2 - x1) * step / pieces, y1 + (y2 - y1) * step / pieces
                boxes.append(Box(x - 3, y - 3, x + 3, y + 3))
        return boxes


def _apart(ticks: tuple[Tick, ...], breadth: float) -> tuple[Tick, ...]:
    """Every second one where there is little room, 0 among them; a minus as wide as a plus."""
    step = 1 if breadth > 500 or len(ticks) < 6 else 2
    first = next((i for i, tick in enumerate(ticks) if float(tick.text) == 0), 0) % step
    return tuple(Tick(at, text.replace("-", "−")) for at, text in ticks[first::step])


def _marks(
    found: SharesFound, points: list[Point], across: Scale, upward: Scale, frame: _Frame
) -> tuple[Mark, ...]:
    best = found.verdict.share
    shapes, anchors = [], []
    for share, value, loss in points:
        x, y = across.at(loss.mean), upward.at(value.mean)
        ends = across.at(loss.low), across.at(loss.high)
        height = upward.at(value.high), upward.at(value.low)
        shapes.append((x, y, ends, height))
        radius = _RING if share.share == best else _RADIUS
        mark = Box(x - radius, min(y - radius, height[0]), x + radius, max(y + radius, height[1]))
        name = f"{share.share:g}"
        anchors.append(Anchor(mark, y, (name,), name))
    whiskers = [Box(ends[0], y - 1, ends[1], y + 1) for _, y, ends, _ in shapes]
    labels = place(anchors, [*frame.obstacles(), *whiskers], frame.plot)
    return tuple(
        Mark(_title(found, p), x, y, ends, height, p.share.share == best, label)
        for p, (x, y, ends, height), label in zip(points, shapes, labels, strict=True)
    )


def _title(found: SharesFound, point: Point) -> str:
    value, loss = _spread(point.value), _loss(point.loss)
    return f"replay={point.share.share:g}: {found.deciding} {_said(value)}, {_said(loss)}."


class Cell(NamedTuple):
    """A value over the seeds, in words."""

    mean: str
    spread: str
    """The lowest to the highest; empty where there is one."""
    most: str = ""


def _said(cell: Cell) -> str:
    return f"{cell.mean} ({cell.spread})" if cell.spread else cell.mean


class Row(NamedTuple):
    """A line of the table, in words."""

    share: str
    trainings: int
    value: Cell
    losses: tuple[Cell, ...]
    texts: str
    standing: str
    winner: bool
    reasons: tuple[str, ...]


def _row(found: SharesFound, share: Share) -> Row:
    losses = [
        _loss(share.loss(guard.guard))._replace(most=change_at_most(share.most(guard.guard)))
        for guard in found.guards
    ]
    rises = [build.text.rise for build in share.builds if build.text is not None]
    mean = sum(rises) / len(rises) if rises and len(rises) == len(share.builds) else None
    reasons = [
        f"seed {build.seed}: {units.legible(said)}"
        for build in share.builds
        for said in [build.error, *(guard.refusal for guard in build.guards)]
        if said
    ]
    return Row(
        share=f"{share.share:g}",
        trainings=len(share.builds),
        value=_spread(share.value),
        losses=tuple(losses),
        texts=change(mean, BITS),
        standing=_STANDINGS[share.standing],
        winner=share.share == found.verdict.share,
        reasons=tuple(reasons),
    )


def _spread(spread: Spread | None) -> Cell:
    if spread is None:
        return Cell(units.DASH, "")
    mean = units.points(spread.mean).replace("-", "−")
    alone = spread.low == spread.high
    return Cell(mean, "" if alone else units.interval(spread.low, spread.high))


def _gained(share: Share, guard: GuardDrop) -> bool:
    """Whether a training of the share is better at the guard than the base is."""
    loss = share.loss(guard.guard)
    return loss is not None and loss.low < 0


def _loss(spread: Spread | None) -> Cell:
    if spread is None:
        return Cell(units.DASH, "")
    alone = spread.low == spread.high
    return Cell(change(spread.mean), "" if alone else change_between(spread.low, spread.high))
