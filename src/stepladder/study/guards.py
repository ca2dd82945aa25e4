"""What a training makes a model forget: guards under the base and under the trained checkpoint.

    guards = Guards(plan, climber.engine, log, watcher)
    guards.look(planned, trained).refusal       # None, or why this rung may not be taken

Forgetting is no feature of a method: every rung that trains is looked at in the same way. A guard
task is asked with its own instruction and without the task's prompter, all its test items, paired;
held-out text is scored piece by piece. What the base answers is the same for all rungs on it, and
answers go through the ledger as those of the task do.

The bound on a drop is the verdict's own: by betting for a mean, by the jackknife for a corpus
measure, at alpha / (rungs * guard tasks), looked at once, when all items were asked. A normal
approximation would be tighter for a mean and wrong: most answers stay as good as they were, so that
a drop hangs on a few items.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import isfinite, log
from typing import NamedTuple

import numpy as np

from stepladder.adaptation import Adaptation
from stepladder.checkpoints import virtual_ids
from stepladder.contracts import Floats
from stepladder.errors import EngineError, MetricError, RungError
from stepladder.ledger import StudyLog
from stepladder.methods import Rung, parse_rung
from stepladder.metrics import build_metrics
from stepladder.plurals import counted
from stepladder.records import Endpoint, Generation, Json, Model, content_hash
from stepladder.statistics import confidence_interval, guard_level
from stepladder.study.climb import Climbed
from stepladder.study.dry_run import dry_run
from stepladder.study.evidence import Evidence, Measured
from stepladder.study.fitting import fit_to_context
from stepladder.study.forgetting import Forgetting, GuardDrop, TextRise
from stepladder.study.grade import Grader
from stepladder.study.plan import Plan, PlannedRung
from stepladder.study.recorded import RecordedEngine
from stepladder.study.replay import EMPTY
from stepladder.study.watch import Watcher
from stepladder.study.wording import Wording
from stepladder.tasks import GuardTask, PlainText

_BITS = 64.0
"""Bits per byte that no model comes near: a rise lies between these, either way."""

OpenRecorded = Callable[[Model], RecordedEngine]


class Guards:
    """The guards of one study."""

    def __init__(self, plan: Plan, engine: OpenRecorded, log: StudyLog, watcher: Watcher) -> None:
        """`engine` opens that of a checkpoint, and closes the one before."""
        guard = plan.task.guard
        assert guard is not None
        self._engine = engine
        self._log = log
        self._watcher = watcher
        self._text = guard.text
        self._tasks = [GuardedTask(each, len(plan.rungs), len(guard.tasks)) for each in guard.tasks]
        self._soft = max(r.rung.virtual_tokens for r in plan.rungs if isinstance(r.rung, Rung))
        """Tokens of the longest soft prompt: text is cut for all as it must be there."""
        self._answers: dict[tuple[str, str], dict[str, Generation]] = {}
        self._scored: dict[str, Json] = {}

    def look(self, planned: PlannedRung, trained: Model) -> Forgetting:
        """Asks whatever has not been asked; the base first, since the trained checkpoint is asked
        the task's own items afterwards. An answer that the machine owes counts against the rung."""
        base = planned.checkpoint
        assert base is not None
        for checkpoint in (base, trained):
            for guarded in self._tasks:
                self._ask(planned, guarded, checkpoint)
            if self._text is not None:
                self._score(planned, self._text, checkpoint)
        drops = tuple(
            guarded.drop(*(self._answered(planned, guarded, model) for model in (base, trained)))
            for guarded in self._tasks
        )
        before, after = (self._scored.get(model.identity) for model in (base, trained))
        if self._text is None or before is None or after is None:
            return Forgetting(drops)
        return Forgetting(drops, rise_of(self._text.name, before, after))

    def _answered(self, planned: PlannedRung, guarded: GuardedTask, checkpoint: Model) -> Climbed:
        """Named after its weights, since a grader keeps its rows by the rung's name."""
        found = self._answers[guarded.name, checkpoint.identity]
        return Climbed(replace(planned, name=checkpoint.identity), found)

    def _ask(self, planned: PlannedRung, guarded: GuardedTask, checkpoint: Model) -> None:
        """Fills in one checkpoint's answers to one guard task."""
        found = self._answers.setdefault((guarded.name, checkpoint.identity), {})
        rest = [item.query for item in guarded.grader.items if item.id not in found]
        if not rest:
            return
        engine = self._engine(checkpoint)
        self._watcher.stage(planned.name, f"guard {guarded.name}", len(guarded.grader.items))
        try:
            for generation in guarded.adaptation(checkpoint, engine).generate(engine, rest):
                if generation.failure is not None and generation.failure.machine:
                    self._owe(planned, guarded.name, generation.failure.cause)
                    continue
                found[generation.id] = generation
                self._watcher.reach(len(found))
        except EngineError as error:
            self._owe(planned, guarded.name, str(error))
        answers = {id: found[id].answer for id in sorted(found)}
        where = {"guard": guarded.name, "weights": checkpoint.identity}
        if not self._kept("guard-answers", {**where, "answers": answers}):
            self._log.append("guard-answers", {**where, "answers": answers})

    def _owe(self, planned: PlannedRung, guard: str, error: str) -> None:
        self._log.append("machine-failure", {"rung": planned.name, "guard": guard, "error": error})
        self._watcher.say(f"{planned.name}: guard {guard}: {error}")

    def _kept(self, kind: str, wanted: Json) -> Json | None:
        """The study's event of a kind that has these values."""
        events = (event.payload for event in self._log.events(kind))
        return next((e for e in events if wanted.items() <= e.items()), None)

    def _score(self, planned: PlannedRung, text: PlainText, checkpoint: Model) -> None:
        """Fills in one checkpoint's likelihoods of the held-out text."""
        where = {"text": content_hash([text.pieces, self._soft]), "weights": checkpoint.identity}
        known = self._kept("guard-text", where)
        if known is None:
            engine = self._engine(checkpoint)
            self._watcher.stage(planned.name, f"guard {text.name}", None)
            try:
                there = 0 if isinstance(checkpoint, Endpoint) else len(virtual_ids(checkpoint))
                kept_free = self._soft - there
                known = {**where, **scored_text(engine, text.pieces, kept_free)}
            except EngineError as error:
                self._owe(planned, text.name, str(error))
                return
            self._log.append("guard-text", known)
        self._scored[checkpoint.identity] = known


