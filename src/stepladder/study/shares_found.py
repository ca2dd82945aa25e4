"""What a search for the smallest share of replay found, and the verdict that follows.

found.verdict.sentence
found.share(0.1).loss("phrasebook")     # mean, lowest and highest over the seeds
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from statistics import fmean
from typing import Literal, NamedTuple

from stepladder.records import Json
from stepladder.study.forgetting import GuardDrop, TextRise
from stepladder.study.losses import POINTS
from stepladder.study.wording import listed

Standing = Literal["within", "beyond", "open", "not tried"]
"""Shown to stay within all limits in all seeds; shown to exceed one in a seed; neither."""
Kind = Literal["not-needed", "found", "none", "undecided"]


class Spread(NamedTuple):
    """A value over the seeds."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Build:
    """One training of one share."""

    seed: int
    value: float | None
    """Of the task, on the scale shown (0 to 100)."""
    guards: tuple[GuardDrop, ...] = ()
    """On the guards' own scales, with the bounds of the search."""
    beyond: tuple[str, ...] = ()
    """Guards on which the drop is shown to exceed what is allowed."""
    text: TextRise | None = None
    error: str | None = None
    """Why it could not be built."""


@dataclass(frozen=True, slots=True)
class Share:
    """One share of replay."""

    share: float
    rung: str
    builds: tuple[Build, ...]
    """One a seed; fewer where they were not tried."""
    standing: Standing

    @property
    def value(self) -> Spread | None:
        """Of the task; None where a seed has none."""
        return _spread([build.value for build in self.builds])

    def loss(self, guard: str) -> Spread | None:
        """How much worse a guard became, on the scale shown; None where a seed does not know."""
        drops = [drop for build in self.builds for drop in build.guards if drop.guard == guard]
        known = [None if drop.drop is None else drop.drop * drop.times for drop in drops]
        return _spread(known) if len(drops) == len(self.builds) else None

    def most(self, guard: str) -> float | None:
        """The highest bound over the seeds on the loss; None where one is not bounded."""
        drops = [drop for build in self.builds for drop in build.guards if drop.guard == guard]
        known = [drop.most * drop.times for drop in drops if drop.most is not None]
        return max(known) if known and len(known) == len(self.builds) else None


def _spread(values: Sequence[float | None]) -> Spread | None:
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return None
    return Spread(fmean(known), min(known), max(known))


@dataclass(frozen=True, slots=True)
class SharesVerdict:
    """Which share to take."""

    kind: Kind
    share: float | None
    """The smallest that is shown to stay within its limits; None: none is."""
    sentence: str


@dataclass(frozen=True, slots=True)
class SharesFound:
    """What `stepladder replay` shows."""

    task: str
    model: str
    """As the user named it, a folder with its path."""
    method: str
    deciding: str
    better: Literal["higher", "lower"]
    items: int
    seeds: int
    base: float | None
    """The task's value zero-shot, before any training, on the scale shown."""
    shares: tuple[Share, ...]
    """All that were listed, the smallest first."""

    @property
    def tried(self) -> tuple[Share, ...]:
        return tuple(share for share in self.shares if share.standing != "not tried")

    @property
    def guards(self) -> tuple[GuardDrop, ...]:
        """Those of the first build that has them: what they are, whatever became of them."""
        builds = (build.guards for share in self.shares for build in share.builds)
        return next((guards for guards in builds if guards), ())

    def share(self, share: float) -> Share:
        return next(each for each in self.shares if each.share == share)

    @property
    def verdict(self) -> SharesVerdict:
        return _verdict(self)

    def pareto(self, guard: str) -> tuple[float, ...]:
        """Shares than which no other is at least as good at the task and lost no more of a guard,
        and is better at one of the two, of several alike the smallest; by loss, the least first."""
        sign = 1.0 if self.better == "higher" else -1.0
        known = [
            (loss.mean, -sign * value.mean, share.share)
            for share in self.shares
            if (loss := share.loss(guard)) is not None and (value := share.value) is not None
        ]
        kept: list[tuple[float, float, float]] = []
        for point in sorted(known):
            if not kept or point[1] < kept[-1][1]:
                kept.append(point)
        return tuple(share for *_, share in kept)

    def as_json(self) -> Json:
        return {**asdict(self), "verdict": asdict(self.verdict)}


