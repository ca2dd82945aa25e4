"""transformers' Trainer, with its sampler, its dev loss and its care for numbers replaced."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import load_file, save_file
from transformers import Trainer, TrainerCallback

from stepladder.checkpoints.answer_loss import answer_loss, learned
from stepladder.errors import TrainingError
from stepladder.training.batches import IGNORED, LengthGroups, by_length
from stepladder.training.memory import MemoryMeter
from stepladder.training.progress import Reporter
from stepladder.training.workfolder import TRAINED

_NAMED = 4
"""Rows that a message names at most."""


class Pass(NamedTuple):
    """Of one batch, forward and back."""

    loss: float
    gradient: float
    """Its norm."""


OnePass = Callable[[dict[str, Any]], Pass]
"""Goes through a batch as an update does, and leaves no gradient."""


class StepladderTrainer(Trainer):
    """Batches by `LengthGroups`, dev's loss a token, and an end at the first loss or gradient
    that is not a number: the Trainer itself would go on and write broken weights."""

    last_loss: float | None = None
    """Of the last update."""
    spares_logits: bool = True
    """Whether logits are computed at the learned tokens alone; see `checkpoints.answer_loss`."""
    own_rates: Sequence[tuple[Sequence[torch.nn.Parameter], float]] = ()
    """Parameters with a highest learning rate of their own."""
    called: Sequence[str] = ()
    """What to call the training rows in messages."""
    before_updates: Callable[[OnePass], None] | None = None
    """What is to happen once, where the first update is about to be made."""

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        if self.optimizer is None and self.own_rates:
            own = {id(parameter) for some, _ in self.own_rates for parameter in some}
            whole: Any = self.model
            rest = [p for p in whole.parameters() if p.requires_grad and id(p) not in own]
            groups: list[Any] = [{"params": rest}]
            groups += [{"params": some, "lr": rate} for some, rate in self.own_rates]
            kind, settings = self.get_optimizer_cls_and_kwargs(self.args, whole)
            self.optimizer = kind(groups, **settings)
        return super().create_optimizer(model)

    def _get_train_sampler(self, train_dataset: Any = None) -> LengthGroups:
        return LengthGroups(self.train_dataset, self.args.train_batch_size, self.args.seed)  # type: ignore[arg-type]

    def training_step(self, model: Any, *args: Any, **kwargs: Any) -> torch.Tensor:
        if self.before_updates is not None:
            self.before_updates(partial(self._one_pass, model))
            self.before_updates = None
        loss: torch.Tensor = super().training_step(model, *args, **kwargs)
        self.last_loss = loss.item()
        self._hold(self.last_loss, "loss")
        return loss

    def _one_pass(self, model: Any, batch: dict[str, Any]) -> Pass:
        try:
            loss = super().training_step(model, dict(batch))
            gradients = [p.grad for p in model.parameters() if p.grad is not None]
            norm = torch.linalg.vector_norm(torch.stack([g.norm() for g in gradients]))
        finally:  # one that breaks off on its way back has left some of them
            model.zero_grad(set_to_none=True)
        return Pass(loss.item(), norm.item())

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        if return_outputs or not self.spares_logits:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        encoder_decoder = bool(model.config.is_encoder_decoder)
        found = learned(inputs, encoder_decoder=encoder_decoder)
        return answer_loss(model, inputs, found)

    def _clip_grad_norm(self, model: Any) -> Any:
        norm = super()._clip_grad_norm(model)  # type: ignore[no-untyped-call]
        self._hold(float(norm), "gradient's norm")
        return norm

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        metrics = {"eval_loss": self.dev_loss()}
        self._hold(metrics["eval_loss"], "loss on dev", of_update=False)
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
        with torch.no_grad(), self.accelerator.autocast():  # a model has it once it trains
            for rows in by_length(self.eval_dataset, self.args.eval_batch_size):  # type: ignore[arg-type]
                batch = self._prepare_inputs(collate(rows))
                counted = int((batch["labels"] != IGNORED).sum())
                total += float(self.compute_loss(model, batch)) * counted
                tokens += counted
        return total / tokens

    def load_weights(self, checkpoint: Path) -> None:
        """A checkpoint's weights into the model."""
        self._load_from_checkpoint(str(checkpoint))

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        """What is trained and nothing else, whatever the method."""
        assert output_dir is not None
        Path(output_dir).mkdir(parents=True, exist_ok=True)
        whole: Any = self.model
        state = {n: p.detach() for n, p in whole.named_parameters() if p.requires_grad}
        save_file(state, Path(output_dir) / TRAINED)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        found = load_file(Path(resume_from_checkpoint) / TRAINED)
        whole: Any = self.model if model is None else model
        with torch.no_grad():
            for name, parameter in whole.named_parameters():
                if parameter.requires_grad:
                    parameter.copy_(found[name])

    def _load_best_model(self) -> None:
        assert self.state.best_model_checkpoint is not None
        self._load_from_checkpoint(self.state.best_model_checkpoint)

    def _rows_of_update(self) -> str:
        """The first few that the update at work is made of, as its epoch orders them."""
        rows: Any = self.train_dataset
        size = self.args.train_batch_size
        epoch, place = divmod(self.state.global_step, math.ceil(len(rows) / size))
        order = self._get_train_sampler()
        order.set_epoch(epoch)
        names = [self.called[row] for row in list(order)[place * size :][:size]]
        more = len(names) - _NAMED
        return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")

    def _hold(self, value: float, what: str, *, of_update: bool = True) -> None:
        if math.isfinite(value):
            return
        remedy = (
            f"lower lr (now {self.args.learning_rate:g}); the last checkpoint before it is kept"
            if self.state.global_step
            else "nothing was changed by then, so the model itself cannot read these rows in "
            "numbers; take another one"
        )
        done = self.state.global_step
        when = f"at update {done + 1}" if of_update else f"after update {done}"
        rows = f", on rows {self._rows_of_update()}" if of_update else ""
        raise TrainingError(
            f"the {what} became {value} {when} of {self.state.max_steps}{rows}; {remedy}"
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
