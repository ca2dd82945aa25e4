"""Labels in a picture that overlap neither each other nor what they name.

A label tries places around its mark, the nearest first, then places further off that a hairline
ties to the mark; it takes the first that is free. Where none is free it shrinks to the rung's
number, which the table explains.

    place([Anchor(mark_box, ("few-shot(3)",), "3")], obstacles=[], bounds=Box(0, 0, 600, 300))
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

FONT = 13.0
"""Height of the letters' body, in the picture's units."""
LINE = 15.5


class Box(NamedTuple):
    """A rectangle; y grows downwards."""

    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other: Box) -> bool:
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )

    def inside(self, other: Box) -> bool:
        return (
            self.left >= other.left
            and self.right <= other.right
            and self.top >= other.top
            and self.bottom <= other.bottom
        )


@dataclass(frozen=True, slots=True)
class Anchor:
    """A mark that wants a label."""

    box: Box
    """The mark with its interval."""
    center: float
    """The height of the mark itself within its box."""
    lines: tuple[str, ...]
    short: str
    """What to write where the lines fit nowhere."""


@dataclass(frozen=True, slots=True)
class Label:
    lines: tuple[str, ...]
    x: float
    """Where the lines start, end or have their middle, as `align` says."""
    baselines: tuple[float, ...]
    align: Literal["start", "middle", "end"]
    box: Box
    leader: tuple[float, float, float, float] | None
    """A hairline from mark to label where they stand apart: x1, y1, x2, y2."""


def width(text: str) -> float:
    """About how wide a text is, rather too wide than too narrow: fonts differ."""
    return FONT * sum(_advance(character) for character in text)


def _advance(character: str) -> float:
    if unicodedata.combining(character):
        return 0.0
    if unicodedata.east_asian_width(character) in "WF":
        return 1.05
    return 0.36 if character in "iljft.,:;|!()[]' " else 0.9 if character in "mwMW@%" else 0.62


def place(anchors: Sequence[Anchor], obstacles: Sequence[Box], bounds: Box) -> list[Label]:
    """A label for every anchor, in their order; marks are obstacles of their own accord."""
    taken = [*obstacles, *(anchor.box for anchor in anchors)]
    labels: list[Label] = []
    for anchor in anchors:
        short = (anchor.short,)
        label = (
            _free(anchor, anchor.lines, taken, bounds)
            or _free(anchor, short, taken, bounds)
            # Marks in the same place: only a leader across the other one reaches them.
            or _free(anchor, anchor.lines, taken, bounds, may_cross=True)
            or _free(anchor, short, taken, bounds, may_cross=True)
            # Better on its mark than missing.
            or next(_places(anchor, short))
        )
        taken.append(label.box)
        labels.append(label)
    return labels


def _free(
    anchor: Anchor,
    lines: tuple[str, ...],
    taken: Sequence[Box],
    bounds: Box,
    may_cross: bool = False,
) -> Label | None:
    for label in _places(anchor, lines):
        clear = label.box.inside(bounds) and not any(label.box.overlaps(box) for box in taken)
        if clear and (may_cross or not _crosses(label, anchor, taken)):
            return label
    return None


def _crosses(label: Label, anchor: Anchor, taken: Sequence[Box]) -> bool:
    """Whether the label's leader runs through anything but its own mark."""
    if label.leader is None:
        return False
    x1, y1, x2, y2 = label.leader
    steps = [i / 16 for i in range(1, 16)]
    dots = [(x1 + (x2 - x1) * t, y1 + (y2 - y1) * t) for t in steps]
    return any(
        box != anchor.box and any(Box(x, y, x + 0.1, y + 0.1).overlaps(box) for x, y in dots)
        for box in taken
    )


def _places(anchor: Anchor, lines: tuple[str, ...]) -> Iterator[Label]:
    """Beside the mark, above and below it; then further up and down, with a leader."""
    box, gap, height = anchor.box, 6.0, LINE * len(lines)
    middle = (box.left + box.right) / 2
    beside = anchor.center - height / 2
    yield _label(anchor, lines, "start", box.right + gap, beside)
    yield _label(anchor, lines, "end", box.left - gap, beside)
    yield _label(anchor, lines, "middle", middle, box.top - height - 2)
    yield _label(anchor, lines, "middle", middle, box.bottom + 2)
    for step in range(1, 13):
        for away in (gap, 3 * gap, 6 * gap):
            for direction in (-1, 1):
                top = beside + direction * step * LINE * 0.75
                yield _label(anchor, lines, "start", box.right + away, top)
                yield _label(anchor, lines, "end", box.left - away, top)


def _label(
    anchor: Anchor,
    lines: tuple[str, ...],
    align: Literal["start", "middle", "end"],
    x: float,
    top: float,
) -> Label:
    wide = max(width(line) for line in lines)
    left = {"start": x, "middle": x - wide / 2, "end": x - wide}[align]
    box = Box(left - 2, top, left + wide + 2, top + LINE * len(lines))
    baselines = tuple(top + LINE * i + FONT * 0.9 for i in range(len(lines)))
    leader = None
    away = not box.top <= anchor.center <= box.bottom and align != "middle"
    if away:
        side = anchor.box.right if align == "start" else anchor.box.left
        end = box.left if align == "start" else box.right
        middle = (box.top + box.bottom) / 2
        leader = (side, anchor.center, end, middle)
    return Label(lines, x, baselines, align, box, leader)
