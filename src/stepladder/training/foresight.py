"""The memory and the time of a training before it starts: its longest batch, gone through without
contents, and a second's look at what this machine does.

    foreseen = foresee(job)         # without the weights, for `check`; None where it cannot be told
    foreseen.forecast.expected      # bytes
    foreseen.seconds                # of updates and of looks at dev

The training itself makes the same forecast before its first update, keeps it beside what it
measures, and refuses what cannot fit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import torch

from stepladder.checkpoints import (
    free_bytes,
    load_tokenizer,
    new_virtual_ids,
    quiet,
    virtual_ids,
)
from stepladder.checkpoints.answer_loss import able
from stepladder.contracts import TrainingMethod
from stepladder.errors import StepladderError, TrainingError
from stepladder.forecast import (
    Batch,
    Forecast,
    empty_model,
    foretell,
    read_config,
    within,
)
from stepladder.records import Prompt, TrainingJob
from stepladder.training.batches import IGNORED, Collator, Encoded, Row, by_length, encode
from stepladder.training.duration import Timing
from stepladder.training.memory import in_words
from stepladder.training.precision import choose
from stepladder.training.together import build_method, virtual_tokens

Rehearsal = Callable[[Batch], Forecast]

TIMED_ROWS = 1024
"""Tokens of the products by which the precision is chosen."""
_COLUMNS = 16
"""oneDNN compiles, and keeps, a kernel for each new shape of a bf16 product: with as many shapes as
lengths the memory grows from step to step."""


class Foreseen(NamedTuple):
    """What a training will take on this machine."""

    forecast: Forecast
    seconds: float
    """Of its planned updates and its looks at dev; not of its process' start."""


def foresee(job: TrainingJob) -> Foreseen | None:
    """None where no row fits the context, or where the model's work depends on what it reads, so
    that it cannot be gone through without."""
    tokenizer = load_tokenizer(job.checkpoint)
    train, dev = (encoded(tokenizer, job, pairs) for pairs in (job.train, job.dev))
    if not train.rows:
        return None
    with quiet():
        model = empty_model(read_config(str(job.checkpoint.folder)))
    collator = replace(collator_for(tokenizer, job), shares=able(model))
    method = build_method(job.method)
    precision = choose(model, rows=TIMED_ROWS).name
    forecast = foretold(rehearsal(model, method, precision), collator(longest(train, job)), job)
    if forecast is None:
        return None
    with quiet(), torch.device("meta"):
        prepared = method.prepare(model)
    timing = Timing.probed(prepared, collator, job, forecast, precision)
    return Foreseen(forecast, timing.seconds(train, dev))


def encoded(tokenizer: Any, job: TrainingJob, pairs: Sequence[tuple[Prompt, str]]) -> Encoded:
    """Pairs as the job's model reads them."""
    able = job.checkpoint.capabilities
    new = new_virtual_ids(virtual_tokens(build_method(job.method)))
    return encode(
        tokenizer,
        pairs,
        encoder_decoder=able.encoder_decoder,
        context=able.context,
        before=virtual_ids(job.checkpoint) or new,
    )


def collator_for(tokenizer: Any, job: TrainingJob) -> Collator:
    """How the job's rows become batches."""
    return Collator(
        pad=tokenizer.pad_token_id or 0,
        encoder_decoder=job.checkpoint.capabilities.encoder_decoder,
        multiple=_COLUMNS,
    )


def longest(train: Encoded, job: TrainingJob) -> list[Row]:
    """The rows of the batch that takes most."""
    return by_length(train.rows, job.fit.batch_size)[0]


def rehearsal(
    model: Any, method: TrainingMethod, precision: str, *, all_logits: bool = False
) -> Rehearsal:
    """How batches of this training are foretold: of a processor, with the process that it takes."""
    return partial(
        foretell,
        model.config,
        method,
        autocast=precision == "bf16",
        all_logits=all_logits,
        process=not torch.cuda.is_available(),
    )


def foretold(rehearse: Rehearsal, batch: dict[str, Any], job: TrainingJob) -> Forecast | None:
    """The forecast for one batch; None where model or method cannot be gone through without
    contents. Raises RungError for a method that does not go with the model."""
    try:
        return rehearse(_shape(batch, job))
    except StepladderError:
        raise
    except Exception:
        # A model or a third party's method that asks fake tensors for contents. It may train all
        # the same; if it does not, its own error is the one to tell.
        return None


def refuse_what_cannot_fit(
    forecast: Forecast, rehearse: Rehearsal, model: Any, job: TrainingJob
) -> None:
    """Raises TrainingError where there is less memory than foretold, and says what would fit."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    room = free_bytes(device, swap=True)
    if room is None:
        return
    if model.device == device:  # the weights are there already
        room += sum(p.numel() * p.element_size() for p in model.parameters())
    if forecast.peak <= room:
        return
    halved = forecast.batch._replace(rows=forecast.batch.rows // 2)
    fits = within(room, halved, rehearse)
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
    if job.checkpoint.capabilities.encoder_decoder:
        return Batch(rows, columns, batch["labels"].shape[1])
    learned = int((batch["labels"] != IGNORED).sum())
    answer = math.ceil(learned / rows)
    return Batch(rows, columns - answer, answer, batch.get("common", 0))
