"""Climbs one rung: builds its adaptation, fits it to the context, asks it test items.

Everything that is finished is in the study's log, so a study that was killed goes on from there:
a built rung is read back, and only the items without an answer are asked.

    climbed = climber.enter(planned)
    climbed = climber.ask(climbed, queries[:10])
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import NamedTuple

from stepladder.adaptation import (
    Adaptation,
    Evidence,
    Reading,
)
from stepladder.contracts import Engine
from stepladder.errors import EngineError, RungError, TrainingError
from stepladder.ledger import StudyLog
from stepladder.methods import Rung
from stepladder.plurals import counted
from stepladder.records import (
    Endpoint,
    Failure,
    Generation,
    Json,
    Model,
    ProgramRun,
    Query,
    Trial,
    trial_from_json,
)
from stepladder.retrieval import is_index
from stepladder.study.bench import StudyBench
from stepladder.study.dev import DevExaminer, choice_of
from stepladder.study.fitting import (
    base_adaptation,
    fit_to_context,
    reader_of,
    virtual_tokens_to_come,
    without_programs,
)
from stepladder.study.forgetting import Forgetting
from stepladder.study.labels import refuse_unwritable
from stepladder.study.plan import Plan, PlannedRung
from stepladder.study.recorded import RecordedEngine
from stepladder.study.replay import replay_rows
from stepladder.study.watch import Watcher
from stepladder.tasks import OutputsRung, read_outputs

OpenEngine = Callable[[Model], Engine]
NO_OUTPUT = "no output in the file"


@dataclass(frozen=True, slots=True)
class BuildCost:
    """What a rung cost before its first answer; None is unknown."""

    seconds: float | None = 0.0
    peak_memory: int | None = None
    foretold_memory: int | None = None
    foretold_seconds: float | None = None
    trainable: int = 0
    stored: int = 0
    labels: int = 0
    trained_tokens: int = 0
    """Tokens that the training went through, prompts and answers, over all its epochs."""


@dataclass(frozen=True, slots=True)
class Climbed:
    """A rung with its answers."""

    planned: PlannedRung
    generations: Mapping[str, Generation]
    """By test id."""
    build: BuildCost = BuildCost()
    notes: tuple[str, ...] = ()
    error: str | None = None
    """Why it could not be built."""
    owed: Mapping[str, Failure] = field(default_factory=dict)
    """By test id, answers that failed alone for the machine's fault."""
    evidence: Evidence | None = None
    """Which passages it is shown; None for a rung that is shown none."""
    trials: tuple[Trial, ...] = ()
    """Settings that were tried on dev before it was built."""
    halted: bool = False
    """The machine failed while it was asked: all that it has not answered is owed."""
    forgetting: Forgetting | None = None
    """What its training did to the guards; None where there was none, or no guard."""

    @property
    def remarks(self) -> tuple[str, ...]:
        """The notes, and why answers are missing."""
        causes = Counter(failure.cause for failure in self.owed.values()).most_common()
        if not causes:
            return self.notes
        missing = ", ".join(f"{n:,} by {cause}" for cause, n in causes)
        return (*self.notes, f"answers missing: {missing}")


class _Adapted(NamedTuple):
    """A built rung."""

    adaptation: Adaptation
    cost: BuildCost
    notes: tuple[str, ...]
    trials: tuple[Trial, ...]


