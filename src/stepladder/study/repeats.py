"""Repeats, after the verdict, the rungs that it hangs on: the same items, further seeds.

    repeats = Repeats(plan, grader, open_climber)
    spread = repeats.of(graded, departures, verdict)
    spread.warnings      # where another build might have decided otherwise

Repeated are the winner, whoever no bound had put out when the race ended, and the closest rival
even if one had. A repeat is a rung of its own in the study's log, named by its seed, so it is
built, asked and kept as all rungs are: again it asks nothing, and killed it goes on. Guards are not
asked again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from stepladder.methods import Rung
from stepladder.plurals import counted
from stepladder.study.climb import Climbed, Climber
from stepladder.study.contest import margin_of
from stepladder.study.draws import draws, seeds_of
from stepladder.study.evidence import Measured
from stepladder.study.grade import Graded, Grader
from stepladder.study.plan import Plan
from stepladder.study.spread import RungSpread, Spread
from stepladder.study.summary import Departure, DepartureKind, Verdict
from stepladder.study.wording import Wording, listed

OpenClimber = Callable[[Plan], Climber]

_SHOWN_OUT: frozenset[DepartureKind] = frozenset({"missed", "worse", "hopeless"})


class _Repeated(NamedTuple):
    """One rung with its builds, the first that of the study."""

    graded: Graded
    builds: Sequence[Climbed]
    measured: Sequence[Measured | None]
    """None where a build failed or is owed answers."""


class Repeats:
    """Of one study; `asked` and `trainings` count what was really done."""

    def __init__(self, plan: Plan, grader: Grader, open_climber: OpenClimber) -> None:
        """`open_climber` is given a plan that differs in its task's seed alone."""
        self._plan = plan
        self._grader = grader
        self._open = open_climber
        self.asked = 0
        self.trainings = 0

    def of(
        self, graded: Sequence[Graded], departures: Sequence[Departure], verdict: Verdict
    ) -> Spread:
        """Builds and asks; what the machine owes is told and left for the next climb."""
        measured = [g for g in graded if g.measured is not None]
        drawn = [g for g in measured if draws(g.climbed.planned, self._plan.task)]
        left = {departure.rung: departure.kind for departure in departures}
        names = chosen(
            self._grader,
            [g.measured for g in drawn if g.measured is not None],
            left,
            next((g.measured for g in measured if _name(g) == verdict.rung), None),
            with_target=self._plan.task.target is not None,
        )
        wanted = [g for g in drawn if _name(g) in names]
        found = self._repeat(wanted)
        return Spread(
            seeds=seeds_of(self._plan.task),
            rungs=tuple(self._spread(one) for one in found),
            sentences=tuple(_sentences(self._plan, measured, drawn, found)),
            warnings=tuple(_Warnings(self._plan, self._grader, measured, found, verdict).lines()),
            trainings=_trainings(found),
            requests=_requests(found),
            seconds=_seconds(found),
        )

    def _repeat(self, wanted: Sequence[Graded]) -> list[_Repeated]:
        """Seed by seed, and what needs no building first, since it shares an engine."""
        task = self._plan.task
        order = sorted(wanted, key=lambda g: _rung(g).learns)
        builds = {_name(g): [g.climbed] for g in wanted}
        for seed in seeds_of(task)[1:] if wanted else ():
            climber = self._open(replace(self._plan, task=replace(task, seed=seed)))
            try:
                for g in order:
                    builds[_name(g)].append(self._build(climber, g, seed))
            finally:
                climber.close()
                self.asked += climber.asked
                self.trainings += climber.bench.trainings
        return [self._measured(g, builds[_name(g)]) for g in wanted]

    def _build(self, climber: Climber, graded: Graded, seed: int) -> Climbed:
        planned = graded.climbed.planned
        climbed = climber.enter(replace(planned, name=f"{planned.name} (seed {seed})"))
        if climbed.error is not None:
            return climbed
        climbed = climber.ask(climbed, [item.query for item in graded.items])
        kept = {i.id: g for i in graded.items if (g := climbed.generations.get(i.id)) is not None}
        return replace(climbed, generations=kept)

    def _measured(self, graded: Graded, builds: Sequence[Climbed]) -> _Repeated:
        items = graded.items
        whole = [b.error is None and all(i.id in b.generations for i in items) for b in builds]
        measured = [
            self._grader.measure(build, len(items)) if there else None
            for build, there in zip(builds, whole, strict=True)
        ]
        return _Repeated(graded, builds, measured)

    def _spread(self, one: _Repeated) -> RungSpread:
        metric = self._grader.deciding
        values = [None if m is None else metric.aggregate(m.statistics) for m in one.measured]
        return RungSpread.of(_name(one.graded), len(one.graded.items), values)


