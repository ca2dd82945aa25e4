"""The one fit loop: transformers' Trainer with what a ladder of adaptations needs of it.

    model, tokenizer = load(job.checkpoint, merged=True)
    fitted = fit(model, tokenizer, job, work, reporter, meter)
    fitted.method.save(fitted.model, folder)

The method says what is trained; this loop says how: AdamW, a linear rise and fall of the learning
rate, the loss on the answers alone, dev's loss at every checkpoint, a stop when it no longer
falls, and the best weights at the end. Killed at any moment and started again, it ends with the
same weights (`tests/training`), on the same machine and with the same number of threads.

What is NOT covered: several devices, accumulated gradients, weights that do not fit one device.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers import EarlyStoppingCallback, PrinterCallback, TrainingArguments, set_seed

from stepladder.checkpoints.answer_loss import able, agrees, shares
from stepladder.checkpoints.recomputed import recompute
from stepladder.contracts import BeginsFromText, TrainingMethod
from stepladder.records import Json, TrainingJob
from stepladder.training.batches import Collator, Encoded, Row, by_length
from stepladder.training.compiled import compiling
from stepladder.training.duration import Plan, Timing, plan_of, settle_seconds
from stepladder.training.foresight import (
    TIMED_ROWS,
    beside_tensors,
    collator_for,
    encoded,
    foretold,
    longest,
    refuse_what_cannot_fit,
    rehearsal,
    require_rows,
)
from stepladder.training.libraries import noted
from stepladder.training.loop import Reports, StepladderTrainer
from stepladder.training.memory import MemoryMeter
from stepladder.training.precision import choose
from stepladder.training.progress import Reporter
from stepladder.training.together import Together, build_method, recomputes
from stepladder.training.workfolder import WorkFolder

_LOGGED = 50
"""About how many points of the training loss the log keeps."""


class Fitted(NamedTuple):
    """A trained model, not yet written."""

    method: TrainingMethod
    model: Any
    trainable: int
    log: Json


class _Way(NamedTuple):
    """How the same training is done faster, where it can be."""

    precision: str
    spares_logits: bool
    collator: Collator


def fit(
    model: Any,
    tokenizer: Any,
    job: TrainingJob,
    work: WorkFolder,
    reporter: Reporter,
    meter: MemoryMeter,
) -> Fitted:
    """Trains `model` in place and returns it with the best weights that dev has seen.

    Goes on from the newest checkpoint in `work`, if there is one. Raises TrainingError where no
    row fits the context and where loss or gradient stop being numbers.
    """
    method = build_method(job.method)
    train, dev = (encoded(tokenizer, job, pairs) for pairs in (job.train, job.dev))
    require_rows(train, job)
    plan = plan_of(job, len(train.rows))
    set_seed(job.seed)
    model = _prepared(model, method, train, job)
    way = _settled_way(model, tokenizer, train, job, work)
    beside = beside_tensors(noted(work.settled()), way.collator, train, dev, job)
    rehearse = rehearsal(model, method, way.precision, beside, all_logits=not way.spares_logits)
    foreseen = foretold(rehearse, way.collator(longest(train, job)), job)
    if foreseen is not None:
        refuse_what_cannot_fit(foreseen, rehearse, model, job)
        with meter.paused():
            timing = Timing.probed(model, way.collator, job, foreseen, way.precision)
        settle_seconds(timing, train, dev, work, reporter)
    trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
    caches = getattr(model.config, "use_cache", True)
    args = _arguments(job, work, plan, way.precision, dev=bool(dev.rows))
    trainer = StepladderTrainer(
        model=model,
        args=args,
        data_collator=way.collator,
        train_dataset=train.rows,
        eval_dataset=dev.rows or None,
    )
    trainer.spares_logits = way.spares_logits
    trainer.called = _called(train, job)
    trainer.own_rates = method.own_rates(model) if isinstance(method, Together) else []
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(Reports(trainer, reporter, meter))
    if dev.rows and job.fit.patience > 0:
        trainer.add_callback(EarlyStoppingCallback(job.fit.patience))
    if dev.rows:
        _look_before(trainer, work)
    with compiling(trainer, *_two_batches(train, way.collator, job), work, reporter):
        _run(trainer, work, job)
    # The Trainer switches the cache off in the configuration, which a saved checkpoint would keep.
    model.config.use_cache = caches
    log = _log(job, work, plan, train, dev) | {
        "foretold_memory": None if foreseen is None else foreseen.expected,
        "foretold_tensors": None if foreseen is None else foreseen.peak,
    }
    return Fitted(method, trainer.model, trainable, log)


def _prepared(model: Any, method: TrainingMethod, train: Encoded, job: TrainingJob) -> Any:
    """With what is to be trained in it, as it begins."""
    model = method.prepare(model)
    if isinstance(method, BeginsFromText):
        method.begin(model, _common(_own(train, job)))
    if recomputes(method):
        recompute(model)
    return model


def _common(rows: Sequence[Row]) -> list[int]:
    """The words that all prompts begin with: an instruction, and what is always shown behind it."""
    shared: Sequence[int] = os.path.commonprefix([row.prompt for row in rows])
    return [token for token in shared if token >= 0]


def _settled_way(
    model: Any, tokenizer: Any, train: Encoded, job: TrainingJob, work: WorkFolder
) -> _Way:
    """Measured and tried once: a training that goes on must not choose otherwise."""
    settled = work.settled()
    collator = collator_for(tokenizer, job)
    if "precision" not in settled:
        chosen = choose(model, rows=TIMED_ROWS)
        settled |= {"precision": chosen.name, "bf16_speed_up": chosen.ratio}
        work.settle(settled)
    if "logits" not in settled:
        settled |= _tried(model, collator, train, job)
        work.settle(settled)
    return _Way(
        precision=str(settled["precision"]),
        spares_logits=settled["logits"] == "answers",
        collator=replace(collator, shares=bool(settled["shares_beginnings"])),
    )


def _tried(model: Any, collator: Collator, train: Encoded, job: TrainingJob) -> Json:
    """Whether logits are computed at the answers alone, and a common beginning once: each where it
    leaves the loss of two short rows as it was. No beginning is where activations are computed
    again, since it is read through a cache."""
    batches = by_length(train.rows, job.fit.batch_size)[::-1]
    spares = able(model) and agrees(model, _on(model, collator(batches[0][-2:])))
    kept = not recomputes(build_method(job.method))
    sharing = replace(collator, shares=spares and kept)
    alike = next((rows for rows in batches if sharing.common(rows)), None)
    shared = alike is not None and shares(
        model, _on(model, collator(alike[-2:]) | sharing.common(alike))
    )
    return {"logits": "answers" if spares else "all", "shares_beginnings": shared}


def _two_batches(
    train: Encoded, collator: Collator, job: TrainingJob
) -> tuple[dict[str, Any], dict[str, Any]]:
    """One of the middle length, and one as much longer as a quarter of all are at least. Not the
    last, which may have fewer rows, unless it is all there is."""
    batches = by_length(train.rows, job.fit.batch_size)
    batches = [rows for rows in batches if len(rows) == len(batches[0])]
    return collator(batches[len(batches) // 2]), collator(batches[len(batches) // 4])


def _on(model: Any, batch: dict[str, Any]) -> dict[str, Any]:
    return {n: v.to(model.device) if isinstance(v, torch.Tensor) else v for n, v in batch.items()}


def _arguments(
    job: TrainingJob, work: WorkFolder, plan: Plan, precision: str, *, dev: bool
) -> TrainingArguments:
    return TrainingArguments(
        output_dir=str(work.checkpoints),
        num_train_epochs=job.fit.epochs,
        per_device_train_batch_size=job.fit.batch_size,
        per_device_eval_batch_size=job.fit.batch_size,
        learning_rate=job.fit.learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=math.ceil(plan.steps * job.fit.warmup),
        weight_decay=0.0,
        max_grad_norm=1.0,
        seed=job.seed,
        bf16=precision == "bf16",
        use_cpu=not torch.cuda.is_available(),
        dataloader_pin_memory=torch.cuda.is_available(),
        eval_strategy="steps" if dev else "no",
        eval_steps=plan.stretch,
        save_strategy="steps",
        save_steps=plan.stretch,
        save_total_limit=2,  # the newest and, by transformers' rule, always the best
        load_best_model_at_end=dev,
        metric_for_best_model="loss",
        greater_is_better=False,
        restore_callback_states_from_checkpoint=True,  # else early stopping forgets its patience
        logging_steps=max(1, plan.steps // _LOGGED),
        logging_nan_inf_filter=False,
        remove_unused_columns=False,
        label_names=["labels"],
        report_to=[],
        disable_tqdm=True,
        log_level="error",
    )


def _look_before(trainer: StepladderTrainer, work: WorkFolder) -> None:
    """Dev's loss before the first update, so that a training that only harms can be told."""
    settled = work.settled()
    if "dev_loss_before" not in settled:
        work.settle(settled | {"dev_loss_before": round(trainer.dev_loss(), 5)})


