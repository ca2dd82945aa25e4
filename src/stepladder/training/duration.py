"""The time of a training before it starts: its work, over what this machine is measured to give.

    timing = Timing.probed(model, collator, job, forecast, "bf16")
    timing.seconds(train, dev)      # of all updates and of all looks at dev

One update on the longest batch is timed by the rehearsal's counts; the other batches, and dev's
passes, by their work against that one's, in closed form. It is the plan that is timed: a training
that dev stops early takes less.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from stepladder.forecast import Batch, Forecast, Speed, Work, probe, work_of
from stepladder.records import TrainingJob
from stepladder.training.batches import Collator, Encoded, Row, by_length
from stepladder.training.progress import Reporter
from stepladder.training.workfolder import WorkFolder

_LONGEST_STRETCH = 250
"""Updates between two looks at dev (and two checkpoints), where an epoch is longer than this."""


class Plan(NamedTuple):
    """Updates: in all, and from one look at dev to the next."""

    steps: int
    stretch: int


def plan_of(job: TrainingJob, rows: int) -> Plan:
    epoch = math.ceil(rows / job.fit.batch_size)
    steps = max(1, math.ceil(epoch * job.fit.epochs))
    return Plan(steps, min(steps, epoch, _LONGEST_STRETCH))


class Timing(NamedTuple):
    """What the time of one training is told from."""

    model: Any
    """As it is trained; its tensors may lie on the meta device."""
    collator: Collator
    job: TrainingJob
    forecast: Forecast
    """Of the longest batch."""
    speed: Speed

    @classmethod
    def probed(
        cls,
        model: Any,
        collator: Collator,
        job: TrainingJob,
        forecast: Forecast,
        precision: str,
    ) -> Timing:
        return cls(model, collator, job, forecast, probe(model, precision, forecast.batch))

    def seconds(self, train: Encoded, dev: Encoded) -> float:
        """Of the plan's updates, and of a look at dev before the first and after every stretch."""
        plan = plan_of(self.job, len(train.rows))
        whole = self.speed.seconds(self.forecast) / work_of(self.model, self.forecast.batch).update
        batches = self._works(train.rows)
        epoch = sum(work.update for work in batches)
        looks = 1 + math.ceil(plan.steps / plan.stretch)
        once = sum(work.forward for work in self._works(dev.rows))
        return whole * (epoch * plan.steps / len(batches) + looks * once)

    def _works(self, rows: Sequence[Row]) -> list[Work]:
        shapes = [self._shape(batch) for batch in by_length(rows, self.job.fit.batch_size)]
        known = {shape: work_of(self.model, shape) for shape in set(shapes)}
        return [known[shape] for shape in shapes]

    def _shape(self, rows: Sequence[Row]) -> Batch:
        """About as the collator pads them; a token more or less makes no difference here."""
        if self.collator.encoder_decoder:
            longest = max(len(row.prompt) for row in rows)
            return Batch(len(rows), longest, max(len(row.answer) for row in rows))
        answer = math.ceil(sum(len(row.answer) for row in rows) / len(rows))
        longest = max(row.size for row in rows)
        common = self.collator.common(rows).get("common", 0)
        return Batch(len(rows), longest - answer, answer, common)


def settle_seconds(
    timing: Timing, train: Encoded, dev: Encoded, work: WorkFolder, reporter: Reporter
) -> None:
    """Notes what the whole training will have taken at its end, with what has passed. Told once: a
    training that goes on would tell the rest alone."""
    settled = work.settled()
    if "foretold_seconds" not in settled:
        seconds = reporter.seconds + timing.seconds(train, dev)
        work.settle(settled | {"foretold_seconds": round(seconds, 3)})
