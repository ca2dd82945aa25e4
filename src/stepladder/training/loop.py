"""transformers' Trainer, with its sampler, its dev loss and its care for numbers replaced."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from transformers import Trainer, TrainerCallback

from stepladder.errors import TrainingError
from stepladder.training.batches import IGNORED, LengthGroups, by_length
from stepladder.training.memory import MemoryMeter
from stepladder.training.progress import Reporter


class StepladderTrainer(Trainer):
    """Batches by `LengthGroups`, dev's loss a token, and an end at the first loss or gradient
    that is not a number: the Trainer itself would go on and write broken weights."""

    last_loss: float | None = None
    """Of the last update."""

    def _get_train_sampler(self, train_dataset: Any = None) -> LengthGroups:
        return LengthGroups(self.train_dataset, self.args.train_batch_size, self.args.seed)  # type: ignore[arg-type]

    def training_step(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        loss: torch.Tensor = super().training_step(*args, **kwargs)
        self.last_loss = loss.item()
        self._hold(self.last_loss, "loss")
        return loss

    def _clip_grad_norm(self, model: Any) -> Any:
        norm = super()._clip_grad_norm(model)  # type: ignore[no-untyped-call]
        self._hold(float(norm), "gradient's norm")
        return norm

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        metrics = {"eval_loss": self.dev_loss()}
        self._hold(metrics["eval_loss"], "loss on dev")
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(
            self.args, self.state, self.control, metrics
        )
        return metrics

    def dev_loss(self) -> float:
        """In nats a token of dev's answers.

        The Trainer's own takes the mean over batches, in which a token of a short answer counts
        for more.
        """
        model: Any = self.model
        collate: Any = self.data_collator
        model.eval()
        total, tokens = 0.0, 0
        with torch.no_grad():
            for rows in by_length(self.eval_dataset, self.args.eval_batch_size):  # type: ignore[arg-type]
                batch = self._prepare_inputs(collate(rows))
                counted = int((batch["labels"] != IGNORED).sum())
                total += float(self.compute_loss(model, batch)) * counted  # type: ignore[arg-type]
                tokens += counted
        return total / tokens

    def load_weights(self, checkpoint: Path) -> None:
        """A checkpoint's weights into the model."""
        self._load_from_checkpoint(str(checkpoint))

    def _hold(self, value: float, what: str) -> None:
        if not math.isfinite(value):
            raise TrainingError(
                f"the {what} became {value} at update {self.state.global_step + 1} of "
                f"{self.state.max_steps}; lower lr (now {self.args.learning_rate:g}); the last "
                "checkpoint before it is kept"
            )


class Reports(TrainerCallback):
    """Tells the progress to whoever waits outside this process."""

    def __init__(self, trainer: StepladderTrainer, reporter: Reporter, meter: MemoryMeter) -> None:
        self._trainer = trainer
        self._reporter = reporter
        self._meter = meter

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._report(state, None)

    def on_evaluate(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._report(state, kwargs["metrics"]["eval_loss"])

    def _report(self, state: Any, dev_loss: float | None) -> None:
        self._reporter.report(
            state.global_step,
            state.max_steps,
            self._trainer.last_loss,
            dev_loss=dev_loss,
            memory=self._meter.peak(),
        )
