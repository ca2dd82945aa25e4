"""What a study will do, fixed before the first answer: its rungs, its models, its settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from stepladder.checkpoints import DTYPES, short_names
from stepladder.engines.opening import check_dtype
from stepladder.errors import CheckpointError, MetricError, RungError, TaskError
from stepladder.methods import Rung, parse_rung
from stepladder.metrics import build_metrics
from stepladder.records import Endpoint, Json, Model, content_hash
from stepladder.tasks import OutputsRung, Task, outputs_file, read_outputs

DEFAULT_RUNGS = ("zero-shot", "one-shot", "few-shot(4)", "lora", "full")


@dataclass(frozen=True, slots=True)
class PlannedRung:
    """A rung on a model, or a file of somebody's outputs."""

    name: str
    """Unique in the study."""
    checkpoint: Model | None
    rung: Rung | OutputsRung

    @property
    def methods(self) -> tuple[str, ...]:
        return tuple(self.rung.name.split(" + ")) if isinstance(self.rung, Rung) else ("outputs",)


@dataclass(frozen=True, slots=True)
class Plan:
    """A task, the rungs to climb, and all settings that decide the outcome."""

    task: Task
    rungs: tuple[PlannedRung, ...]
    requests: int
    """Traffic that costs are spread over."""
    dtype: str = "float32"
    """What the weights are loaded as for answering; training decides for itself and records it."""
    go_on: bool = False
    """Ask every rung everything, whatever is decided."""

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Those that are asked, each once."""
        found = [p.checkpoint for p in self.rungs if isinstance(p.checkpoint, Endpoint)]
        return tuple(dict.fromkeys(found))

    def settings(self) -> Json:
        """What makes two studies the same study."""
        return {
            "task": self.task.fingerprint,
            "rungs": [
                [p.name, p.checkpoint.identity if p.checkpoint else _outputs_hash(p.rung)]
                for p in self.rungs
            ],
            "sampling": self.task.sampling.as_json(),
            "seed": self.task.seed,
            "dtype": self.dtype,
            "requests": self.requests,
        }


def make_plan(
    task: Task,
    checkpoints: Sequence[Model],
    rungs: Sequence[str | OutputsRung] | None = None,
    *,
    requests: int = 100_000,
    go_on: bool = False,
    dtype: str = "float32",
) -> Plan:
    """Checks everything that can be checked without spending, and names every rung."""
    if requests < 1:
        raise TaskError(f"requests is {requests}; give the traffic to expect, 1 or more")
    if task.seeds < 1:
        raise TaskError(f"seeds is {task.seeds}; give how many builds to look at, 1 or more")
    _check_dtype(dtype, checkpoints)
    if not task.test:
        raise TaskError(f"task '{task.name}' has no test rows; name a test split")
    _check_measures(task)
    models = [checkpoint.name for checkpoint in checkpoints]
    _refuse_twice("model", models)
    called = short_names(models)
    planned: list[PlannedRung] = []
    for entry in _wanted(task, rungs):
        if isinstance(entry, OutputsRung):
            read_outputs(entry.path)  # refused now rather than after hours of other rungs
            planned.append(PlannedRung(entry.name, None, entry))
            continue
        rung = parse_rung(entry)
        if rung.learns and not task.train:
            raise RungError(f"rung '{rung.name}' trains, but task '{task.name}' has no train rows")
        if any(method.fills == "sampling" for method in rung.methods):
            _check_dev(task, rung)
        for checkpoint in checkpoints:
            rung.check(checkpoint)
            model = f"{called[checkpoint.name]}: " if len(checkpoints) > 1 else ""
            planned.append(PlannedRung(f"{model}{rung.name}", checkpoint, rung))
    _refuse_twice("rung", [p.name for p in planned])
    _refuse_other_words(planned)
    return Plan(task, tuple(planned), requests, dtype, go_on)


def _refuse_twice(what: str, names: Sequence[str]) -> None:
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise RungError(f"{what} '{twice}' stands twice in the list; leave one out")


def _refuse_other_words(planned: Sequence[PlannedRung]) -> None:
    """Refuses a rung that is another one under a name of its own."""
    built = [(p.name, p.checkpoint, p.rung) for p in planned if isinstance(p.rung, Rung)]
    for (name, on, rung), (other_name, other_on, other) in combinations(built, 2):
        if on == other_on and rung.methods == other.methods:
            raise RungError(
                f"rung '{other_name}' is '{name}' in other words; leave one of them out"
            )


def _wanted(task: Task, rungs: Sequence[str | OutputsRung] | None) -> list[str | OutputsRung]:
    """The rungs named beside the task, among them the text `outputs: FILE`; else its own."""
    if rungs is None:
        return list(task.rungs or DEFAULT_RUNGS)
    if not rungs:
        raise RungError("no rung is named; name one or more, such as: zero-shot, lora")
    files = [outputs_file(entry) if isinstance(entry, str) else None for entry in rungs]
    return [
        entry if file is None else OutputsRung.at(Path(file).expanduser())
        for entry, file in zip(rungs, files, strict=True)
    ]


def _check_dtype(dtype: str, models: Sequence[Model]) -> None:
    if dtype not in DTYPES:
        raise CheckpointError(f"dtype is '{dtype}'; give one of {', '.join(DTYPES)}")
    for model in models:
        check_dtype(model, dtype)


def _outputs_hash(rung: Rung | OutputsRung) -> str:
    """Of the answers too: a file that was changed since makes another study."""
    answers = read_outputs(rung.path) if isinstance(rung, OutputsRung) else None
    return content_hash([str(rung), answers])


def _check_dev(task: Task, rung: Rung) -> None:
    """Refuses a rung that is graded on dev rows by a metric that does not fit them."""
    try:
        build_metrics([task.deciding], task.labels, [e.references for e in task.dev])
    except MetricError as error:
        raise MetricError(f"rung '{rung.name}' tries settings on dev: {error}") from error


def _check_measures(task: Task) -> None:
    """Refuses metrics that do not fit, and a target or margin that is not on the metric's scale."""
    references = [e.references for e in task.test]
    build_metrics(task.metrics, task.labels, references)
    (metric,) = build_metrics([task.deciding], task.labels, references)
    if task.target is not None:
        wanted = "at_least" if metric.better == "higher" else "at_most"
        if getattr(task.target, wanted) is None:
            raise MetricError(
                f"target: {metric.name} is better when it is {metric.better}; write {wanted}"
            )
    scale = 100 / metric.times
    value = task.target.value if task.target else task.margin
    if value is not None and value > scale:
        raise MetricError(
            f"{'target' if task.target else 'margin'}: {value:g} is beyond {metric.name}'s scale "
            f"of 0 to {scale:g}; write {value / 100 * scale:g} for {value:g} points of 100"
        )
