"""Task: what is asked, on which examples, graded how, and what is good enough.

task = Task.load("task.yaml")
task.test[0].query      # what a model may see
task.notes              # how splits were made, what was sampled
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from stepladder.errors import MetricError, SamplingError, TaskError
from stepladder.records import Example, Sampling, content_hash
from stepladder.tasks.elsewhere import NamedFile, PlainText, read_text
from stepladder.tasks.examples import read_examples
from stepladder.tasks.files import SUFFIXES, Row, Source, read_source
from stepladder.tasks.guard import Guard, GuardSpec, GuardTask
from stepladder.tasks.hub import HubData, read_hub
from stepladder.tasks.knowledge import KnowledgeSource, find_knowledge
from stepladder.tasks.outputs import OutputsRung
from stepladder.tasks.replayed import weights
from stepladder.tasks.spec import FilesData, Target, TaskSpec, read_spec
from stepladder.tasks.splits import SPLITS, make_splits, sample
from stepladder.tasks.yaml_text import read_yaml


@dataclass(frozen=True)
class Task:
    """A checked task with its rows. Made by `load` (a file) or `from_rows` (Python)."""

    name: str
    instruction: str | None
    train: tuple[Example, ...]
    dev: tuple[Example, ...]
    test: tuple[Example, ...]
    metrics: tuple[str, ...]
    """As written: `rougeL`, `rouge1(references=mean)`."""
    labels: tuple[str, ...] = ()
    """The choice, where the task is one."""
    target: Target | None = None
    margin: float | None = None
    """Differences below this do not matter; on the deciding metric's own scale. None: not given."""
    sampling: Sampling = field(default_factory=Sampling)
    rungs: tuple[str | OutputsRung, ...] = ()
    """In the order of the file; lists of methods are read by the study."""
    seed: int = 0
    seeds: int = 1
    """Builds of which the spread is shown beside the verdict; 1 shows none."""
    prices: Mapping[str, float] = field(default_factory=dict)
    """per_million_tokens_in, per_million_tokens_out, per_hour: those that the user gave."""
    notes: tuple[str, ...] = ()
    """What was decided about the rows, for people to read."""
    path: Path | None = None
    """The task file, where there is one."""
    guard: Guard | None = None
    """What a training must not make it forget."""
    replay: tuple[Task | PlainText, ...] = ()
    """Other data that a training may mix in: the train rows of tasks, and plain texts."""
    replay_weights: tuple[float, ...] = ()
    """In which proportion these give rows; empty where they are drawn from all alike."""
    knowledge: KnowledgeSource | None = None
    """The documents that answers may rest on."""

    @property
    def deciding(self) -> str:
        """The metric that the verdict is about."""
        return self.target.metric if self.target else self.metrics[0]

    @cached_property
    def fingerprint(self) -> str:
        """Content hash of what decides a result: rows, instruction, labels, metrics, target,
        margin, sampling, seed, knowledge, guards and what is replayed. Name, notes, prices, rungs
        and how many seeds are left out."""
        settings: list[Any] = [self.instruction, self.labels, self.metrics, self.margin, self.seed]
        settings += [self.target and asdict(self.target), self.sampling.as_json()]
        settings += [{"guard": self.guard.fingerprint}] if self.guard else []
        settings += [{"replay": [_print(source) for source in self.replay]}] if self.replay else []
        settings += [{"weights": self.replay_weights}] if self.replay_weights else []
        known = [self.knowledge.fingerprint] if self.knowledge else []
        splits = (self.split_fingerprint(split) for split in SPLITS)
        return content_hash([settings, *splits, *known])

    def split(self, name: str) -> tuple[Example, ...]:
        """The examples of `train`, `dev` or `test`."""
        return {"train": self.train, "dev": self.dev, "test": self.test}[name]

    def split_fingerprint(self, name: str) -> str:
        """Content hash of one split's rows, in their order."""
        rows = self.split(name)
        more = [[*([e.program] if e.program else []), *([e.gold] if e.gold else [])] for e in rows]
        return content_hash(
            [[e.id, e.input, e.references, e.group, *m] for e, m in zip(rows, more, strict=True)]
        )

    def with_knowledge(self, paths: Sequence[str]) -> Task:
        """The same task on other documents (relative to the working folder), under what it says
        about its own. Raises KnowledgeError."""
        own = self.knowledge
        said = {} if own is None else {"gold": own.gold, "abstain": own.abstain, "nli": own.nli}
        found = find_knowledge(paths, Path(), **said)
        kept = (note for note in self.notes if own is None or note != own.note)
        return replace(self, knowledge=found, notes=(*kept, found.note))

    @classmethod
    def load(cls, path: str | Path) -> Task:
        """Reads a task file and its data.

        Raises TaskError (or MetricError, SamplingError) with one line that names the file and the
        key, row or field; MissingExtraError where hub or Parquet data need a library.
        """
        return cls._load(Path(path))

    @classmethod
    def _load(cls, path: Path, *, alone: bool = False) -> Task:
        """`alone`: without what it names beside itself, so that two tasks may name each other."""
        if path.name.lower().removesuffix(".gz").endswith(SUFFIXES):
            raise TaskError(
                f"{path}: is data, not a task file; write one for it with: stepladder init {path}"
            )
        spec = read_spec(read_yaml(path), str(path), path.parent)
        task = _task(spec, _sources(spec), path)
        return task if alone else _with_others(task, spec)

    @classmethod
    def from_rows(
        cls,
        rows: Sequence[Mapping[str, Any]] | Mapping[str, Sequence[Mapping[str, Any]]],
        **settings: Any,
    ) -> Task:
        """A task from rows in memory, all together or by split. `settings` are the keys of a task
        file besides `data`, and are checked in the same way:

            Task.from_rows(rows, input="question", references="answer", metrics=["number"])
        """
        by_split: Mapping[str, Sequence[Mapping[str, Any]]]
        by_split = dict(rows) if isinstance(rows, Mapping) else {"all": rows}
        sources = {
            split: Source(
                "rows" if split == "all" else split,
                [Row(number, row) for number, row in enumerate(given, start=1)],
            )
            for split, given in by_split.items()
        }
        for split, source in sources.items():
            if split not in (*SPLITS, "all"):
                raise TaskError(f"rows: unknown split '{split}'; known are: {', '.join(SPLITS)}")
            if not source.rows:
                raise TaskError(f"{source.name}: holds no rows")
        spec = read_spec({"name": "task", **settings}, "task", Path(), rows=True)
        return _with_others(_task(spec, sources, None), spec)


