"""The memory of a training before it starts: its longest batch, gone through without contents.

    forecast = foresee(job)         # without the weights, for `check`
    forecast.peak                   # bytes; None in place of it where it cannot be told

The training itself makes the same forecast before its first update, keeps it beside what it
measures, and refuses what cannot fit.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import torch

from stepladder import registry
from stepladder.checkpoints import load_tokenizer, quiet
from stepladder.contracts import TrainingMethod
from stepladder.errors import StepladderError, TrainingError
from stepladder.forecast import Batch, Forecast, empty_model, foretell, read_config, within
from stepladder.records import Prompt, TrainingJob
from stepladder.training.batches import Collator, Encoded, Row, by_length, encode
from stepladder.training.memory import free_memory, in_words
from stepladder.training.precision import choose

TIMED_ROWS = 1024
"""Tokens of the products by which the precision is chosen."""
_COLUMNS = 16
"""oneDNN compiles, and keeps, a kernel for each new shape of a bf16 product: with as many shapes as
lengths the memory grows from step to step."""


def foresee(job: TrainingJob) -> Forecast | None:
    """What `job` will take on this machine. None where no row fits the context, or where the
    model's work depends on what it reads, so that it cannot be gone through without."""
    tokenizer = load_tokenizer(job.checkpoint)
    train = encoded(tokenizer, job, job.train)
    if not train.rows:
        return None
    with quiet():
        model = empty_model(read_config(str(job.checkpoint.folder)))
    batch = collator_for(model, tokenizer, job)(longest(train, job))
    method: TrainingMethod = registry.build("methods", job.method)
    return foretold(model, method, batch, job, choose(model, rows=TIMED_ROWS).name)


def encoded(tokenizer: Any, job: TrainingJob, pairs: Sequence[tuple[Prompt, str]]) -> Encoded:
    """Pairs as the job's model reads them."""
    able = job.checkpoint.capabilities
    return encode(tokenizer, pairs, encoder_decoder=able.encoder_decoder, context=able.context)


def collator_for(model: Any, tokenizer: Any, job: TrainingJob) -> Collator:
    """How the job's rows become batches."""
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    return Collator(
        pad=tokenizer.pad_token_id or 0,
        encoder_decoder=job.checkpoint.capabilities.encoder_decoder,
        cuts_logits="logits_to_keep" in inspect.signature(base.forward).parameters,
        multiple=_COLUMNS,
    )


def longest(train: Encoded, job: TrainingJob) -> list[Row]:
    """The rows of the batch that takes most."""
    return by_length(train.rows, job.fit.batch_size)[0]


def foretold(
    model: Any, method: TrainingMethod, batch: dict[str, Any], job: TrainingJob, precision: str
) -> Forecast | None:
    """The forecast for one batch; None where model or method cannot be gone through without
    contents. Raises RungError for a method that does not go with the model."""
    try:
        return foretell(model.config, method, _shape(batch, job), autocast=precision == "bf16")
    except StepladderError:
        raise
    except Exception:
        # A model or a third party's method that asks fake tensors for contents. It may train all
        # the same; if it does not, its own error is the one to tell.
        return None


def refuse_what_cannot_fit(
    forecast: Forecast | None,
    model: Any,
    method: TrainingMethod,
    job: TrainingJob,
    precision: str,
) -> None:
    """Raises TrainingError where there is less memory than foretold, and says what would fit."""
    room = free_memory()
    if room is None or forecast is None:
        return
    if not torch.cuda.is_available():  # the weights are in this process already
        room += sum(p.numel() * p.element_size() for p in model.parameters())
    if forecast.peak <= room:
        return
    halved = forecast.batch._replace(rows=forecast.batch.rows // 2)
    fits = within(
        room, halved, lambda b: foretell(model.config, method, b, autocast=precision == "bf16")
    )
    remedy = (
        "one row does not fit either: leave out the longest rows, show fewer demonstrations, or "
        "take a smaller model"
        if fits is None
        else f"with batch_size={fits.batch.rows} it needs {in_words(fits.peak)}"
    )
    raise TrainingError(
        f"{job.method}: an update needs {in_words(forecast.peak)} of memory, and there are "
        f"{in_words(room)}; {remedy}"
    )


def _shape(batch: dict[str, Any], job: TrainingJob) -> Batch:
    rows, columns = batch["input_ids"].shape
    answers = batch["labels"].shape[1]
    if job.checkpoint.capabilities.encoder_decoder:
        return Batch(rows, columns, answers)
    return Batch(rows, columns - answers + 1, answers - 1)
