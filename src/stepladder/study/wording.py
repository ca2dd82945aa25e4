"""Numbers of a verdict as people read them: times 100, bounds rounded away from the claim.

Wording(metric, line=0.8).at_least(0.8127)   # "at least 81.2"
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor
from typing import TypeAlias

from stepladder.contracts import Metric
from stepladder.plurals import counted

_MOST_DIGITS = 4

Ends: TypeAlias = tuple[float | None, float | None]
"""Of an interval; None where it is unknown."""


def interval_of(low: float | None, high: float | None) -> str:
    """The interval behind a value in a sentence; nothing where it is unknown.

    >>> interval_of(7.21, 23.2), interval_of(None, None)
    (' (95 % interval 7.2 to 23.2)', '')
    """
    return "" if low is None or high is None else f" (95 % interval {low:.1f} to {high:.1f})"


def overlap(one: Ends, other: Ends) -> bool:
    """Whether two intervals have a value in common; they may have where an end is unknown."""
    (low, high), (least, most) = one, other
    if low is None or high is None or least is None or most is None:
        return True
    return low <= most and least <= high


class Wording:
    """Writes scores of one metric; bounds come in turned, so that more is better."""

    def __init__(self, metric: Metric, line: float) -> None:
        """`line` is the target or margin: as many decimals are shown as it has, one at least."""
        self._metric = metric
        self._higher = metric.better == "higher"
        shown = line * metric.times
        digits = range(1, _MOST_DIGITS)
        self._digits = next((d for d in digits if abs(round(shown, d) - shown) < 1e-9), 4)

    def score(self, turned: float) -> str:
        """A score, rounded."""
        return self._fixed(self._own(turned))

    def named(self, target: float) -> str:
        """The metric and a target on its own scale: `rougeL 80.0`."""
        return f"{self._metric.name} {self._fixed(target * self._metric.times)}"

    def points(self, difference: float) -> str:
        """A difference: `1.0 points`."""
        return f"{self._fixed(difference * self._metric.times)} points"

    def at_least(self, lower: float) -> str:
        """A bound from the bad side, which is `at most` where lower is better."""
        return f"at least {self._down(lower)}" if self._higher else f"at most {self._up(lower)}"

    def at_most(self, upper: float) -> str:
        """A bound from the good side."""
        return f"at most {self._up(upper)}" if self._higher else f"at least {self._down(upper)}"

    def lead(self, most: float) -> str:
        """How much better a rival is at most: `at most 0.4 points better`."""
        shown = most * self._metric.times
        step = 10**self._digits
        if shown > 0:
            return f"at most {self._fixed(ceil(shown * step - 1e-9) / step)} points better"
        return f"worse by at least {self._fixed(floor(-shown * step + 1e-9) / step)} points"

    def _own(self, turned: float) -> float:
        return (turned if self._higher else -turned) * self._metric.times

    def _down(self, turned: float) -> str:
        step = 10**self._digits
        return self._fixed(floor(self._own(turned) * step + 1e-9) / step)

    def _up(self, turned: float) -> str:
        step = 10**self._digits
        return self._fixed(ceil(self._own(turned) * step - 1e-9) / step)

    def _fixed(self, shown: float) -> str:
        return f"{shown:.{self._digits}f}"


def about(more: int | None) -> str:
    """The prospect of an undecided study."""
    if more is None:
        return "How many more examples would settle it cannot be said."
    return f"About {counted(more, 'more example')} would settle it."


def listed(names: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
