"""What a rung's requests take on this machine, told before its model is loaded.

    answers = seconds_here("float32")
    answers(checkpoint, asked_of(task, adaptation, prompts=[60, 71], shared=40, answers=[3, 8]))

Seconds of a request rest on how a study asks: a shard at a time, whose rows are answered together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import mean

from stepladder.adaptation import Adaptation
from stepladder.engines.pace import Asked, pace_of
from stepladder.errors import StepladderError
from stepladder.metrics import build_metrics
from stepladder.records import Checkpoint
from stepladder.study.evidence import Extent
from stepladder.study.shards import shard_ends
from stepladder.tasks import Task

ForeseeAnswers = Callable[[Checkpoint, Asked], float | None]
"""Seconds of one answer; None where this machine cannot be asked."""


def seconds_here(dtype: str) -> ForeseeAnswers:
    """By a probe of the engine in this process, once for each model."""

    def seconds(checkpoint: Checkpoint, asked: Asked) -> float | None:
        try:
            pace = pace_of(str(checkpoint.folder), dtype)
        except (StepladderError, ImportError):
            return None
        return None if pace is None else pace.seconds(asked)

    return seconds


def asked_of(
    task: Task,
    adaptation: Adaptation,
    *,
    prompts: Sequence[int],
    shared: int,
    answers: Sequence[int],
) -> Asked:
    """Of one answer, where a request may have several; lengths are tokens. `shared` is what all
    prompts begin with."""
    samples = adaptation.samples
    metric = build_metrics([task.deciding], task.labels, [e.references for e in task.test])[0]
    shards = len(shard_ends(Extent.of(len(task.test)), corpus=not metric.mean))
    rows = max(1, round(len(task.test) / shards))
    starts = range(0, len(answers), rows)
    shared = min(shared, *prompts)
    return Asked(
        shared=shared / samples,
        own=(mean(prompts) - shared) / samples,
        answer=mean(answers),
        longest=mean(max(answers[start : start + rows]) for start in starts),
        rows=rows * samples,
        requests=len(task.test),
    )