class GuardedTask:
    """One guard task: how it is asked, and what becomes of it."""

    def __init__(self, guard: GuardTask, rungs: int, guards: int) -> None:
        """`rungs` and `guards` are all that the study lists: they share its error probability."""
        self.name = guard.task.name
        self.grader = Grader(guard.task, requests=1)
        self.level = guard_level(rungs, guards)
        self.max_drop = guard.max_drop
        self._guard = guard
        self._rung = parse_rung(guard.rung)
        self._asked: Adaptation | None = None

    def adaptation(self, checkpoint: Model, engine: RecordedEngine) -> Adaptation:
        """The task asked of a checkpoint; of all in the same way, as the first one's context
        allows it."""
        if self._asked is None:
            queries = [item.query for item in self.grader.items]
            self._asked = dry_run(
                self._rung,
                self._guard.task,
                checkpoint,
                rows=1,
                fit=lambda adaptation, kept: fit_to_context(adaptation, engine, queries, kept),
            ).adaptation
        return replace(self._asked, checkpoint=checkpoint)

    def drop(self, before: Climbed, after: Climbed) -> GuardDrop:
        """How much worse the second one is; their rungs' names tell them apart."""
        grader, metric = self.grader, self.grader.deciding
        extent = grader.extent
        base, tuned = (grader.measure(each, extent.items) for each in (before, after))
        evidence = Evidence(metric, [base, tuned], extent)
        missing = base.missing + tuned.missing
        values = [metric.aggregate(rows.statistics) for rows in (base, tuned)]

        def worse(both: Floats) -> float:
            first, second = np.hsplit(both, 2)
            return evidence.value(first) - evidence.value(second)

        rows = np.hstack([base.statistics, tuned.statistics])
        most = evidence.lead_bound(base.best, tuned.worst, level=self.level)
        low = high = None
        if not missing:
            span = 100 / metric.times
            low, high = confidence_interval(worse, rows, grader.groups, scale=(-span, span))
        return GuardDrop(
            guard=self.name,
            metric=metric.name,
            before=None if base.missing else values[0],
            after=None if tuned.missing else values[1],
            drop=None if missing else worse(rows),
            low=low,
            high=high,
            most=most if isfinite(most) else None,
            max_drop=self.max_drop,
            n=extent.items,
            missing=missing,
            times=metric.times,
            refusal=self._refusal(evidence, base, tuned, most),
        )

    def least_drop(self, before: Climbed, after: Climbed, level: float) -> float:
        """A lower bound on the drop: it is shown to exceed whatever lies below."""
        items = self.grader.extent.items
        base, tuned = (self.grader.measure(each, items) for each in (before, after))
        evidence = Evidence(self.grader.deciding, [base, tuned], self.grader.extent)
        return -evidence.lead_bound(tuned.best, base.worst, level=level)

    def least(self) -> float:
        """The bound on the drop of a model that answers every item as before: what so many items
        can show at best, on the metric's own scale; infinite where they show nothing."""
        perfect = [item.references[0] for item in self.grader.items]
        references = [item.references for item in self.grader.items]
        rows = self.grader.deciding.statistics(perfect, references)
        same = Measured(self.name, rows, rows, rows, None, self.grader.groups)
        evidence = Evidence(self.grader.deciding, [same], self.grader.extent)
        return evidence.lead_bound(rows, rows, level=self.level)

    def _refusal(
        self, evidence: Evidence, base: Measured, tuned: Measured, most: float
    ) -> str | None:
        """Why the drop is not shown to stay within what is allowed."""
        allowed = self.max_drop
        if allowed is None or most <= allowed:
            return None
        words = Wording(evidence.metric, allowed)
        on, limit = f"on {self.name}", f"max_drop is {words.points(allowed)}"
        if base.missing + tuned.missing:
            owed = base.missing + tuned.missing
            are = "is" if owed == 1 else "are"
            return (
                f"{on} {counted(owed, 'answer')} {are} missing, so no drop can be ruled out; "
                "run it again"
            )
        first, second = (evidence.value(rows.statistics) for rows in (base, tuned))
        drop = first - second
        from_to = f"{words.score(first)} before and {words.score(second)} after"
        if drop > allowed:
            return f"{on} it falls by {words.points(drop)} ({from_to}), and {limit}"
        bound = f"by up to {words.points(most)}" if isfinite(most) else "by any amount"
        least = self.least()
        if least > allowed:
            return (
                f"{on} {self.grader.extent.items:,} items are too few to show a drop within "
                f"{words.points(allowed)}: it is at {from_to}, and may have fallen {bound}; "
                f"{_more(evidence, base, base, allowed, self.level)}"
            )
        return (
            f"{on} it is at {from_to}, may have fallen {bound}, and {limit}; "
            f"{_more(evidence, base, tuned, allowed - drop, self.level)}"
        )


