"""A loss in words, and a gain too, so that nobody has to read one as a loss below 0.

POINTS.said(27.0), POINTS.said(-3.0)    # "27.0 lost", "3.0 gained"
POINTS.span(-2.3, 6.7)                  # "2.3 gained to 6.7 lost"
POINTS.at_most(-36.3)                   # "at least 36.3 gained"
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil


@dataclass(frozen=True, slots=True)
class LossWords:
    """Writes losses of one kind; below 0 they are gains."""

    lost: str
    gained: str
    digits: int = 1

    def said(self, loss: float) -> str:
        """One loss."""
        word = self.gained if self._rounded(loss) < 0 else self.lost
        return f"{self._size(loss)} {word}"

    def span(self, low: float, high: float) -> str:
        """From the least loss to the greatest; gains from the least too."""
        if self._rounded(low) >= 0:
            return f"{self._size(low)} to {self.said(high)}"
        if self._rounded(high) <= 0:
            return f"{self._size(high)} to {self.said(low)}"
        return f"{self.said(low)} to {self.said(high)}"

    def at_most(self, bound: float) -> str:
        """An upper bound, rounded away from the claim."""
        step = 10**self.digits
        most = ceil(bound * step - 1e-9) / step
        return f"{'at least' if most < 0 else 'at most'} {self.said(most)}"

    def _rounded(self, loss: float) -> float:
        return round(loss, self.digits)

    def _size(self, loss: float) -> str:
        return f"{abs(self._rounded(loss)):,.{self.digits}f}"


POINTS = LossWords("lost", "gained")
"""Of a guard's score on the scale shown."""
BITS = LossWords("more", "fewer", digits=3)
"""Per byte of a text."""
