"""The race: which rung is asked next, and which is asked no more.

After every shard the bounds of the verdict decide. What a rung is asked depends on the answers
alone, never on the clock, so a race that was killed and begins anew in front of the same answers
takes the same turns.

With a target the ladder is climbed lazily, in the order of predicted cost: a rung is asked until
it is shown to reach the target, which ends the race, or to miss it, or until it has no items left;
only then is the next one built and asked. Without a target every rung has to be compared with every
other, so all are built, and asked in turn; who is shown to be worse than another by more than the
margin leaves, and the race ends with the cheapest rung that is shown to be within the margin of all
others, once the cheaper ones are shown to be behind it. Either way, the rungs that need no building
answer a first small shard at the start.

    race = Race(runners, rules, course)
    race.run(advance, on_departure=print)
    race.departures, race.measured
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from stepladder.contracts import Metric
from stepladder.statistics import margin_level, target_level
from stepladder.study.evidence import Evidence, Extent, Measured
from stepladder.study.summary import Departure, DepartureKind
from stepladder.study.wording import Wording


class Runner(NamedTuple):
    """A rung, as the race sees it."""

    name: str
    engine: str
    """Rungs of one engine are asked one after the other, since changing engines takes time."""
    builds: bool
    """Whether it has to be trained, or its sampling chosen, before its first answer."""
    free: bool
    """A file of outputs: all answers are there. Its cost being unknown, it ends no race."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What decides."""

    metric: Metric
    target: float | None
    """On the metric's own scale; None: the margin decides."""
    margin: float
    family: int
    """Rungs listed before the first answer."""
    alpha: float
    go_on: bool = False
    """Ask everything."""


class Course(NamedTuple):
    """The items and their portions."""

    extent: Extent
    ends: Sequence[int]
    """After how many items each shard ends."""


Advance = Callable[[str, int], Measured | None]
"""Asks a rung so many of the first items, and gives what it answered so far, all items where the
machine failed and owes the rest; builds it if need be. None for a rung that cannot be built."""