def _run(trainer: StepladderTrainer, work: WorkFolder, job: TrainingJob) -> None:
    newest = work.newest_checkpoint()
    if newest is not None and _is_over(newest, job):
        # Killed between its last checkpoint and its outcome. The Trainer would start another
        # epoch, since it clears the wish to stop whenever it begins.
        trainer.load_weights(_best(newest) or newest)
        return
    trainer.train(resume_from_checkpoint=None if newest is None else str(newest))


def _is_over(checkpoint: Path, job: TrainingJob) -> bool:
    state = _state(checkpoint)
    stopping = state["stateful_callbacks"].get("EarlyStoppingCallback")
    waited = stopping["attributes"]["early_stopping_patience_counter"] if stopping else 0
    stopped = stopping is not None and waited >= job.fit.patience
    return bool(stopped or state["global_step"] >= state["max_steps"])


def _best(checkpoint: Path) -> Path | None:
    """The best checkpoint as the newest names it, looked for beside it: the folder may have been
    moved since."""
    best = _state(checkpoint)["best_model_checkpoint"]
    return None if best is None else checkpoint.parent / Path(best).name


def _state(checkpoint: Path) -> Json:
    state: Json = json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
    return state


def _log(job: TrainingJob, work: WorkFolder, plan: Plan, train: Encoded, dev: Encoded) -> Json:
    """From the newest checkpoint, which knows the attempts before this one too."""
    newest = work.newest_checkpoint()
    state = {} if newest is None else _state(newest)
    history = state.get("log_history", [])
    done = state.get("global_step", 0)
    updates = math.ceil(len(train.rows) / job.fit.batch_size)
    dev_losses = [[h["step"], round(h["eval_loss"], 5)] for h in history if "eval_loss" in h]
    return {
        "rows": {"train": len(train.rows), "dev": len(dev.rows)},
        "mixture": dict(job.mixture),
        "notes": [
            *_mixed(job),
            *_left_out(job, "train", train),
            *_left_out(job, "dev", dev),
            *_no_better(job, work.settled().get("dev_loss_before"), dev_losses),
        ],
        "trained_tokens": round(sum(row.size for row in train.rows) * done / updates),
        "left_out": {
            "reason": f"over the context of {job.checkpoint.capabilities.context} tokens",
            "train": train.too_long,
            "dev": dev.too_long,
        },
        "steps": {"planned": plan.steps, "done": done},
        "stopped_early": done < plan.steps,
        "stopped_by": "dev's loss" if dev.rows else "the plan alone: there are no dev rows",
        "best_step": state.get("best_global_step"),
        "losses": [[h["step"], round(h["loss"], 5)] for h in history if "loss" in h],
        "dev_losses": dev_losses,
        **work.settled(),
    }


