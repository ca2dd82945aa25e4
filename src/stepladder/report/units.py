"""Numbers as people read them; the page and the terminal share these, so they cannot differ.

    seconds(8_130)      # '2.26 h'
    size(1_288_490_188) # '1.20 GiB'
    count(295_000)      # '295 k'

Whatever is None, nan or infinite is unknown and becomes an en dash, never a number.
"""

from __future__ import annotations

import math
from typing import TypeGuard

DASH = "–"
"""What stands for an unknown value."""


def known(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value)


def points(value: float | None, times: float = 1.0) -> str:
    """A measured value on the scale it is shown on, with one decimal."""
    return f"{value * times:,.1f}" if known(value) else DASH


def limit(value: float | None, times: float = 1.0) -> str:
    """A number that the user gave, with the decimals that it has: rounded, a max_drop of 0.05 would
    be told as 0.1."""
    return f"{value * times:g}" if known(value) else DASH


def signed(value: float | None, times: float = 1.0) -> str:
    """A difference with its sign; a minus as wide as the plus."""
    return f"{value * times:+,.1f}".replace("-", "−") if known(value) else DASH


def interval(low: float | None, high: float | None, times: float = 1.0) -> str:
    """Both ends of an interval; the dash alone where either is unknown."""
    if not (known(low) and known(high)):
        return DASH
    return f"{points(low, times)} to {points(high, times)}".replace("-", "−")


def bounds(low: float | None, high: float | None, times: float = 1.0) -> str:
    """One-sided bounds, of which either may be unknown; rounded outwards as in the verdict's
    sentence, so that no more is said than was shown."""
    low = math.floor(low * times * 10 + 1e-9) / 10 if known(low) else None
    high = math.ceil(high * times * 10 - 1e-9) / 10 if known(high) else None
    if known(low) and known(high):
        return interval(low, high)
    return (
        f"at least {points(low)}"
        if known(low)
        else f"at most {points(high)}"
        if known(high)
        else DASH
    )


def part(value: float | None, times: float = 1.0) -> str:
    """A part of a measure, which may be a percentage, a ratio or a length."""
    return _three(value * times) if known(value) else DASH


def probability(value: float | None) -> str:
    """A p-value with three decimals; what would round to zero is named by its bound."""
    if not known(value):
        return DASH
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def share(value: float | None) -> str:
    """A share of one as a percentage."""
    return f"{value * 100:.1f} %" if known(value) else DASH


def seconds(value: float | None) -> str:
    """Seconds in the unit that keeps the number short: ms, s, min, h or days."""
    if not known(value):
        return DASH
    if value == 0:
        return "0 s"
    for limit, divisor, unit in ((0.1, 1e-3, "ms"), (60, 1, "s"), (3600, 60, "min")):
        if value < limit:
            return f"{_three(value / divisor)} {unit}"
    if value < 48 * 3600:
        return f"{_three(value / 3600)} h"
    return f"{_three(value / 86400)} days"


def size(value: float | None) -> str:
    """Bytes in binary units."""
    if not known(value):
        return DASH
    unit = "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if value < 1024:
            break
        value, unit = value / 1024, larger
    return f"{_three(value)} {unit}" if unit != "B" else f"{value:.0f} B"


def count(value: float | None) -> str:
    """How many: thousands as k, millions as M, (American) billions as B."""
    if not known(value):
        return DASH
    for divisor, unit in ((1e9, "B"), (1e6, "M"), (1e4, "k")):
        if value >= divisor:
            return f"{_three(value / (1e3 if unit == 'k' else divisor))} {unit}"
    return f"{value:,.0f}"


def mean(value: float | None) -> str:
    """A mean of counts, such as tokens a request."""
    if not known(value):
        return DASH
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def _three(value: float) -> str:
    """Three significant digits, at most two of them behind the point."""
    size_ = abs(value)
    return f"{value:,.0f}" if size_ >= 100 else f"{value:.1f}" if size_ >= 10 else f"{value:.2f}"


def legible(text: str) -> str:
    """Text that cannot steer a terminal or break a page: control characters and halves of
    surrogate pairs become U+FFFD; line ends and tabs stay."""
    return "".join("\ufffd" if _unprintable(c) else c for c in text.replace("\r\n", "\n"))


def _unprintable(character: str) -> bool:
    code = ord(character)
    return (code < 32 and character not in "\n\t") or 127 <= code < 160 or 0xD800 <= code < 0xE000