class Race:
    """One race; `run` may be called once."""

    def __init__(self, runners: Sequence[Runner], rules: Rules, course: Course) -> None:
        """`runners` come in the order of predicted cost, the cheapest first."""
        self.departures: dict[str, Departure] = {}
        """By rung, in the order of leaving."""
        self.measured: dict[str, Measured] = {}
        """By rung, those that have answered anything."""
        self._runners = runners
        self._rules = rules
        self._course = course
        self._failed: set[str] = set()
        self._open: str | None = None
        line = rules.margin if rules.target is None else rules.target
        self._wording = Wording(rules.metric, line)
        self._level = (margin_level if rules.target is None else target_level)(
            rules.family, rules.alpha
        )

    def run(self, advance: Advance, on_departure: Callable[[Departure], None]) -> None:
        """To the end. Whatever `advance` raises stops the race."""
        self._advance_by = advance
        self._tell = on_departure
        for runner in self._visiting([r for r in self._runners if not r.builds]):
            self._advance(runner, self._course.ends[0])
        if self._rules.go_on or (self._rules.target is None and self._rules.family == 1):
            for runner in self._visiting(self._runners):
                self._advance(runner, self._course.extent.items)
        elif self._rules.target is not None:
            self._climb_lazily(self._rules.target)
        else:
            self._ask_in_turn()

    # -- asking

    def _advance(self, runner: Runner, until: int) -> Measured | None:
        """What the rung has answered of the first `until` items; None where it cannot be built."""
        if runner.name in self._failed:
            return None
        known = self.measured.get(runner.name)
        if known is not None and len(known.statistics) >= until:
            return known
        self._open = runner.engine
        found = self._advance_by(runner.name, self._course.extent.items if runner.free else until)
        if found is None:
            self._failed.add(runner.name)
        else:
            self.measured[runner.name] = found
        return found

    def _visiting(self, runners: Sequence[Runner]) -> list[Runner]:
        """Engine by engine, beginning with the one that is open."""
        engines = list(dict.fromkeys(runner.engine for runner in runners))
        return sorted(runners, key=lambda r: (r.engine != self._open, engines.index(r.engine)))

    def _items(self, name: str) -> int:
        return len(self.measured[name].statistics) if name in self.measured else 0

    def _leave(self, name: str, kind: DepartureKind, evidence: str) -> None:
        departure = Departure(name, kind, self._items(name), evidence)
        self.departures[name] = departure
        self._tell(departure)

    def _settled(self, by: str, why: str) -> None:
        """The race is over for whoever has items left."""
        for runner in self._runners:
            name = runner.name
            if name in self.departures or name in self._failed or name == by:
                continue
            if name not in self.measured:
                self._leave(name, "left out", why)
            elif self._items(name) < self._course.extent.items:
                self._leave(name, "over", why)

    # -- with a target

    def _climb_lazily(self, target: float) -> None:
        for runner in self._runners:
            if not runner.free and self._reaches(runner, target):
                why = f"{runner.name}, predicted to cost less, reaches the target"
                self._settled(runner.name, why)
                return
        self._return_to_the_hopeless(target)

    def _reaches(self, runner: Runner, target: float, *, patient: bool = False) -> bool:
        """Asks on until it is known whether this rung reaches the target; False where it is shown
        to miss it, cannot be built, or stays open. `patient` goes on where reaching is hopeless.
        """
        for end in self._course.ends:
            found = self._advance(runner, end)
            if found is None or self._refused(found):
                return False
            kind = self._standing(found, target)
            if kind is not None and not (kind == "hopeless" and patient):
                self._leave(runner.name, kind, self._about_target(found, target, kind))
                return kind == "won"
        return False

    def _refused(self, rung: Measured) -> bool:
        """Whether it may not be the answer; then it leaves, whatever it would reach."""
        if rung.refused is not None and rung.name not in self.departures:
            self._leave(rung.name, "refused", rung.refused)
        return rung.refused is not None

    def _standing(self, rung: Measured, target: float) -> DepartureKind | None:
        evidence = Evidence(self._rules.metric, [rung], self._course.extent)
        line = evidence.sign * target
        if evidence.bound(rung.worst, level=self._level, side="lower") >= line:
            return "won"
        if evidence.bound(rung.best, level=self._level, side="upper") < line:
            return "missed"
        unfinished = len(rung.statistics) < self._course.extent.items
        return "hopeless" if unfinished and evidence.highest(rung.best) < line else None

    def _about_target(self, rung: Measured, target: float, kind: DepartureKind) -> str:
        evidence = Evidence(self._rules.metric, [rung], self._course.extent)
        named = self._wording.named(target)
        if kind == "hopeless":
            top = self._wording.score(evidence.highest(rung.best))
            return (
                f"with every remaining answer right it would come to {top}, short of {named}: "
                "finishing its items cannot make it the answer"
            )
        if kind == "won":
            lower = evidence.bound(rung.worst, level=self._level, side="lower")
            return f"{self._wording.at_least(lower)}: it reaches {named}"
        upper = evidence.bound(rung.best, level=self._level, side="upper")
        return f"{self._wording.at_most(upper)}: it misses {named}"

    def _return_to_the_hopeless(self, target: float) -> None:
        """Where all others are shown to miss the target, the rungs that were left because they
        could not reach it are asked on: that no rung reaches it is a claim worth having."""
        kinds = {
            name: self._standing(rung, target)
            for name, rung in self.measured.items()
            if rung.refused is None
        }
        if "hopeless" not in kinds.values() or set(kinds.values()) - {"hopeless", "missed"}:
            return
        for runner in self._runners:
            if kinds.get(runner.name) == "hopeless":
                self.departures.pop(runner.name, None)
                self._reaches(runner, target, patient=True)
                if runner.name not in self.departures:
                    return  # it stays open, and so does the study

    # -- without

    def _ask_in_turn(self) -> None:
        for end in self._course.ends:
            live = self._live()
            for runner in self._visiting(live):
                self._advance(runner, end)
            asked = [self.measured[r.name] for r in live if r.name in self.measured]
            measured = [rung for rung in asked if not self._refused(rung)]
            if len(measured) > 1:  # whoever is alone for want of others is asked to the end
                evidence = Evidence(self._rules.metric, measured, self._course.extent)
                self._drop_the_worse(evidence, measured)
                if self._over(evidence):
                    return

    def _live(self) -> list[Runner]:
        gone = self._failed | self.departures.keys()
        return [runner for runner in self._runners if runner.name not in gone]

    def _drop_the_worse(self, evidence: Evidence, live: Sequence[Measured]) -> None:
        worse = []
        for rung in live:
            leads = {
                other.name: evidence.lead_bound(rung.best, other.worst, level=self._level)
                for other in live
                if other is not rung
            }
            better = min(leads, key=leads.__getitem__)
            if leads[better] < -self._rules.margin:
                worse.append((rung.name, better, leads[better]))
        for name, better, lead in worse:
            items = min(self._items(name), self._items(better))
            self._leave(
                name, "worse", f"{self._wording.lead(lead)} than {better} on {items:,} common items"
            )

    def _over(self, evidence: Evidence) -> bool:
        """Whether the cheapest rung that can still be the answer is shown to be the answer."""
        live = {r.name: self.measured[r.name] for r in self._live() if r.name in self.measured}
        cheaper: list[Measured] = []
        for name in self._by_preference():
            rung, others = live[name], [other for n, other in live.items() if n != name]
            leads = [evidence.lead_bound(o.best, rung.worst, level=self._level) for o in others]
            if all(lead < self._rules.margin for lead in leads):
                if not all(self._behind(evidence, one, rung) for one in cheaper):
                    return False
                points = self._wording.points(self._rules.margin)
                self._leave(name, "won", f"within {points} of every other")
                self._settled(name, f"{name} is shown to be within {points} of every other")
                return True
            if all(evidence.lowest_lead(o.worst, rung.best) < self._rules.margin for o in others):
                cheaper.append(rung)  # it may yet be within the margin of every other
        return not live

    def _behind(self, evidence: Evidence, one: Measured, other: Measured) -> bool:
        """Whether `one` is shown to be worse, and seen to be so by more than the margin. That it is
        worse by so much need not be shown: this only ends the asking, and claims nothing."""
        both = min(len(one.best), len(other.worst))
        seen = evidence.value(other.worst[:both]) - evidence.value(one.best[:both])
        shown = evidence.lead_bound(one.best, other.worst, level=self._level) < 0
        return shown and seen > self._rules.margin

    def _by_preference(self) -> Iterator[str]:
        live = self._live()
        yield from (r.name for r in live if not r.free and r.name in self.measured)
        yield from (r.name for r in live if r.free and r.name in self.measured)