def _more(
    evidence: Evidence, base: Measured, tuned: Measured, distance: float, level: float
) -> str:
    needed = evidence.lead_needed(base.statistics, tuned.statistics, distance, level=level)
    if needed is None:
        return "give more guard items, or a larger max_drop"
    return f"about {max(needed, evidence.extent.items + 1):,} guard items would tell"


def scored_text(engine: RecordedEngine, pieces: Sequence[str], kept_free: int = 0) -> Json:
    """`nats` (with those of its end token) and `bytes` of each piece, one that exceeds the context
    but for so many tokens in halves."""
    parts = [part for piece in pieces for part in _fitting(engine, piece, kept_free)]
    scores = engine.log_likelihood([(EMPTY, part) for part in parts])
    return {
        "nats": [-score.total for score in scores],
        "bytes": [len(part.encode("utf-8")) for part in parts],
    }


def _fitting(engine: RecordedEngine, piece: str, kept_free: int) -> list[str]:
    """The piece, or its halves, cut between words where that is possible, until all fit."""
    if len(piece) < 2 or engine.fits(EMPTY, piece, kept_free):
        return [piece]
    middle = len(piece) // 2
    cut = piece.find(" ", middle)
    cut = middle if cut < 0 else cut
    halves = piece[:cut].strip(), piece[cut:].strip()
    return [part for half in halves if half for part in _fitting(engine, half, kept_free)]