def chosen(
    grader: Grader,
    drawn: Sequence[Measured],
    left: Mapping[str, DepartureKind],
    winner: Measured | None,
    *,
    with_target: bool,
) -> set[str]:
    """The rungs that the verdict hangs on, of those that draw something: the winner, those that no
    bound had put out when the race ended, and the closest rival even if one had."""
    free = [rung for rung in drawn if rung.refused is None]
    if with_target:  # then `over` is who costs more than the winner: no rival of its
        free = [rung for rung in free if left.get(rung.name) != "over"]
    rivals = [rung for rung in free if winner is None or rung.name != winner.name]
    names = {rung.name for rung in free if left.get(rung.name) not in _SHOWN_OUT}
    names |= {rung.name for rung in drawn if winner is not None and rung.name == winner.name}
    if with_target:
        rivals.sort(key=lambda rung: -_value(grader, rung))
    elif winner is not None:
        rivals.sort(key=lambda rung: -_lead(grader, rung, winner))
    else:  # all that may come to win are in it still
        rivals = []
    return names | {rung.name for rung in rivals[:1]}


def _value(grader: Grader, measured: Measured, items: int | None = None) -> float:
    """Turned, so that more is better."""
    metric = grader.deciding
    value = metric.aggregate(measured.statistics[:items])
    assert value is not None
    return value if metric.better == "higher" else -value


def _lead(grader: Grader, one: Measured, other: Measured) -> float:
    """By how much `one` is better over the items that both have answered."""
    both = min(len(one.statistics), len(other.statistics))
    return _value(grader, one, both) - _value(grader, other, both)


class _Warnings:
    """Where builds lie further apart than what decided."""

    def __init__(
        self,
        plan: Plan,
        grader: Grader,
        graded: Sequence[Graded],
        found: Sequence[_Repeated],
        verdict: Verdict,
    ) -> None:
        self._plan = plan
        self._grader = grader
        self._verdict = verdict
        count = plan.task.seeds
        self._builds: dict[str, list[Measured]] = {}
        """By rung that may be the answer: a value a seed, the same one where nothing is drawn."""
        repeated = {_name(one.graded): one for one in found}
        for g in graded:
            if g.measured is None or g.measured.refused is not None or g.missing:
                continue
            one = repeated.get(_name(g))
            builds = [g.measured] * count if one is None else [m for m in one.measured if m]
            if len(builds) == count:
                self._builds[_name(g)] = builds
        self._repeated = [name for name in repeated if name in self._builds]

    def lines(self) -> list[str]:
        target = self._plan.task.target
        value = target.value if target is not None else None
        return self._about_margin() if value is None else self._about_target(value)

    def _apart(self, name: str) -> float:
        values = [_value(self._grader, build) for build in self._builds[name]]
        return max(values) - min(values)

    def _about_target(self, target: float) -> list[str]:
        metric, lines = self._grader.deciding, []
        wording = Wording(metric, target)
        line = target if metric.better == "higher" else -target
        for name in self._repeated:
            values = [_value(self._grader, build) for build in self._builds[name]]
            apart, distance = self._apart(name), abs(values[0] - line)
            if apart > distance:
                reaching = sum(value >= line for value in values)
                lines.append(
                    f"The {len(values)} builds of {name} lie {wording.points(apart)} apart, more "
                    f"than the {wording.points(distance)} between the first of them and the "
                    f"target: {reaching} of {len(values)} come to {wording.named(target)} or "
                    "better on these items."
                )
        return lines

    def _about_margin(self) -> list[str]:
        """What the winner had to spare: by so much a rival would have to gain on it until it were
        no longer within the margin."""
        winner, lines = self._verdict.rung, list[str]()
        if winner is None or winner not in self._builds:
            return lines
        margin, count = margin_of(self._plan.task, self._grader.deciding), self._plan.task.seeds
        wording = Wording(self._grader.deciding, margin)
        leads = {
            name: [
                _lead(self._grader, one, other)
                for one, other in zip(builds, self._builds[winner], strict=True)
            ]
            for name, builds in self._builds.items()
            if name != winner
        }
        closest = max(leads, key=lambda name: leads[name][0], default=None)
        for name, by_seed in leads.items():
            spare = margin - by_seed[0]
            widest = max([winner, name] if name == closest else [name], key=self._apart)
            if self._apart(widest) > spare:
                within = sum(lead < margin for lead in by_seed)
                lines.append(
                    f"The {count} builds of {widest} lie {wording.points(self._apart(widest))} "
                    f"apart, more than the {wording.points(spare)} that {name} would have had to "
                    f"gain on {winner}: seed by seed, {winner} is ahead or within "
                    f"{wording.points(margin)} in {within} of {count}."
                )
        return lines


