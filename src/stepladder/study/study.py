"""The study: one climb, from a task and models to a verdict, kept in the ledger."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

from stepladder.checkpoints import open_entailment
from stepladder.engines.opening import find_model
from stepladder.engines.opening import open_engine as usual_engine
from stepladder.errors import LedgerError
from stepladder.ledger import DEFAULT_LEDGER, Ledger, StudyLog
from stepladder.methods import Rung
from stepladder.records import Json, Model, content_hash
from stepladder.study.answering import ForeseeAnswers, seconds_here
from stepladder.study.check import as_climbed
from stepladder.study.climb import Climber, OpenEngine
from stepladder.study.conclude import Draft, Outcome, conclude
from stepladder.study.contest import Contest
from stepladder.study.draws import check_seeds
from stepladder.study.dry_run import dry_run
from stepladder.study.grade import Graded, Grader
from stepladder.study.guards import Guards, check_guards
from stepladder.study.plan import Plan, PlannedRung, make_plan
from stepladder.study.predict import cost_order, rate_event
from stepladder.study.provenance import origin
from stepladder.study.repeats import Repeats
from stepladder.study.split import Splitter
from stepladder.study.summary import Split, Summary
from stepladder.study.watch import Silent, Watcher
from stepladder.tasks import OutputsRung, Task


class Study:
    """One climb.

    >>> summary = Study(Task.load("task.yaml"), models=["embedded"]).climb()   # doctest: +SKIP
    >>> summary.verdict.sentence                                               # doctest: +SKIP
    """

    def __init__(
        self,
        task: Task,
        models: Sequence[str | Model] = ("embedded",),
        rungs: Sequence[str | OutputsRung] | None = None,
        *,
        name: str | None = None,
        requests: int = 100_000,
        go_on: bool = False,
        dtype: str = "float32",
        ledger: str | Path = DEFAULT_LEDGER,
    ) -> None:
        """Checks the whole plan; nothing is asked, trained or written before `climb`, but for the
        few tokens by which an endpoint that is given by its address shows what it can do.

        `rungs` replaces the task's own; `go_on` asks every rung everything, whatever is
        decided. Raises the StepladderError of whatever cannot be.
        """
        checkpoints = [find_model(m, task.sampling) if isinstance(m, str) else m for m in models]
        self.plan: Plan = make_plan(
            task, checkpoints, rungs, requests=requests, go_on=go_on, dtype=dtype
        )
        for planned in self.plan.rungs:
            if isinstance(planned.rung, Rung) and planned.checkpoint is not None:
                dry_run(planned.rung, task, planned.checkpoint, rows=1)
        check_guards(self.plan)
        check_seeds(self.plan)
        if task.knowledge is not None and task.knowledge.nli is not None:
            open_entailment(task.knowledge.nli)  # refused now rather than when all is answered
        self.name = _study_name(name, self.plan)
        self.ledger = ledger

    def climb(
        self, watcher: Watcher | None = None, open_engine: OpenEngine | None = None
    ) -> Summary:
        """Climbs, decides, and returns what the report shows. Interrupted, it goes on from what
        the ledger has when it is called again. `open_engine` stands in for the usual engines.
        """
        watcher = watcher or Silent()
        answers = seconds_here(self.plan.dtype) if open_engine is None else None
        open_engine = open_engine or partial(usual_engine, dtype=self.plan.dtype)
        with Ledger.open(self.ledger) as ledger:
            log = ledger.start(self.name, self.plan.settings())
            order = self._order(ledger, log, answers)
            started = time.monotonic()
            open_climber = partial(Climber, log=log, watcher=watcher, open_engine=open_engine)
            climber = open_climber(self.plan)
            grader = Grader(self.plan.task, self.plan.requests)
            guarded = self.plan.task.guard is not None
            guards = Guards(self.plan, climber.engine, log, watcher) if guarded else None
            contest = Contest(self.plan, order, climber, grader, guards)
            repeats = Repeats(self.plan, grader, open_climber)

            splits: dict[str, Split | None] = {}

            def work() -> Json:
                return {
                    "requests asked": climber.asked + repeats.asked,
                    "trainings": climber.bench.trainings + repeats.trainings,
                    "seconds": round(time.monotonic() - started, 1),
                }

            def outcome() -> Outcome:
                departures = tuple(contest.race.departures.values())
                graded = contest.graded()
                return Outcome(self.name, self.plan, grader, graded, work(), departures, splits)

            draft = Draft(log, outcome)
            try:
                contest.run(on_shard=draft.offer)
                splitter = Splitter(climber, grader, log, self.plan.task.seed)
                for graded in contest.graded():
                    splits[graded.climbed.planned.name] = splitter.of(graded)
            finally:
                climber.close()
            ended = outcome()
            for graded in ended.graded:
                self._keep_scores(log, graded)
            summary = conclude(ended, ledger, log)
            if self.plan.task.seeds > 1:  # the verdict is kept by now, and stays as it is
                watcher.say(f"{summary.verdict.sentence} What follows are further seeds.")
                spread = repeats.of(ended.graded, ended.departures, summary.verdict)
                worked = {**summary.provenance, "work in the last run": work()}
                summary = replace(summary, spread=spread, provenance=worked)
                log.append("summary", summary.as_json())
            return summary

    def _order(
        self, ledger: Ledger, log: StudyLog, answers: ForeseeAnswers | None
    ) -> list[PlannedRung]:
        """The order of the climb, decided once: a study that goes on keeps it, whatever the ledger
        has learned about costs since.
        """
        kept = log.latest("plan")
        if kept is None:
            rates = list(ledger.events("rate"))
            predicted = as_climbed(self.plan, rates, answers)
            kept = {
                "task": self.plan.task.name,
                "data": {s: self.plan.task.split_fingerprint(s) for s in ("train", "dev", "test")},
                "order": cost_order(self.plan, predicted),
                "predictions": {each.name: asdict(each) for each in predicted},
                **origin(self.plan.task.path),
            }
            log.append("plan", kept)
        by_name = {planned.name: planned for planned in self.plan.rungs}
        return [by_name[name] for name in kept["order"]]

    def _keep_scores(self, log: StudyLog, graded: Graded) -> None:
        rung = graded.climbed.planned.name
        items = [item.id for item in graded.items]
        if graded.measured is None or graded.missing:
            return
        already = [e.payload for e in log.events("scored") if e.payload["rung"] == rung]
        if any(kept.get("items") == items for kept in already):
            return
        log.append(
            "scored",
            {
                "rung": rung,
                "items": items,
                "statistics": {name: rows.tolist() for name, rows in graded.statistics.items()},
                "scores": {name: asdict(s) for name, s in graded.scores.items()},
                "cost": asdict(graded.cost),
                "failures": dict(graded.failures),
            },
        )
        cost = graded.cost
        tokens = (cost.tokens_in or 0) + (cost.tokens_out or 0)
        rate = rate_event(graded.climbed, cost.seconds, tokens)
        if rate is not None:
            log.append("rate", rate)


def _study_name(name: str | None, plan: Plan) -> str:
    """The name as given, or one from the task and its settings; a folder is named after it."""
    if name is None:
        named = plan.task.name.replace("/", "-").replace("\\", "-")
        return f"{named}-{content_hash(plan.settings())[:6]}"
    if name != name.strip() or name in ("", ".", "..") or "/" in name or "\\" in name:
        raise LedgerError(
            f"a study cannot be named '{name}', since the folder of its report is; give a name "
            "without slashes and outer spaces"
        )
    return name


def load_summary(ledger: str | Path, study: str, *, partial: bool = False) -> Summary:
    """A finished study's summary, from the ledger alone; with `partial` that of an unfinished one,
    as it stood after one of the last shards. Raises LedgerError where there is none.
    """
    with Ledger.open(ledger, create=False) as opened:
        log = opened.study(study)
        payload = log.latest("summary") or (log.latest("partial") if partial else None)
    if payload is None:
        raise LedgerError(
            f"study '{study}' is not finished; run the same `stepladder climb` again to go on"
        )
    return Summary.from_json(payload)
