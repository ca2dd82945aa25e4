"""What a training made a model forget, as the summary keeps it."""

from __future__ import annotations

from dataclasses import dataclass

from stepladder.records import Json


@dataclass(frozen=True, slots=True)
class GuardDrop:
    """A guard task before and after a training, on its own metric's scale; None where answers are
    missing, or where it cannot be said."""

    guard: str
    metric: str
    before: float | None
    """Of the base."""
    after: float | None
    """Of the trained checkpoint."""
    drop: float | None
    """How much worse it became, whichever way the metric points; below 0 it became better."""
    low: float | None
    """95 % interval of the drop, paired over the items."""
    high: float | None
    most: float | None
    """The bound of the verdict: the drop is at most this."""
    max_drop: float | None
    n: int
    missing: int
    """Answers that the machine owes, of either checkpoint."""
    times: float = 100.0
    refusal: str | None = None
    """Why the drop is not shown to stay within `max_drop`; None where it is, or none is asked."""


@dataclass(frozen=True, slots=True)
class TextRise:
    """Held-out text before and after a training, in bits per byte, the end of a piece included."""

    name: str
    before: float
    after: float
    low: float | None
    """95 % interval of `after - before`, paired over the pieces."""
    high: float | None
    pieces: int
    bytes: int

    @property
    def rise(self) -> float:
        """So many bits per byte more."""
        return self.after - self.before


@dataclass(frozen=True, slots=True)
class Forgetting:
    """What a training did to everything else."""

    guards: tuple[GuardDrop, ...] = ()
    text: TextRise | None = None

    @property
    def refusal(self) -> str | None:
        """Why the rung may not be taken, in words; None where nothing speaks against it."""
        reasons = [guard.refusal for guard in self.guards if guard.refusal]
        return "; ".join(reasons) or None


def forgetting_from_json(data: Json) -> Forgetting:
    """The inverse of `asdict`."""
    text = data["text"]
    guards = tuple(GuardDrop(**row) for row in data["guards"])
    return Forgetting(guards, TextRise(**text) if text else None)
