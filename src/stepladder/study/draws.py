"""Which rungs hold something drawn by the seed, and what repeating them would cost.

    draws(planned, task)          # False: every seed would be the same build
    foresee_repeats(plan, predictions).trainings

A training draws its order and what it begins with. Of all else the rung is put together under each
seed, without touching a model: where nothing differs, nothing is drawn. The sampling of answers has
a seed of its own, which stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from stepladder.adaptation import Adaptation
from stepladder.errors import RungError
from stepladder.methods import Rung
from stepladder.records import HeadJob
from stepladder.study.dry_run import DryRun, dry_run
from stepladder.study.plan import Plan, PlannedRung
from stepladder.study.predict import Prediction
from stepladder.tasks import Task


@dataclass(frozen=True, slots=True)
class RepeatsForesight:
    """What further seeds cost at most, should every rung that draws have to be repeated."""

    rungs: tuple[str, ...]
    unmoved: tuple[str, ...]
    """Those that draw nothing."""
    trainings: int
    requests: int
    seconds: float | None
    """None where the time of one of them is not predicted."""


def seeds_of(task: Task) -> tuple[int, ...]:
    """The first is the task's own."""
    return tuple(range(task.seed, task.seed + task.seeds))


def draws(planned: PlannedRung, task: Task) -> bool:
    """Whether another seed is another build."""
    rung, checkpoint = planned.rung, planned.checkpoint
    if not isinstance(rung, Rung) or checkpoint is None:
        return False
    if rung.trains:
        return True
    first, *others = (
        _made(dry_run(rung, replace(task, seed=seed), checkpoint, rows=0))
        for seed in seeds_of(task)
    )
    return any(other != first for other in others)


def _made(dry: DryRun) -> tuple[Adaptation, HeadJob | None]:
    head = dry.head
    # The nearest rows are what they are; the other heads draw the folds that they choose by.
    if head is not None and head.kind == "neighbours":
        head = replace(head, seed=0)
    return dry.adaptation, head


def check_seeds(plan: Plan) -> None:
    """Raises RungError where several seeds are wanted and no rung draws anything."""
    task = plan.task
    if task.seeds > 1 and not any(draws(planned, task) for planned in plan.rungs):
        names = ", ".join(planned.name for planned in plan.rungs)
        raise RungError(
            f"seeds is {task.seeds}, but no rung trains or draws its demonstrations ({names}), so "
            "every seed would be the same; leave seeds out, or give --seeds 1"
        )


def foresee_repeats(plan: Plan, predictions: Sequence[Prediction]) -> RepeatsForesight | None:
    """None for a task with one seed."""
    task, more = plan.task, plan.task.seeds - 1
    if not more:
        return None
    by_name = {prediction.name: prediction for prediction in predictions}
    drawn = [planned for planned in plan.rungs if draws(planned, task)]
    trainings = requests = 0
    seconds: float | None = 0.0
    for planned in drawn:
        assert isinstance(planned.rung, Rung) and planned.checkpoint is not None
        dry = dry_run(planned.rung, task, planned.checkpoint, rows=0)
        trainings += more * sum(training.work.trainings for training in dry.trainings)
        tried = len(task.dev) * sum(trial.samples for trial in dry.trials)
        requests += more * (len(task.test) + tried)
        once = by_name[planned.name].total(len(task.test))
        seconds = None if seconds is None or once is None else seconds + more * once
    unmoved = tuple(planned.name for planned in plan.rungs if planned not in drawn)
    return RepeatsForesight(
        tuple(planned.name for planned in drawn), unmoved, trainings, requests, seconds
    )
