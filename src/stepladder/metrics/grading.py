"""From the names of metrics to scores: which metrics fit a task, and what they say of answers.

graded = grade(task.test, {"1": "the cat sat"}, build_metrics(["rougeL"], None, references))
graded.scores["rougeL"].value, graded.missing
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from stepladder import registry
from stepladder.contracts import Floats, Metric
from stepladder.errors import MetricError
from stepladder.records import Example, Score
from stepladder.statistics import Groups, confidence_interval

References = Sequence[Sequence[str]]
"""Accepted answers for each example."""


@runtime_checkable
class Particular(Protocol):
    """A metric that not every set of references fits."""

    def check(self, references: References) -> None:
        """Raises MetricError, naming the example, where a reference does not fit."""
        ...


@runtime_checkable
class Cautious(Protocol):
    """A metric that may fit its references badly."""

    def warnings(self, references: References) -> list[str]:
        """A line for everything that the user should know before trusting the score."""
        ...


class Graded(NamedTuple):
    """What a set of outputs is worth."""

    scores: dict[str, Score]
    """By the metric's name, in the order given."""
    missing: tuple[str, ...]
    """Ids of examples without an output, scored as empty."""
    unknown: tuple[str, ...]
    """Ids of outputs that belong to no example, left out."""


def build_metrics(
    specs: Sequence[str], labels: Sequence[str] | None, references: References
) -> list[Metric]:
    """The metrics that `specs` name, such as `rougeL(references=mean)`; the first one decides.

    Raises MetricError where a name or setting is unknown, a metric is named twice, or one does not
    fit the task: labels where there are none, numbers where a reference has none.
    """
    counts = {len(accepted) for accepted in references}
    context = {
        "labels": tuple(labels) if labels else None,
        "nrefs": "var" if len(counts) > 1 else next(iter(counts), None),
    }
    metrics: list[Metric] = []
    for spec in specs:
        metric = registry.build("metrics", spec, **context)
        if any(metric.name == other.name for other in metrics):
            raise MetricError(f"metric '{metric.name}' is named twice; leave one out")
        if isinstance(metric, Particular):
            metric.check(references)
        metrics.append(metric)
    if not metrics:
        raise MetricError("no metric is named; name one or more, the deciding one first")
    return metrics


def warnings(metric: Metric, references: References) -> list[str]:
    """What the user should know before trusting this metric on these references."""
    return metric.warnings(references) if isinstance(metric, Cautious) else []


def score(
    metric: Metric,
    statistics: Floats,
    groups: Groups | None = None,
    seed: int = 0,
) -> Score:
    """Value, 95 % interval and parts from rows of statistics, shape (examples, columns).

    `groups` names the group of each row (None: a row of its own); whole groups are resampled.
    """
    low, high = confidence_interval(
        metric.aggregate,
        statistics[:, :1] if metric.mean else statistics,
        groups,
        scale=(0.0, 100 / metric.times),
        seed=seed,
    )
    return Score(
        metric=metric.name,
        value=metric.aggregate(statistics),
        low=low,
        high=high,
        n=len(statistics),
        signature=metric.signature,
        better=metric.better,
        times=metric.times,
        details=metric.details(statistics),
    )


def grade(
    examples: Sequence[Example],
    outputs: Mapping[str, str],
    metrics: Sequence[Metric],
    seed: int = 0,
) -> Graded:
    """Scores outputs by the id of their example; a missing one counts as empty.

    Raises MetricError where no output belongs to any example.
    """
    ids = [example.id for example in examples]
    known = set(ids)
    missing = tuple(id for id in ids if id not in outputs)
    unknown = tuple(id for id in outputs if id not in known)
    if len(missing) == len(examples):
        raise MetricError(
            f"no output belongs to any of the {len(ids):,} examples: their ids are like "
            f"{_first(ids)}, those of the outputs like {_first(unknown)}; "
            "give each output the id of its example ('id: FIELD' in the task file takes it from a "
            "field of the data)"
        )
    answers = [outputs.get(id, "") for id in ids]
    references = [example.references for example in examples]
    groups = [example.group for example in examples]
    scores = {
        metric.name: score(metric, metric.statistics(answers, references), groups, seed)
        for metric in metrics
    }
    return Graded(scores, missing, unknown)


def _first(ids: Sequence[str]) -> str:
    return ", ".join(repr(id) for id in ids[:3]) or "(none)"