class Climber:
    """Holds what the rungs of one study share: the log, the workbench, one open engine."""

    def __init__(
        self, plan: Plan, log: StudyLog, watcher: Watcher, open_engine: OpenEngine
    ) -> None:
        self._plan = plan
        self._log = log
        self.watcher = watcher
        self._open_engine = open_engine
        self._engine: RecordedEngine | None = None
        self._checkpoint: Model | None = None
        self._asked = 0
        self._adaptations: dict[str, Adaptation] = {}
        self.bench = StudyBench(
            log,
            plan.task.seed,
            watcher,
            before_training=self.close,
            examiner=DevExaminer(plan.task, self.engine, watcher),
            dtype=plan.dtype,
            knowledge=plan.task.knowledge,
            replay=replay_rows(plan.task),
        )

    @property
    def asked(self) -> int:
        """Requests that went to a model, ledger answers left out."""
        return self._asked + (self._engine.asked if self._engine else 0)

    def close(self) -> None:
        """Frees the model that is loaded."""
        if self._engine is not None:
            self._asked += self._engine.asked
            way = self._engine.way()
            if way is not None and self._checkpoint is not None:
                self._log.append("engine", {"weights": self._checkpoint.identity, **way})
            self._engine.close()
        self._engine = self._checkpoint = None

    def engine(self, checkpoint: Model) -> RecordedEngine:
        """The engine of a checkpoint; only one is open at a time."""
        if self._engine is None or self._checkpoint != checkpoint:
            self.close()
            self._engine = RecordedEngine(self._open_engine(checkpoint), self._log)
            self._checkpoint = checkpoint
        return self._engine

    def enter(self, planned: PlannedRung) -> Climbed:
        """Builds a rung, with the answers that the log has of it already.

        A rung that cannot be built is told in the outcome. A model that cannot be loaded raises
        CheckpointError, since no rung on it could be asked.
        """
        if isinstance(planned.rung, OutputsRung):
            return self._outputs(planned, planned.rung)
        self.bench.rung, self.bench.builds, self.bench.trials = planned.name, [], []
        try:
            adaptation, build, notes, trials = self._adapted(planned)
        except (TrainingError, RungError) as error:
            self._log.append("rung-failed", {"rung": planned.name, "error": str(error)})
            self.watcher.say(f"{planned.name}: {error}")
            return Climbed(planned, {}, error=str(error))
        self._adaptations[planned.name] = adaptation
        kept = self._kept(planned.name, adaptation.checkpoint)
        evidence = adaptation.prompter.evidence
        return Climbed(planned, kept, build, notes, trials=trials, evidence=evidence)

    def ask(self, climbed: Climbed, queries: Sequence[Query]) -> Climbed:
        """The rung with these queries answered; it is halted where the machine does not answer."""
        known = climbed.generations.keys() | climbed.owed.keys()
        rest = [query for query in queries if query.id not in known]
        if not rest or climbed.halted or isinstance(climbed.planned.rung, OutputsRung):
            return climbed
        name, generations = climbed.planned.name, dict(climbed.generations)
        owed, halted = dict(climbed.owed), False
        self.watcher.stage(name, "asking", len(self._plan.task.test))
        try:
            owed |= self._ask(name, self._adaptations[name], rest, generations)
        except EngineError as error:
            self._log.append("machine-failure", {"rung": name, "error": str(error)})
            self.watcher.say(f"{name}: {error}")
            halted = True
        return replace(climbed, generations=generations, owed=owed, halted=halted)

    def adaptation(self, rung: str) -> Adaptation:
        """That of a rung which was entered."""
        return self._adaptations[rung]

    def _kept(self, rung: str, checkpoint: Model) -> dict[str, Generation]:
        """The answers that the log has of this rung on these very weights."""
        return {
            event.payload["id"]: generation_from_json(event.payload)
            for event in self._log.events("generation")
            if event.payload["rung"] == rung and event.payload["weights"] == checkpoint.identity
        }

    def _adapted(self, planned: PlannedRung) -> _Adapted:
        """The rung's adaptation, from the log where it was built before."""
        for event in self._log.events("adapted"):
            kept = event.payload
            if kept["rung"] == planned.name and _present(kept["adaptation"]):
                adaptation = Adaptation.from_json(kept["adaptation"])
                trials = tuple(trial_from_json(row) for row in kept.get("trials", ()))
                build = BuildCost(**kept["build"])
                return _Adapted(adaptation, build, tuple(kept["notes"]), trials)
        task, notes = self._plan.task, list[str]()
        assert isinstance(planned.rung, Rung) and planned.checkpoint is not None
        adaptation = base_adaptation(task, planned.checkpoint)
        if task.labels and not planned.rung.by_head:
            refuse_unwritable(self.engine(planned.checkpoint), task, planned.rung.name)
        for method in planned.rung.methods:
            adaptation = method.adapt(adaptation, task.train, task.dev, self.bench)
            if method.fills is None and not task.dev:
                notes.append("there were no dev rows, so its training stopped by its plan alone")
            if method.fills in (None, "demonstrations"):
                notes += without_programs(adaptation, task)
            if method.fills == "evidence" and adaptation.prompter.evidence is not None:
                notes.append(f"evidence: {adaptation.prompter.evidence.about}")
            if method.fills is not None:
                rows = (*task.test, *((*task.train, *task.dev) if planned.rung.trains else ()))
                engine = self.engine(adaptation.checkpoint)
                adaptation, note = fit_to_context(
                    adaptation,
                    engine,
                    [r.query for r in rows],
                    kept_free=virtual_tokens_to_come(planned.rung, adaptation),
                )
                notes += [note] if note else []
        for built in self.bench.builds:
            notes += built.log.get("notes", [])
        trials = tuple(self.bench.trials)
        notes = list(dict.fromkeys([*notes, *choice_of(trials)]))
        build = self._build_cost(planned.rung, adaptation)
        self._log.append(
            "adapted",
            {
                "rung": planned.name,
                "adaptation": adaptation.as_json(),
                "build": asdict(build),
                "notes": notes,
                "trainings": [b.log for b in self.bench.builds],
                "trials": [asdict(trial) for trial in trials],
            },
        )
        return _Adapted(adaptation, build, tuple(notes), trials)

    def _build_cost(self, rung: Rung, adaptation: Adaptation) -> BuildCost:
        builds, task = self.bench.builds, self._plan.task
        shown = adaptation.prompter.demonstrations
        labels = len(shown.pool) if shown and shown.nearest else shown.k if shown else 0
        tried = [trial.seconds for trial in self.bench.trials]
        if tried:
            labels += len(task.dev)
        if rung.learns:
            labels = len(task.train) + (len(task.dev) if rung.trains else 0)
        peaks = [b.peak_memory for b in builds]
        known = [p for p in peaks if p is not None]
        return BuildCost(
            seconds=None
            if None in tried
            else sum(b.seconds for b in builds) + sum(s for s in tried if s is not None),
            peak_memory=max(known) if known and len(known) == len(peaks) else None,
            foretold_memory=max(
                (foretold for b in builds if (foretold := b.log.get("foretold_memory"))),
                default=None,
            ),
            foretold_seconds=_sum_of_all(
                [] if tried else [b.log.get("foretold_seconds") for b in builds]
            ),
            trainable=sum(b.trainable for b in builds),
            stored=sum(b.stored for b in builds) + _stored(adaptation.prompter.evidence),
            labels=labels,
            trained_tokens=sum(b.log.get("trained_tokens", 0) for b in builds),
        )

    def _ask(
        self,
        rung: str,
        adaptation: Adaptation,
        queries: Sequence[Query],
        generations: dict[str, Generation],
    ) -> dict[str, Failure]:
        """Asks and logs, a shard at a time. Returns why answers are missing, by item: the machine
        owes them, and the next climb asks for them again."""
        shard: list[Generation] = []
        owed: dict[str, Failure] = {}
        where = {"rung": rung, "weights": adaptation.checkpoint.identity}
        done = len(generations)
        try:
            for generation in adaptation.generate(self.engine(adaptation.checkpoint), queries):
                done += 1
                self.watcher.reach(done)
                if generation.failure is not None and generation.failure.machine:
                    self._owe(rung, generation.id, generation.failure)
                    owed[generation.id] = generation.failure
                    continue
                shard.append(generation)
                if len(shard) >= 64:
                    self._keep(where, shard, generations)
                    shard = []
        finally:
            self._keep(where, shard, generations)
        return owed

    def _owe(self, rung: str, id: str, failure: Failure) -> None:
        error = f"{failure.cause} ({failure.detail})" if failure.detail else failure.cause
        self._log.append("machine-failure", {"rung": rung, "id": id, "error": error})
        self.watcher.say(f"{rung}: no answer for {id}: {error}")

    def _keep(
        self, where: Json, shard: Sequence[Generation], generations: dict[str, Generation]
    ) -> None:
        self._log.append_many(("generation", {**where, **asdict(g)}) for g in shard)
        generations.update((g.id, g) for g in shard)

    def _outputs(self, planned: PlannedRung, rung: OutputsRung) -> Climbed:
        """Somebody's outputs as a rung."""
        outputs = read_outputs(rung.path)
        generations: dict[str, Generation] = {}
        reader = reader_of(self._plan.task)
        for example in self._plan.task.test:
            text = outputs.get(example.id)
            reading = Reading("", Failure(NO_OUTPUT)) if text is None else reader.read(text)
            generations[example.id] = Generation(
                id=example.id,
                prompt="",
                text=text or "",
                answer=reading.answer,
                tokens_in=None,
                tokens_out=None,
                seconds=None,
                finish=None,
                failure=reading.failure,
            )
        unknown = len(outputs.keys() - {e.id for e in self._plan.task.test})
        notes = (f"no test items: {counted(unknown, 'row')} of the file",) if unknown else ()
        self._log.append("outputs", {"rung": planned.name, "rows": len(outputs)})
        return Climbed(planned, generations, BuildCost(seconds=None), notes)


