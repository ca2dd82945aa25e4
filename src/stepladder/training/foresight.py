"""The memory and the time of a training before it starts: its longest batch, gone through without
contents, and a second's look at what this machine does.

    foreseen = foresee(job)         # without the weights, for `check`; None where it cannot be told
    foreseen.forecast.expected      # bytes, those that libraries grow by among them
    foreseen.seconds                # of updates and of looks at dev

The training itself makes the same forecast before its first update, keeps it beside what it
measures, and refuses what cannot fit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple, Protocol

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
    Beside,
    Forecast,
    empty_model,
    foretell,
    read_config,
    within,
)
from stepladder.records import Prompt, TrainingJob
from stepladder.training.batches import (
    IGNORED,
    Collator,
    Encoded,
    LengthGroups,
    Row,
    by_length,
    encode,
)
from stepladder.training.duration import Timing
from stepladder.training.libraries import Libraries, libraries
from stepladder.training.memory import in_words
from stepladder.training.precision import choose
from stepladder.training.together import build_method, recomputes, recomputing, virtual_tokens

TIMED_ROWS = 1024
"""Tokens of the products by which the precision is chosen."""


class Rehearsal(Protocol):
    """How batches of one training are foretold."""

    def __call__(self, batch: Batch, other: TrainingMethod | None = None) -> Forecast:
        """`other`: by this method instead of the training's own."""
        ...


_COLUMNS = 16
"""oneDNN compiles, and keeps, a kernel for each new shape of a bf16 product: with as many shapes as
lengths the memory grows from step to step."""


class Foreseen(NamedTuple):
    """What a training will take on this machine."""

    forecast: Forecast
    seconds: float
    """Of its planned updates and its looks at dev; not of its process' start."""


def foresee(job: TrainingJob) -> Foreseen | None:
    """None where the model's work depends on what it reads, so that it cannot be gone through
    without. Raises TrainingError where no row fits the context."""
    tokenizer = load_tokenizer(job.checkpoint)
    train, dev = (encoded(tokenizer, job, pairs) for pairs in (job.train, job.dev))
    require_rows(train, job)
    with quiet():
        model = empty_model(read_config(str(job.checkpoint.folder)))
    method = build_method(job.method)
    collator = replace(collator_for(tokenizer, job), shares=able(model) and not recomputes(method))
    precision = choose(model, rows=TIMED_ROWS).name
    beside = beside_tensors(libraries(), collator, train, dev, job)
    rehearse = rehearsal(model, method, precision, beside)
    forecast = foretold(rehearse, collator(longest(train, job)), job)
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


def require_rows(train: Encoded, job: TrainingJob) -> None:
    """Raises TrainingError where no row fits the context."""
    if train.rows:
        return
    soft = virtual_tokens(build_method(job.method)) or len(virtual_ids(job.checkpoint))
    taken = f", of which the soft prompt takes {soft}" if soft else ""
    raise TrainingError(
        f"{job.method}: none of the {len(job.train)} training rows fits the model's context of "
        f"{job.checkpoint.capabilities.context} tokens{taken}; "
        + ("take fewer virtual tokens, " if soft else "")
        + "shorten the inputs or show fewer demonstrations"
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


class Here(NamedTuple):
    """How this machine would train."""

    bf16: bool
    beside: Beside


def of_one_size(config: Any) -> Here:
    """A training whose batches are all of one size."""
    with quiet():
        model = empty_model(config)
    known = libraries()
    beside = Beside() if known is None else Beside(known.growth, known.kernel)
    return Here(choose(model, rows=TIMED_ROWS).name == "bf16", beside)


def beside_tensors(
    known: Libraries | None, collator: Collator, train: Encoded, dev: Encoded, job: TrainingJob
) -> Beside:
    """What the plan's process will hold beside its tensors; of libraries, nothing where it is not
    known."""
    if known is None:
        return Beside()
    order = LengthGroups(train.rows, job.fit.batch_size, job.seed)
    updated, looked = _Sizes(), _Sizes()
    for epoch in range(math.ceil(job.fit.epochs)):
        order.set_epoch(epoch)
        rows = [train.rows[place] for place in order]
        for start in range(0, len(rows), job.fit.batch_size):
            updated.add(collator, rows[start : start + job.fit.batch_size])
    for batch in by_length(dev.rows, job.fit.batch_size):
        looked.add(collator, batch)
    looks = looked.number_beyond(updated)
    return Beside(known.growth, known.kernel, max(0, updated.number_beyond(_Sizes()) - 1), looks)


class _Sizes:
    """The different numbers of tokens that a training's products are made of: of a decoder's rows
    and of what they have in common, or of an encoder's and a decoder's, each about half of all."""

    def __init__(self) -> None:
        self._seen: tuple[set[int], set[int]] = set(), set()

    def add(self, collator: Collator, rows: Sequence[Row]) -> None:
        def tokens(longest: int) -> int:
            return math.ceil(longest / collator.multiple) * collator.multiple

        first, second = self._seen
        if collator.encoder_decoder:
            first.add(len(rows) * tokens(max(len(row.prompt) for row in rows)))
            second.add(len(rows) * tokens(max(len(row.answer) for row in rows)))
            return
        common = collator.common(rows).get("common", 0)
        first.add(len(rows) * (tokens(max(row.size for row in rows)) - common))
        if common:
            second.add(common)

    def number_beyond(self, other: _Sizes) -> int:
        first, second = (mine - known for mine, known in zip(self._seen, other._seen, strict=True))
        return math.ceil((len(first) + len(second)) / 2) if self._seen[1] else len(first)


def rehearsal(
    model: Any,
    method: TrainingMethod,
    precision: str,
    beside: Beside,
    *,
    all_logits: bool = False,
) -> Rehearsal:
    """How batches of this training are foretold: of a processor, with the process that it takes."""

    def rehearse(batch: Batch, other: TrainingMethod | None = None) -> Forecast:
        return foretell(
            model.config,
            other or method,
            batch,
            autocast=precision == "bf16",
            all_logits=all_logits,
            process=None if torch.cuda.is_available() else beside,
        )

    return rehearse


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
    forecast: Forecast,
    rehearse: Rehearsal,
    model: Any,
    job: TrainingJob,
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
    spared = _spared(room, forecast.batch, rehearse, job)
    if spared is not None:
        also = (
            "" if spared.batch.rows == forecast.batch.rows else f", batch_size={spared.batch.rows}"
        )
        remedy = f"with checkpointing=yes{also} it needs {in_words(spared.peak)}" + (
            "" if fits is None else f", or {remedy}"
        )
    raise TrainingError(
        f"{job.method}: an update needs {in_words(forecast.peak)} of memory, and there are "
        f"{in_words(room)}; {remedy}"
    )


def _spared(room: int, batch: Batch, rehearse: Rehearsal, job: TrainingJob) -> Forecast | None:
    """The same training with activations computed again, where it then fits."""
    other = recomputing(build_method(job.method))
    return None if other is None else within(room, batch, partial(rehearse, other=other))


def _shape(batch: dict[str, Any], job: TrainingJob) -> Batch:
    rows, columns = batch["input_ids"].shape
    if job.checkpoint.capabilities.encoder_decoder:
        return Batch(rows, columns, batch["labels"].shape[1])
    learned = int((batch["labels"] != IGNORED).sum())
    answer = math.ceil(learned / rows)
    return Batch(rows, columns - answer, answer, batch.get("common", 0))
