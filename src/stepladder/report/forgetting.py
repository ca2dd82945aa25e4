"""What a rung forgot, as text: for the column, the section of the page, and the terminal.

Guard tasks are shown on a scale of 0 to 100, held-out text in bits per byte. Either way a figure
says by how much the trained checkpoint is worse; below 0 it is better.
"""

from __future__ import annotations

from dataclasses import dataclass

from stepladder.report import units
from stepladder.study.forgetting import Forgetting, GuardDrop, TextRise


@dataclass(frozen=True, slots=True)
class GuardLine:
    """A guard task, or held-out text."""

    name: str
    measure: str
    before: str
    after: str
    worse: str
    interval: str
    """95 %, of by how much it is worse."""
    most: str
    """The bound that the verdict rests on; a dash for text, of which it claims nothing."""
    allowed: str
    n: str

    @property
    def sentence(self) -> str:
        """The line in words."""
        parts = [f"{self.name} {self.measure} {self.before} before, {self.after} after"]
        if self.worse != units.DASH:
            parts.append(f"worse by {self.worse}")
        if self.interval != units.DASH:
            parts.append(f"95 % interval {self.interval}")
        if self.most != units.DASH:
            parts.append(f"by {self.most} at most")
        if self.allowed != units.DASH:
            parts.append(f"allowed {self.allowed}")
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class ForgettingView:
    """A rung's."""

    short: str
    """For the column: by how much the guard task that lost most is worse; the text, where there
    is no task."""
    refusal: str | None
    lines: tuple[GuardLine, ...]


def look_at_guards(forgetting: Forgetting) -> ForgettingView:
    """Its texts."""
    drops = [g.drop * g.times for g in forgetting.guards if g.drop is not None]
    text = forgetting.text
    short = units.DASH
    if drops:
        short = units.signed(-max(drops))
    elif text is not None and not forgetting.guards:
        short = f"{_bits(text.rise)} bits"
    refusal = forgetting.refusal
    return ForgettingView(
        short=short,
        refusal=None if refusal is None else units.legible(refusal),
        lines=(*map(_guard, forgetting.guards), *([_text(text)] if text else [])),
    )


def _guard(guard: GuardDrop) -> GuardLine:
    most = None if guard.most is None else guard.most * guard.times
    return GuardLine(
        name=units.legible(guard.guard),
        measure=guard.metric,
        before=units.points(guard.before, guard.times),
        after=units.points(guard.after, guard.times),
        worse=units.points(guard.drop, guard.times).replace("-", "−"),
        interval=units.interval(guard.low, guard.high, guard.times),
        most=units.bounds(None, most).removeprefix("at most "),
        allowed=units.points(guard.max_drop, guard.times),
        n=f"{guard.n:,}",
    )


def _text(text: TextRise) -> GuardLine:
    ends = text.low, text.high
    known = all(units.known(end) for end in ends)
    return GuardLine(
        name=units.legible(text.name),
        measure="bits per byte",
        before=f"{text.before:.3f}",
        after=f"{text.after:.3f}",
        worse=_bits(text.rise).removeprefix("+"),
        interval=" to ".join(_bits(end).removeprefix("+") for end in ends) if known else units.DASH,
        most=units.DASH,
        allowed=units.DASH,
        n=f"{text.pieces:,} pieces",
    )


def _bits(value: float | None) -> str:
    return units.DASH if value is None else f"{value:+.3f}".replace("-", "−")
