"""Grades the rungs of a study on the same items: scores, failures, costs.

A failure of the rung's own is graded as an empty answer. An answer that the machine owes is graded
twice, at the metric's worst and at its best; then there is no value, only the range between.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from stepladder.contracts import Floats, Metric
from stepladder.metrics import build_metrics, score
from stepladder.records import Cost, Generation, Score
from stepladder.study.climb import Climbed
from stepladder.study.verdict import Measured
from stepladder.tasks import OutputsRung, Task


@dataclass(frozen=True)
class Graded:
    """A climbed rung with everything that the table shows of it."""

    climbed: Climbed
    scores: Mapping[str, Score]
    cost: Cost
    failures: Mapping[str, int]
    missing: int
    cut_share: float | None
    measured: Measured | None
    """The deciding metric's rows, for the verdict; None for a rung without answers."""
    statistics: Mapping[str, Floats]
    """By metric, one row a test item in the order of the task."""


class Grader:
    """Grades rung after rung of one task."""

    def __init__(self, task: Task, requests: int) -> None:
        references = [e.references for e in task.test]
        specs = list(dict.fromkeys([task.deciding, *task.metrics]))
        metrics: list[Metric] = build_metrics(specs, task.labels, references)
        self.metrics = dict(zip(specs, metrics, strict=True))
        self.deciding = self.metrics[task.deciding]
        self._task = task
        self._requests = requests
        groups = [e.group for e in task.test if e.group is not None]
        whole = len(groups) == len(task.test)
        self._groups = np.unique(np.array(groups), return_inverse=True)[1] if whole else None
        # Bounds depend on the order of the items, so the order must not be that of a file.
        self._by_id = np.argsort([e.id for e in task.test])

    def grade(self, climbed: Climbed) -> Graded:
        """All metrics, costs and failures of a rung."""
        if climbed.error is not None or climbed.skipped:
            return Graded(climbed, {}, cost_of(climbed), {}, 0, None, None, {})
        ids = [e.id for e in self._task.test]
        missing = sum(i not in climbed.generations for i in ids)
        found = [climbed.generations[i] for i in ids if i in climbed.generations]
        statistics, scores = {}, {}
        for name, metric in self.metrics.items():
            statistics[name] = self._statistics(metric, climbed, missing_as=None)
            scores[name] = self._score(metric, climbed, statistics[name], missing)
        cost = cost_of(climbed)
        finishes = [g.finish for g in found if g.finish not in (None, "over-context")]
        cut = finishes.count("length") / len(finishes) if finishes else None
        failures = dict(Counter(g.failure.cause for g in found if g.failure is not None))
        worst = statistics[self._task.deciding]
        best = self._statistics(self.deciding, climbed, missing_as=0) if missing else worst
        measured = Measured(
            name=climbed.planned.name,
            statistics=worst[self._by_id],
            worst=worst[self._by_id],
            best=best[self._by_id],
            cost=cost.total_seconds(self._requests),
            groups=None if self._groups is None else self._groups[self._by_id],
        )
        return Graded(climbed, scores, cost, failures, missing, cut, measured, statistics)

    def _statistics(self, metric: Metric, climbed: Climbed, missing_as: int | None) -> Floats:
        """Rows for all items; owed answers are empty, or their `missing_as`-th reference."""
        answers = []
        for example in self._task.test:
            generation = climbed.generations.get(example.id)
            if generation is not None:
                answers.append(generation.answer)
            else:
                answers.append("" if missing_as is None else example.references[missing_as])
        return metric.statistics(answers, [e.references for e in self._task.test])

    def _score(self, metric: Metric, climbed: Climbed, rows: Floats, missing: int) -> Score:
        whole = score(metric, rows, self._groups, self._task.seed)
        if not missing:
            return whole
        ends = [
            metric.aggregate(rows),
            metric.aggregate(self._statistics(metric, climbed, missing_as=0)),
        ]
        known = [end for end in ends if end is not None]
        low, high = (min(known), max(known)) if known else (None, None)
        return replace(whole, value=None, low=low, high=high, n=len(rows) - missing, details={})


def cost_of(climbed: Climbed) -> Cost:
    """What the rung costs, as measured: means over the requests that were really answered."""
    build, rung = climbed.build, climbed.planned.rung
    asked = [g for g in climbed.generations.values() if g.finish != "over-context"]
    given = rung if isinstance(rung, OutputsRung) else None
    return Cost(
        build_seconds=build.seconds if given is None or given.seconds is None else 0.0,
        peak_memory=build.peak_memory,
        trainable=build.trainable,
        stored=build.stored,
        labels=build.labels,
        tokens_in=given.tokens_in if given else _mean([g.tokens_in for g in asked]),
        tokens_out=given.tokens_out if given else _mean([g.tokens_out for g in asked]),
        seconds=given.seconds if given else _mean([g.seconds for g in asked]),
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return sum(known) / len(known) if known and len(known) == len(values) else None


def shown_text(generation: Generation | None) -> str:
    """What the side-by-side view shows: the answer, or the raw completion where none was read."""
    if generation is None:
        return ""
    return generation.text.strip() if generation.failure else generation.answer