def generation_from_json(payload: Json) -> Generation:
    """A generation as the log keeps it."""
    fields = {key: value for key, value in payload.items() if key not in ("rung", "weights")}
    failure = fields.pop("failure")
    runs = tuple(ProgramRun(**run) for run in fields.pop("runs", ()))
    return Generation(**fields, failure=Failure(**failure) if failure else None, runs=runs)


def _sum_of_all(values: Sequence[float | None]) -> float | None:
    """None where one is unknown, or where there are none."""
    known = [value for value in values if value is not None]
    return sum(known) if known and len(known) == len(values) else None


def _stored(evidence: Evidence | None) -> int:
    """Bytes of an index; none without evidence."""
    if evidence is None:
        return 0
    return sum(file.stat().st_size for file in evidence.folder.iterdir())


def _present(adaptation: Json) -> bool:
    """Whether the files that a kept adaptation rests on are still there."""
    whole = Adaptation.from_json(adaptation)
    kept, evidence = whole.checkpoint, whole.prompter.evidence
    if evidence is not None and not is_index(evidence.folder):
        return False
    if isinstance(kept, Endpoint):
        return True
    on_top = [adapter.folder for adapter in kept.adapters]
    on_top += [kept.head.folder] if kept.head else []
    return kept.folder.is_dir() and all(folder.is_dir() for folder in on_top)
