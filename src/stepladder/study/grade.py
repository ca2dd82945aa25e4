"""Grades the rungs of a study on the same items, in the order of asking: scores, failures, costs.

A rung that was not asked to the end is graded on the first items, those that it was asked. A
failure of the rung's own is graded as an empty answer. An answer that the machine owes is graded
twice, at the metric's worst and at its best; then there is no value, only the range between.

Of a mean these are the ends of its scale. The worst of a corpus measure cannot be known, and an
empty answer is not it (BLEU's precision stays, macro-F1 has no wrong label to count): taken is the
worst of nothing at all, the rung's longest answer, and each label (or, where it is right, the next)
wherever an answer is owed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import inf

import numpy as np

from stepladder.contracts import Floats, Metric
from stepladder.metrics import build_metrics, score
from stepladder.records import Cost, Example, Generation, Score
from stepladder.study.climb import Climbed
from stepladder.study.evidence import Extent, Measured
from stepladder.study.shards import item_order
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
    """By metric, one row an item in the order of asking."""
    items: tuple[Example, ...] = ()
    """Those that it was asked."""


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
        self.items: tuple[Example, ...] = tuple(
            task.test[place] for place in item_order(task.test, task.seed)
        )
        """All test items in the order of asking."""
        groups = [e.group for e in self.items if e.group is not None]
        whole = len(groups) == len(self.items)
        self.groups = np.unique(np.array(groups), return_inverse=True)[1] if whole else None
        self.extent = Extent.of(len(self.items), self.groups)
        self._rows: dict[tuple[str, str, str], Floats] = {}

    def measure(self, climbed: Climbed, asked: int) -> Measured:
        """The deciding metric's rows of the first `asked` items, for the race and the verdict."""
        items = self.items[:asked]
        worst = self._statistics(self.deciding, climbed, items)
        missing = _missing(climbed, items)
        best = self._statistics(self.deciding, climbed, items, as_best=True)
        return Measured(
            name=climbed.planned.name,
            statistics=worst,
            worst=worst,
            best=best if missing else worst,
            cost=cost_of(_first(climbed, items)).total_seconds(self._requests),
            groups=None if self.groups is None else self.groups[:asked],
            refused=climbed.forgetting.refusal if climbed.forgetting else None,
        )

    def grade(self, climbed: Climbed, asked: int) -> Graded:
        """All metrics, costs and failures of a rung on the first `asked` items; none were asked
        where it was left out."""
        items = self.items[:asked]
        climbed = _first(climbed, items)
        if climbed.error is not None or not items:
            return Graded(climbed, {}, cost_of(climbed), {}, 0, None, None, {})
        missing = _missing(climbed, items)
        statistics, scores = {}, {}
        for name, metric in self.metrics.items():
            statistics[name] = self._statistics(metric, climbed, items)
            scores[name] = self._score(metric, climbed, statistics[name], items, missing)
        found = list(climbed.generations.values())
        finishes = [g.finish for g in found if g.finish not in (None, "over-context")]
        return Graded(
            climbed,
            scores,
            cost_of(climbed),
            failures=dict(Counter(g.failure.cause for g in found if g.failure is not None)),
            missing=missing,
            cut_share=finishes.count("length") / len(finishes) if finishes else None,
            measured=self.measure(climbed, asked),
            statistics=statistics,
            items=items,
        )

    def _statistics(
        self,
        metric: Metric,
        climbed: Climbed,
        items: Sequence[Example],
        as_best: bool = False,
    ) -> Floats:
        """A row an item; owed answers are as bad as they may be, or as good. Rows of answers are
        kept: every shard adds a few."""
        rung = climbed.planned.name
        keys = [(rung, metric.name, item.id) for item in items]
        new = [
            (key, climbed.generations[item.id].answer, item.references)
            for key, item in zip(keys, items, strict=True)
            if item.id in climbed.generations and key not in self._rows
        ]
        if new:
            rows = metric.statistics([answer for _, answer, _ in new], [r for *_, r in new])
            self._rows.update((key, row) for (key, *_), row in zip(new, rows, strict=True))
        owed = [item for item in items if item.id not in climbed.generations]
        if not owed:
            return np.stack([self._rows[key] for key in keys])
        wholes = []
        for stand_ins in self._stand_ins(metric, climbed, owed, as_best):
            by_id = {item.id: row for item, row in zip(owed, stand_ins, strict=True)}
            wholes.append(
                np.stack([by_id[key[2]] if key[2] in by_id else self._rows[key] for key in keys])
            )
        return min(wholes, key=partial(_turned, metric))

    def _stand_ins(
        self, metric: Metric, climbed: Climbed, owed: Sequence[Example], as_best: bool
    ) -> Iterator[Floats]:
        """Rows for owed answers: the best, or several of which one is the worst."""
        references, labels = [item.references for item in owed], self._task.labels
        longest = max((g.answer for g in climbed.generations.values()), key=len, default="")
        by_label = [labels[i:] + labels[:i] for i in range(len(labels))]
        for guesses in [(), (longest,), *by_label] if not (as_best or metric.mean) else [()]:
            answers = [
                accepted[0] if as_best else next((g for g in guesses if g not in accepted), "")
                for accepted in references
            ]
            rows = metric.statistics(answers, references)
            if metric.mean:
                rows[:, 0] = float(as_best == (metric.better == "higher"))
            yield rows

    def _score(
        self,
        metric: Metric,
        climbed: Climbed,
        rows: Floats,
        items: Sequence[Example],
        missing: int,
    ) -> Score:
        groups = None if self.groups is None else self.groups[: len(rows)]
        whole = score(metric, rows, groups, self._task.seed)
        if not missing:
            return whole
        best = self._statistics(metric, climbed, items, as_best=True)
        ends = [metric.aggregate(rows), metric.aggregate(best)]
        known = [end for end in ends if end is not None]
        low, high = (min(known), max(known)) if known else (None, None)
        return replace(whole, value=None, low=low, high=high, n=len(rows) - missing, details={})


def _turned(metric: Metric, rows: Floats) -> float:
    """The score, more being better; infinite where there is none."""
    value = metric.aggregate(rows)
    return inf if value is None else value if metric.better == "higher" else -value


def _missing(climbed: Climbed, items: Sequence[Example]) -> int:
    return sum(item.id not in climbed.generations for item in items)


def _first(climbed: Climbed, items: Sequence[Example]) -> Climbed:
    """With the answers to these items alone, in their order."""
    found = climbed.generations
    kept = {item.id: found[item.id] for item in items if item.id in found}
    return replace(climbed, generations=kept)


def cost_of(climbed: Climbed) -> Cost:
    """What the rung costs, as measured: means over the requests that were really answered."""
    build, rung = climbed.build, climbed.planned.rung
    asked = [g for g in climbed.generations.values() if g.finish != "over-context"]
    given = rung if isinstance(rung, OutputsRung) else None
    return Cost(
        build_seconds=build.seconds if given is None or given.seconds is None else 0.0,
        peak_memory=build.peak_memory,
        foretold_memory=build.foretold_memory,
        foretold_seconds=build.foretold_seconds,
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
