"""What a rung would ask and train on, rendered without touching a model.

    dry = dry_run(parse_rung("few-shot(2) + lora"), task, checkpoint)
    dry.prompts[0].text, dry.trainings[0].rows

Methods adapt as in a climb, on a workbench that keeps what it is asked to train, fit or try.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple

from stepladder.adaptation import Adaptation, Prompter
from stepladder.contracts import TrainingMethod
from stepladder.methods import Rung
from stepladder.methods.tuning import Work, check_rows, others, work_of
from stepladder.records import (
    Build,
    Example,
    HeadJob,
    Model,
    OtherRow,
    Prompt,
    Score,
    TrainingJob,
    Trial,
)
from stepladder.study.fitting import base_adaptation, virtual_tokens_to_come
from stepladder.study.replay import replay_rows
from stepladder.tasks import Task

Fit = Callable[[Adaptation, int], tuple[Adaptation, str | None]]
"""Drops the demonstrations that do not fit the context but for so many tokens, and says so."""

LOOKED_AT = 40
"""Rows that a mean length is taken from."""


class DryTraining(NamedTuple):
    rows: int
    """Of the mixture."""
    work: Work
    prompts: list[Prompt]
    """Some of those that it would train on."""
    job: TrainingJob | None
    """What would be run, where it was asked for: on the model as it is before any training."""

    @property
    def repeats(self) -> float:
        """How often the job's passes are done, with those of a search for its learning rate."""
        return self.work.epochs / self.job.fit.epochs if self.job else 1.0


class DryRun(NamedTuple):
    prompts: list[Prompt]
    """Some of those that would be asked."""
    trainings: tuple[DryTraining, ...]
    """One after the other."""
    adaptation: Adaptation
    """Without what would be trained."""
    notes: tuple[str, ...] = ()
    head: HeadJob | None = None
    """The head that would be fitted."""
    trials: tuple[Adaptation, ...] = ()
    """What would be tried on dev."""


class _Kept(Exception):
    """A training was asked for, and is not run."""


class _NoTraining:
    """A workbench that keeps what it should train."""

    def __init__(self, task: Task) -> None:
        self.seed = task.seed
        self.replay: Sequence[OtherRow] = replay_rows(task) if task.replay else ()
        self.knowledge = task.knowledge
        self.job: TrainingJob | None = None
        self.head: HeadJob | None = None
        self.trials: list[Adaptation] = []
        self.notes: list[str] = []

    def train(self, job: TrainingJob, *, trial: bool = False) -> Build:
        self.job = job
        raise _Kept

    def fit_head(self, job: HeadJob) -> Build:
        self.head = job
        raise _Kept

    def score_dev(self, setting: str, adaptation: Adaptation, dev: Sequence[Example]) -> Trial:
        self.trials.append(adaptation)
        return Trial(setting, Score("", None, None, None, 0, ""), None)

    def record_trials(self, trials: Sequence[Trial]) -> None:
        cheapest = next(trial.setting for trial in trials if trial.chosen)
        self.notes.append(
            f"tries {len(trials)} settings on dev; a request is predicted for {cheapest}"
        )


def dry_run(
    rung: Rung,
    task: Task,
    checkpoint: Model,
    rows: int = LOOKED_AT,
    fit: Fit | None = None,
    *,
    with_job: bool = False,
) -> DryRun:
    """Renders what the rung would ask and train on; no model is touched. Raises RungError for what
    the task's rows do not allow."""
    adaptation, bench = base_adaptation(task, checkpoint), _NoTraining(task)
    trainings: list[DryTraining] = []
    notes: list[str] = []

    def rendered(examples: Sequence[Example]) -> list[Prompt]:
        return [adaptation.prompter.render(e.query) for e in examples[:rows]]

    for method in rung.methods:
        if method.fills == "head":
            with suppress(_Kept):
                method.adapt(adaptation, task.train, task.dev, bench)
            adaptation = replace(adaptation, prompter=Prompter(input_alone=True))
        elif method.fills is not None:
            adaptation = method.adapt(adaptation, task.train, task.dev, bench)
            if fit is not None:
                adaptation, note = fit(adaptation, virtual_tokens_to_come(rung, adaptation))
                notes += [note] if note else []
        else:
            trainer: TrainingMethod = method  # type: ignore[assignment]
            check_rows(adaptation, task.train)
            work = work_of(trainer, len(task.train), len(task.dev))
            if not task.dev:
                notes.append("no dev rows: its training stops by its plan alone")
            if with_job:  # which renders every row
                with suppress(_Kept):
                    method.adapt(adaptation, task.train, task.dev, bench)
            mixture = len(task.train) + len(others(trainer, len(task.train), bench.replay))
            trainings.append(DryTraining(mixture, work, rendered(task.train), bench.job))
    prompts = rendered(task.test)
    noted = (*notes, *bench.notes)
    return DryRun(prompts, tuple(trainings), adaptation, noted, bench.head, tuple(bench.trials))
