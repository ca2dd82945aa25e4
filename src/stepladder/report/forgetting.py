"""What a rung forgot, as text: for the column, the section of the page, and the terminal.

Guard tasks are shown on a scale of 0 to 100, held-out text in bits per byte. Whether a figure is a
loss or a gain is said beside it.

    look_at_guards(rung.forgetting).lines[0].change     # "27.0 lost"
"""

from __future__ import annotations

from dataclasses import dataclass

from stepladder.plurals import counted
from stepladder.report import units
from stepladder.study.forgetting import Forgetting, GuardDrop, TextRise
from stepladder.study.losses import BITS, POINTS, LossWords


@dataclass(frozen=True, slots=True)
class GuardLine:
    """A guard task, or held-out text."""

    name: str
    measure: str
    before: str
    after: str
    change: str
    interval: str
    """95 %, of the change."""
    bound: str
    """What the verdict rests on; a dash for text, of which it claims nothing."""
    allowed: str
    n: str

    @property
    def sentence(self) -> str:
        """The line in words."""
        parts = [f"{self.name} {self.measure} {self.before} before, {self.after} after"]
        if self.change != units.DASH:
            parts.append(self.change)
        if self.interval != units.DASH:
            parts.append(f"95 % interval {self.interval}")
        if self.bound != units.DASH:
            parts.append(self.bound)
        if self.allowed != units.DASH:
            parts.append(f"allowed {self.allowed}")
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class ForgettingView:
    """A rung's."""

    short: str
    """For the column: of the guard task that lost most; of the text, where there is no task."""
    refusal: str | None
    lines: tuple[GuardLine, ...]


def look_at_guards(forgetting: Forgetting) -> ForgettingView:
    """Its texts."""
    drops = [g.drop * g.times for g in forgetting.guards if g.drop is not None]
    text = forgetting.text
    short = units.DASH
    if drops:
        short = POINTS.said(max(drops))
    elif text is not None and not forgetting.guards:
        short = f"{change(text.rise, BITS)} bits"
    refusal = forgetting.refusal
    return ForgettingView(
        short=short,
        refusal=None if refusal is None else units.legible(refusal),
        lines=(*map(_guard, forgetting.guards), *([_text(text)] if text else [])),
    )


def change(loss: float | None, words: LossWords = POINTS, times: float = 1.0) -> str:
    """A loss or a gain."""
    return words.said(loss * times) if units.known(loss) else units.DASH


def change_between(
    low: float | None, high: float | None, words: LossWords = POINTS, times: float = 1.0
) -> str:
    """Both ends of a loss; the dash alone where either is unknown."""
    if not (units.known(low) and units.known(high)):
        return units.DASH
    return words.span(low * times, high * times)


def change_at_most(most: float | None, times: float = 1.0) -> str:
    """The bound on a loss."""
    return POINTS.at_most(most * times) if units.known(most) else units.DASH


def _guard(guard: GuardDrop) -> GuardLine:
    return GuardLine(
        name=units.legible(guard.guard),
        measure=guard.metric,
        before=units.points(guard.before, guard.times),
        after=units.points(guard.after, guard.times),
        change=change(guard.drop, times=guard.times),
        interval=change_between(guard.low, guard.high, times=guard.times),
        bound=change_at_most(guard.most, guard.times),
        allowed=units.limit(guard.max_drop, guard.times),
        n=f"{guard.n:,}",
    )


def _text(text: TextRise) -> GuardLine:
    return GuardLine(
        name=units.legible(text.name),
        measure="bits per byte",
        before=f"{text.before:.3f}",
        after=f"{text.after:.3f}",
        change=change(text.rise, BITS),
        interval=change_between(text.low, text.high, BITS),
        bound=units.DASH,
        allowed=units.DASH,
        n=counted(text.pieces, "piece"),
    )