def rise_of(name: str, before: Json, after: Json) -> TextRise:
    """Two scorings of the same pieces, in bits per byte."""
    rows = np.array([before["nats"], after["nats"], before["bytes"]], dtype=np.float64).T

    def bits(column: int, given: Floats) -> float:
        return float(given[:, column].sum() / log(2) / given[:, 2].sum())

    low, high = confidence_interval(
        lambda given: bits(1, given) - bits(0, given), rows, scale=(-_BITS, _BITS)
    )
    return TextRise(
        name, bits(0, rows), bits(1, rows), low, high, pieces=len(rows), bytes=int(rows[:, 2].sum())
    )


class GuardForesight(NamedTuple):
    """What can be said of a guard task before it is asked; differences as they are shown."""

    name: str
    rung: str
    items: int
    allowed: float | None
    least: float | None
    """No drop below this can be shown with so many items; None: none at all."""


def foresee_guards(plan: Plan) -> tuple[GuardForesight, ...]:
    """Of every guard task of a plan."""
    guards = plan.task.guard.tasks if plan.task.guard else ()
    found = []
    for guard in guards:
        guarded = GuardedTask(guard, len(plan.rungs), len(guards))
        times, least = guarded.grader.deciding.times, guarded.least()
        found.append(
            GuardForesight(
                guarded.name,
                guard.rung,
                guarded.grader.extent.items,
                None if guard.max_drop is None else guard.max_drop * times,
                least * times if isfinite(least) else None,
            )
        )
    return tuple(found)


def check_guards(plan: Plan) -> None:
    """Refuses, before anything is spent, guards that could not be asked or graded. Raises
    RungError, TaskError or MetricError."""
    for guard in plan.task.guard.tasks if plan.task.guard else ():
        where = f"guard {guard.task.name}"
        references = [item.references for item in guard.task.test]
        (metric,) = build_metrics([guard.task.deciding], guard.task.labels, references)
        scale = 100 / metric.times
        if guard.max_drop is not None and guard.max_drop >= scale:
            raise MetricError(
                f"{where}: max_drop is {guard.max_drop:g}, and {metric.name} reaches from 0 to "
                f"{scale:g}; write {guard.max_drop / 100 * scale:g} for {guard.max_drop:g} points "
                "of 100"
            )
        rung = parse_rung(guard.rung)
        if rung.builds:
            raise RungError(
                f"{where}: rung '{rung.name}' is built, and a guard is asked as it is; give "
                "zero-shot or few-shot(4)"
            )
        for checkpoint in dict.fromkeys(p.checkpoint for p in plan.rungs if trains(p)):
            assert checkpoint is not None
            rung.check(checkpoint)
            dry_run(rung, guard.task, checkpoint, rows=1)


def trains(planned: PlannedRung) -> bool:
    """Whether a rung is looked at."""
    return isinstance(planned.rung, Rung) and planned.rung.trains