def _sources(spec: TaskSpec) -> dict[str, Source]:
    match spec.data:
        case HubData() as data:
            return read_hub(data)
        case FilesData(files, names):
            return {split: read_source(file, names[split]) for split, file in files.items()}
        case None:
            raise TaskError(f"{spec.where}: data: a file is expected, nothing came")


def _with_others(task: Task, spec: TaskSpec) -> Task:
    """The task with the guards and the data to replay that its file names."""
    guard, notes = _guard(spec.guard, task, spec.where) if spec.guard else (None, [])
    return replace(
        task,
        guard=guard,
        replay=_replay(spec),
        replay_weights=weights(spec.replay),
        notes=(*task.notes, *notes),
    )


def _replay(spec: TaskSpec) -> tuple[Task | PlainText, ...]:
    where, held = f"{spec.where}: replay", spec.guard.text if spec.guard else None
    sources: list[Task | PlainText] = []
    for file, _ in spec.replay:
        if held is not None and file.path.resolve() == held.path.resolve():
            raise TaskError(f"{where}: {file.name}: is the held-out text of guard; give another")
        sources.append(_named(file, where) if file.is_task else read_text(file, where))
    return tuple(sources)


def _print(source: Task | PlainText) -> str:
    if isinstance(source, PlainText):
        return content_hash(source.pieces)
    return content_hash([source.instruction, source.labels, source.split_fingerprint("train")])


def _guard(spec: GuardSpec, task: Task, where: str) -> tuple[Guard, list[str]]:
    """The guard tasks with their rows, and what is to be said of them. Their own mistakes are told
    as this task's."""
    tasks, notes = [], []
    for entry in spec.entries:
        named = _named(entry.file, f"{where}: guard")
        if entry.bundled and _is_the_same(named, task):
            notes.append(f"guard: {entry.file.name} is this very task, and is left out")
            continue
        tasks.append(GuardTask(named, entry.max_drop, entry.rung))
    names = [guard.task.name for guard in tasks]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise TaskError(f"{where}: guard: two tasks are named '{twice}'; leave one out")
    text = None if spec.text is None else read_text(spec.text, f"{where}: guard: text")
    return Guard(tuple(tasks), text), notes


def _is_the_same(guard: Task, task: Task) -> bool:
    """Whether a guard asks what the task's own rows hold, at least half of it: no guard then, but
    what is trained on."""
    own = {row.input for split in SPLITS for row in task.split(split)}
    return 2 * sum(row.input in own for row in guard.test) >= len(guard.test)


def _named(file: NamedFile, where: str) -> Task:
    try:
        return Task._load(file.path, alone=True)
    except (TaskError, MetricError, SamplingError) as error:
        raise type(error)(f"{where}: {file.name}: {error}") from None


def _task(spec: TaskSpec, sources: Mapping[str, Source], path: Path | None) -> Task:
    read = read_examples(sources, spec)
    made = make_splits(read.examples, spec.seed)
    notes = [*read.notes, *made.notes]
    splits: dict[str, list[Example]] = {}
    for split in SPLITS:
        rows = made.examples[split]
        count = spec.sample.get(split, len(rows))
        splits[split] = sample(rows, count, spec.seed)
        if count < len(rows):
            notes.append(
                f"{split} is a sample: {count:,} of {len(rows):,} rows by a hash, seed {spec.seed}"
            )
        elif count > len(rows):
            notes.append(f"{split}: sample asks for {count:,} rows, all {len(rows):,} are taken")
    if not splits["test"]:
        raise TaskError(
            f"{spec.where}: no row is left for test; name a test file, or give more than "
            f"{sum(map(len, splits.values()))} rows"
        )
    if not splits["train"]:
        notes.append("train is empty: rungs that show examples or learn from them cannot run")
    if spec.knowledge is not None:
        notes.append(spec.knowledge.note)
    counts = ", ".join(f"{len(splits[split]):,} {split}" for split in SPLITS)
    return Task(
        name=spec.name,
        instruction=spec.instruction,
        train=tuple(splits["train"]),
        dev=tuple(splits["dev"]),
        test=tuple(splits["test"]),
        metrics=spec.metrics,
        labels=spec.labels,
        target=spec.target,
        margin=spec.margin,
        sampling=spec.sampling,
        rungs=spec.rungs,
        seed=spec.seed,
        seeds=spec.seeds,
        prices=spec.prices,
        knowledge=spec.knowledge,
        notes=(f"rows: {counts}", *notes),
        path=path,
    )