def _verdict(found: SharesFound) -> SharesVerdict:
    within = next((share for share in found.shares if share.standing == "within"), None)
    smaller = [s for s in found.shares if within is None or s.share < within.share]
    open_ = [share for share in smaller if share.standing in ("open", "not tried")]
    limits = _limits(found)
    if within is None:
        if not open_:
            said = f"None of the shares listed keeps {found.method} within {limits}"
            return SharesVerdict("none", None, f"{said}: {_exceeded(found.shares[-1])}.")
        said = f"Undecided: no share is shown to keep {found.method} within {limits}"
        return SharesVerdict("undecided", None, f"{said}; {_untold(open_[-1])}.")
    stays = f"stays within {limits}{_in_all(found)}"
    if open_:
        said = f"Undecided: {within.rung} {stays}, and a smaller share may do"
        return SharesVerdict("undecided", within.share, f"{said}; {_untold(open_[-1])}.")
    if within.share == 0:
        said = f"No replay is needed: {within.rung} {stays}{_at_most(within)}."
        return SharesVerdict("not-needed", 0.0, said)
    if not smaller:
        said = f"{within.rung} {stays}{_at_most(within)}; no smaller share is listed."
        return SharesVerdict("found", within.share, said)
    said = f"{within.rung} is the smallest share listed that {stays}{_at_most(within)}"
    return SharesVerdict("found", within.share, f"{said}; {_exceeded(smaller[-1])}.")


def _limits(found: SharesFound) -> str:
    """What is allowed, in words: guards of one limit together."""
    by_limit: dict[str, list[str]] = {}
    for guard in found.guards:
        if guard.max_drop is not None:
            by_limit.setdefault(f"{guard.max_drop * guard.times:g}", []).append(guard.guard)
    said = (f"{limit} points on {listed(names)}" for limit, names in by_limit.items())
    return " and ".join(said) or "its limits"


def _in_all(found: SharesFound) -> str:
    return f" in all {found.seeds} seeds" if found.seeds > 1 else ""


def _at_most(share: Share) -> str:
    """The bounds that it rests on."""
    limited = [g.guard for g in share.builds[0].guards if g.max_drop is not None]
    bounds = [(name, share.most(name)) for name in limited]
    said = [
        f"{POINTS.at_most(most)} on {name}"
        for name, most in bounds
        if most is not None and isfinite(most)
    ]
    return f" ({listed(said)})" if said else ""


def _exceeded(share: Share) -> str:
    """How a share is shown to exceed its limits: the guard that lost most beyond its own. Of one
    that is owed answers the loss is not known, and it is named alone."""
    falls = [
        (drop.drop * drop.times, drop, build.seed)
        for build in share.builds
        for drop in build.guards
        if drop.guard in build.beyond and drop.drop is not None
    ]
    if not falls:
        beyond = dict.fromkeys(guard for build in share.builds for guard in build.beyond)
        return f"replay={share.share:g} does not, on {listed(list(beyond))}"
    loss, drop, seed = max(falls, key=lambda fall: fall[0])
    at = f" in seed {seed}" if len(share.builds) > 1 else ""
    before, after = ((v or 0.0) * drop.times for v in (drop.before, drop.after))
    return (
        f"replay={share.share:g} does not: {drop.guard} falls by {loss:.1f} points{at} "
        f"({before:.1f} before, {after:.1f} after)"
    )


def _untold(share: Share) -> str:
    """Why of a share neither can be said."""
    named = f"replay={share.share:g}"
    if share.standing == "not tried":
        return f"{named} was not tried"
    for build in share.builds:
        if build.error is not None:
            return f"{named} could not be built in seed {build.seed}: {build.error}"
        for drop in build.guards:
            if drop.refusal is not None:
                return f"of {named} it cannot be told: in seed {build.seed}, {_reason(drop)}"
    return f"{named} was not tried in all seeds"


def _reason(drop: GuardDrop) -> str | None:
    """Why a guard that does not pass is not shown to fail either."""
    if drop.drop is None or drop.max_drop is None or drop.drop <= drop.max_drop:
        return drop.refusal
    return (
        f"{drop.guard} falls by {drop.drop * drop.times:.1f} points, and that this is more than "
        f"{drop.max_drop * drop.times:g} is not shown"
    )