def _sentences(
    plan: Plan, measured: Sequence[Graded], drawn: Sequence[Graded], found: Sequence[_Repeated]
) -> list[str]:
    seeds = [str(seed) for seed in seeds_of(plan.task)]
    repeated = {_name(one.graded) for one in found}
    lines = []
    if found:
        lines.append(
            f"A spread of {len(seeds)} builds, of seeds {listed(seeds)}, on the same items. It is "
            "no interval of the population, and the verdict is about the first build alone."
        )
    else:
        lines.append("No rung that the verdict hangs on was repeated under another seed.")
    drawing = {_name(g) for g in drawn}
    still = [name for g in measured if (name := _name(g)) not in drawing]
    if still:
        lines.append(
            f"Another seed changes neither weights nor prompts of {listed(still)}, so there is "
            "nothing to repeat."
        )
    gone = [name for g in drawn if (name := _name(g)) not in repeated]
    if gone:
        lines.append(f"Refused or out of the race before its end, not repeated: {listed(gone)}.")
    lines += [line for one in found for line in _troubles(one)]
    return [*lines, _bill(found)] if found else lines


def _troubles(one: _Repeated) -> Iterator[str]:
    """Why a seed has no value."""
    for build in one.builds:
        owed = len(one.graded.items) - len(build.generations)
        if build.error is not None:
            yield f"{build.planned.name} failed to build: {build.error}"
        elif owed:
            yield (
                f"{build.planned.name} is owed {counted(owed, 'answer')}; run the same "
                "climb again to ask for what is missing."
            )


def _bill(found: Sequence[_Repeated]) -> str:
    trainings, requests, seconds = _trainings(found), _requests(found), _seconds(found)
    parts = [counted(trainings, "training")] if trainings else []
    parts.append(counted(requests, "request"))
    time = "" if seconds is None else f", {seconds:,.3g} s in all"
    return f"The further seeds took {' and '.join(parts)}{time}, which is on no rung's bill."


def _repeats(found: Sequence[_Repeated]) -> list[Climbed]:
    """Those of the further seeds that were built."""
    return [build for one in found for build in one.builds[1:] if build.error is None]


def _trainings(found: Sequence[_Repeated]) -> int:
    """Those of each build, and the others of a search for its learning rate."""
    count = 0
    for build in _repeats(found):
        assert isinstance(build.planned.rung, Rung)
        trained = sum(method.fills is None for method in build.planned.rung.methods)
        count += trained + (sum(not trial.answers for trial in build.trials) if trained else 0)
    return count


def _requests(found: Sequence[_Repeated]) -> int:
    """Answers to test items and to dev rows, as a rung is asked them."""
    return sum(
        len(build.generations) + sum(trial.answers for trial in build.trials)
        for build in _repeats(found)
    )


def _seconds(found: Sequence[_Repeated]) -> float | None:
    builds = _repeats(found)
    parts = [build.build.seconds for build in builds]
    parts += [
        g.seconds for b in builds for g in b.generations.values() if g.finish != "over-context"
    ]
    known = [part for part in parts if part is not None]
    return sum(known) if len(known) == len(parts) else None


def _name(graded: Graded) -> str:
    return graded.climbed.planned.name


def _rung(graded: Graded) -> Rung:
    rung = graded.climbed.planned.rung
    assert isinstance(rung, Rung)
    return rung
