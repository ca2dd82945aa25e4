"""Grades an adaptation on dev rows, for methods that choose by trying.

    examiner = DevExaminer(task, climber.engine, watcher)
    trial = examiner.score("decoding", "temperature=0.7", adaptation, task.dev)
    trial.score.value, trial.score.low, trial.score.high

The answers go through the same ledger as those of test items, so that nothing is asked twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from stepladder.adaptation import Adaptation
from stepladder.contracts import Engine
from stepladder.errors import EngineError, TrainingError
from stepladder.metrics import build_metrics, score
from stepladder.plurals import counted
from stepladder.records import Example, Generation, Model, Trial
from stepladder.study.watch import Watcher
from stepladder.tasks import Task


class DevExaminer:
    """Asks and grades rows that are no test items."""

    def __init__(self, task: Task, engine: Callable[[Model], Engine], watcher: Watcher) -> None:
        self._task = task
        self._engine = engine
        self._watcher = watcher

    def score(
        self, rung: str, setting: str, adaptation: Adaptation, rows: Sequence[Example]
    ) -> Trial:
        """By the measure that decides. A failure of the rung's own counts as an empty answer;
        raises TrainingError where the machine owes one."""
        self._watcher.stage(rung, f"trying {setting}", len(rows))
        found = self._asked(setting, adaptation, rows)
        references = [row.references for row in rows]
        (metric,) = build_metrics([self._task.deciding], self._task.labels, references)
        statistics = metric.statistics([g.answer for g in found], references)
        groups = [row.group for row in rows]
        units = None if None in groups else np.unique(np.array(groups), return_inverse=True)[1]
        seconds = [g.seconds for g in found if g.seconds is not None]
        return Trial(
            setting,
            score(metric, statistics, units, seed=self._task.seed),
            seconds=sum(seconds) if len(seconds) == len(found) else None,
            answers=adaptation.samples * len(found),
        )

    def _asked(
        self, setting: str, adaptation: Adaptation, rows: Sequence[Example]
    ) -> list[Generation]:
        """In the order of the rows."""
        found: dict[str, Generation] = {}
        queries = [row.query for row in rows]
        try:
            for generation in adaptation.generate(self._engine(adaptation.checkpoint), queries):
                found[generation.id] = generation
                self._watcher.reach(len(found))
        except EngineError as error:
            raise TrainingError(f"{setting} could not be tried on dev: {error}") from error
        owed = [g.failure for g in found.values() if g.failure and g.failure.machine]
        if owed:
            raise TrainingError(
                f"{setting} could not be tried on dev for want of "
                f"{counted(len(owed), 'answer')}, the first by '{owed[0].cause}'; see to the "
                "machine and run the same again"
            )
        return [found[row.id] for row in rows]


def choice_of(trials: Sequence[Trial]) -> list[str]:
    """The note that the rung carries: what was chosen, and among how many."""
    chosen = next((trial for trial in trials if trial.chosen), None)
    if chosen is None:
        return []
    found = chosen.score
    value = None if found.value is None else found.value * found.times
    came = "" if value is None else f" ({found.metric} {value:.4g} there)"
    return [f"{chosen.setting} was chosen among {len(trials)} on {found.n:,} dev rows{came}"]