def _called(train: Encoded, job: TrainingJob) -> list[str]:
    """What to call each row that fits: as the job does, or by its number there."""
    skipped = set(train.too_long)
    names = job.ids or [f"{place + 1:,}" for place in range(len(job.train))]
    return [name for place, name in enumerate(names) if place not in skipped]


def _own(train: Encoded, job: TrainingJob) -> Sequence[Row]:
    """The rows that are the task's own; those of other data stand behind them."""
    own = len(job.train) - sum(job.mixture.values())
    return train.rows[: own - sum(place < own for place in train.too_long)]


def _mixed(job: TrainingJob) -> list[str]:
    """How many rows came from where, where not all were the task's own."""
    others = sum(job.mixture.values())
    if not others:
        return []
    named = ", ".join(f"{rows:,} of {source}" for source, rows in sorted(job.mixture.items()))
    share = 100 * others / len(job.train)
    return [
        f"trained on {len(job.train) - others:,} rows of its own and {others:,} of other data "
        f"({named}), {share:.1f} % of the mixture"
    ]


def _left_out(job: TrainingJob, split: str, encoded: Encoded) -> list[str]:
    """The note that the rung carries where rows were too long to train on or to stop by."""
    if not encoded.too_long:
        return []
    rows = len(encoded.rows) + len(encoded.too_long)
    return [
        f"{len(encoded.too_long)} of {rows} {split} rows were left out of the training: over the "
        f"context of {job.checkpoint.capabilities.context} tokens"
    ]


def _no_better(job: TrainingJob, before: float | None, dev_losses: Sequence[Any]) -> list[str]:
    """The note that the rung carries where no update did dev any good worth the name."""
    best = min((loss for _, loss in dev_losses), default=None)
    if before is None or best is None or best < 0.999 * before:
        return []
    return [
        f"no look at dev found a loss below that of the untrained start ({best:.3f} at best, "
        f"{before:.3f} before): try a lower lr (now {job.fit.learning_rate:g}) or more rows"
    ]
