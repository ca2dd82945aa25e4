"""The two axes of the ladder picture: where a value lies, and which round values to write.

scale = cost_scale([3_600.0, 90_000.0], start=40.0, end=600.0)
scale.at(3_600.0), [tick.text for tick in scale.ticks]
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

_SPREAD = 5.0
"""From this ratio of the dearest to the cheapest rung on, costs lie on a logarithmic scale."""
_X_GAP = 64.0
"""Least distance of two ticks on the axis of costs, in the picture's units."""
_Y_TICKS = 8


class Tick(NamedTuple):
    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Scale:
    """A straight or logarithmic map from values to the picture's units."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False
    ticks: tuple[Tick, ...] = ()

    def at(self, value: float) -> float:
        low, high = self._bend(self.low), self._bend(self.high)
        return self.start + (self._bend(value) - low) / (high - low) * (self.end - self.start)

    def _bend(self, value: float) -> float:
        return math.log(value) if self.logarithmic else value


def quality_scale(values: Sequence[float], start: float, end: float) -> Scale:
    """Holds all values with some air, within 0 to 100 where they all lie there."""
    low, high = min(values), max(values)
    air = max(0.08 * (high - low), 1.0)
    floor = 0.0 if low >= 0 else -math.inf
    ceiling = 100.0 if high <= 100 else math.inf
    low, high = max(low - air, floor), min(high + air, ceiling)
    scale = Scale(low, high, start, end)
    step = _round_step((high - low) / _Y_TICKS)
    digits = max(0, -math.floor(math.log10(step)))
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    ticks = tuple(
        Tick(scale.at(i * step), f"{i * step:.{digits}f}") for i in range(first, last + 1)
    )
    return Scale(low, high, start, end, ticks=ticks)


def cost_scale(seconds: Sequence[float], start: float, end: float) -> Scale:
    """Holds all totals; without any (every cost unknown) the axis is bare."""
    if not seconds:
        return Scale(0.0, 1.0, start, end)
    low, high = min(seconds), max(seconds)
    if low > 0 and high / low >= _SPREAD:
        scale = Scale(low / 1.3, high * 1.3, start, end, logarithmic=True)
        return _with_ticks(scale, [*_decades(), *_between()])
    scale = Scale(0.0, high * 1.08 or 1.0, start, end)
    unit = next((u for u in (86400.0 * 2, 3600.0, 60.0, 1.0) if high >= 2 * u), 1.0)
    unit = 86400.0 if unit > 3600 else unit
    step = _round_step(scale.high / unit / 5) * unit
    return _with_ticks(scale, (i * step for i in range(int(scale.high / step) + 1)))


def _with_ticks(scale: Scale, wanted: Iterable[float]) -> Scale:
    """As many of the wanted ticks as have room, the first ones first."""
    ticks: list[Tick] = []
    for value in wanted:
        if not scale.low <= value <= scale.high:
            continue
        at = scale.at(value)
        if all(abs(at - tick.at) >= _X_GAP for tick in ticks):
            ticks.append(Tick(at, _round_time(value)))
    ticks.sort()
    return Scale(scale.low, scale.high, scale.start, scale.end, scale.logarithmic, tuple(ticks))


def _decades() -> list[float]:
    """Round times ten or six apart: ..., 1 s, 10 s, 1 min, 10 min, 1 h, 10 h, 1 day, 10 days."""
    return [
        *(10.0**k for k in range(-4, 2)),
        *(60.0, 600.0, 3600.0, 36000.0, 86400.0),
        *(86400.0 * 10.0**k for k in range(1, 6)),
    ]


def _between() -> list[float]:
    return [decade * factor for factor in (3, 2, 5) for decade in _decades()]


def _round_time(seconds: float) -> str:
    for limit, divisor, unit in ((1.0, 1e-3, "ms"), (60.0, 1.0, "s"), (3600.0, 60.0, "min")):
        if seconds < limit:
            return f"{seconds / divisor:g} {unit}" if seconds else "0"
    if seconds < 86400:
        whole = seconds % 1800 < 1  # else "80 min" reads better than "1.33333 h"
        return f"{seconds / 3600:g} h" if whole else f"{seconds / 60:g} min"
    days = seconds / 86400
    return f"{days:,g} day" if days == 1 else f"{days:,.10g} days"


def _round_step(least: float) -> float:
    """The smallest of 1, 2, 5 times a power of ten that is not below `least`."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1.0, 2.0, 5.0, 10.0) if factor * power >= least)


STRIP = 160
"""Breadth of the field in a table's row on which a value, or a few, are drawn."""


def on_strip(value: float | None, low: float, high: float) -> float | None:
    """Where a value lies on it, `low` and `high` at its ends; None without a value."""
    if value is None:
        return None
    share = (value - low) / (high - low) if high > low else 0.5
    return round(5 + share * (STRIP - 10), 1)
