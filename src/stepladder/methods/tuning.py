"""What all training methods do: settle what is left open, and hand a job to the bench.

A method renders its training rows through the prompter that stands to its left in the list, so
`few-shot(2) + lora` trains on prompts with demonstrations and `lora + few-shot(2)` does not.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

from stepladder import registry
from stepladder.adaptation import Adaptation
from stepladder.checkpoints import is_soft_prompt, virtual_ids
from stepladder.contracts import TrainingMethod, Workbench
from stepladder.errors import RungError
from stepladder.methods.rate_search import (
    AUTO,
    FIRST,
    check_search,
    search_rate,
    searched_epochs,
)
from stepladder.records import (
    Adapter,
    Build,
    Checkpoint,
    Endpoint,
    Example,
    FitSettings,
    OtherRow,
    Prompt,
    TrainingJob,
)
from stepladder.training import Share, learning_rate, virtual_tokens

EPOCHS = 3.0
UPDATES = 150
MOST_EPOCHS = 15.0

NAMES: Mapping[Share, str] = {"adapter": "lora", "all": "full", "prompt": "prompt-tuning"}
"""What trains which share of a model, as it stands in lists of methods."""


Rate = float | Literal["auto"] | None
"""As it is given; None is the one for the model's width."""


def others(method: Any, rows: int, pool: Sequence[OtherRow]) -> Sequence[OtherRow]:
    """The first of the pool, as many as make the method's share of a mixture with so many rows of
    the task's own. No row is taken twice: raises RungError where the pool is too small."""
    share: float = getattr(method, "replay", 0.0)
    wanted = round(rows * share / (1 - share))
    if wanted and not pool:
        raise RungError(
            f"replay={share:g}: the task names no other data; give it a line replay: [FILE or "
            "sample, ...]"
        )
    if wanted > len(pool):
        most = math.floor(100 * len(pool) / (len(pool) + rows)) / 100
        raise RungError(
            f"replay={share:g} beside {rows:,} rows takes {wanted:,} rows of other data, and the "
            f"task's replay has {len(pool):,}; name more there, or give at most {most:g}"
        )
    return pool[:wanted]


def fit_settings(epochs: float | None, lr: Rate, batch_size: int, patience: int) -> FitSettings:
    """The settings as far as they are known without rows and model."""
    fit = FitSettings(
        epochs=EPOCHS if epochs is None else epochs, batch_size=batch_size, patience=patience
    )
    return replace(fit, learning_rate=lr) if isinstance(lr, float) else fit


def train(
    method: Any,
    share: Share,
    base: Adaptation,
    train: Sequence[Example],
    dev: Sequence[Example],
    bench: Workbench,
) -> Build:
    """Renders the rows, settles what was left open (the learning rate by the model's width, the
    epochs by the number of rows), and has the bench train."""
    name = NAMES[share]
    checkpoint = weights(base)
    if virtual_ids(checkpoint) and (share != "adapter" or virtual_tokens(method)):
        raise RungError(
            f"{name} cannot be trained behind a soft prompt, which would be lost; put it first"
        )
    if getattr(method, "bits", None) and not all(map(is_soft_prompt, _folders(checkpoint))):
        raise RungError(
            f"lora(bits=4) starts from a model's own weights, and {checkpoint.name} has an adapter "
            "that would be quantised with them; put it first, or leave bits out"
        )
    if not train:
        raise RungError(f"{name} needs training rows, and the task has none; give data.train")
    check_rows(base, train)
    rows = [row for row in _learned(base, train) if base.wanted(row)]
    pairs = _pairs(base, rows)
    if not pairs:
        raise RungError(f"{name}: all training rows are shown and held apart; show fewer")
    other = others(method, len(pairs), bench.replay)
    fit = settled_fit(method, len(pairs))
    if method.lr is None or method.lr == AUTO:
        fit = replace(fit, learning_rate=learning_rate(checkpoint, share))
    job = TrainingJob(
        method=described(name, _without_search(method)),
        checkpoint=checkpoint,
        train=(*pairs, *((row.prompt, row.answer) for row in other)),
        dev=_pairs(base, dev),
        fit=fit,
        seed=bench.seed,
        mixture=dict(Counter(row.source for row in other)),
        ids=(*(row.id for row in rows), *(row.source for row in other)),
    )
    if method.lr == AUTO:
        check_search(len(job.dev))
        rate = search_rate(job, bench)
        job = replace(job, fit=replace(job.fit, learning_rate=rate))
    return bench.train(job)


def _without_search(method: Any) -> Any:
    """As a job names it, whose learning rate is settled by then."""
    if method.lr != AUTO:
        return method
    parts = getattr(method, "parts", None)
    if parts is not None:  # trained together: the first one's rate is that of the job
        return replace(method, parts=(replace(parts[0], lr=None), *parts[1:]))
    return replace(method, lr=None)


def with_adapter(base: Adaptation, build: Build) -> Adaptation:
    """The adaptation with what was trained on top of its checkpoint."""
    checkpoint = weights(base)
    adapters = (*checkpoint.adapters, Adapter(build.folder, build.fingerprint))
    return replace(base, checkpoint=replace(checkpoint, adapters=adapters))


def retuned(checkpoint: Checkpoint, build: Build) -> Checkpoint:
    """The checkpoint after a training of all its weights, which stands alone."""
    return replace(
        checkpoint,
        name=f"{checkpoint.name}, all weights tuned",
        folder=build.folder,
        fingerprint=build.fingerprint,
        adapters=(),
    )


def _folders(checkpoint: Checkpoint) -> list[Path]:
    return [adapter.folder for adapter in checkpoint.adapters]


def _learned(base: Adaptation, train: Sequence[Example]) -> list[Example]:
    """The rows but for those that are shown and held apart."""
    shown = base.prompter.demonstrations
    apart = {d.id for d in shown.pool} if shown and shown.apart else frozenset()
    return [row for row in train if row.id not in apart]


def described(name: str, method: Any) -> str:
    """As a job names a method, or methods that are trained together."""
    own = getattr(method, "describe", None)
    return registry.describe(name, method) if own is None else str(own())


def check_rows(base: Adaptation, train: Sequence[Example]) -> None:
    """Raises RungError where no row says what should be written: programs that nobody gave."""
    if not any(base.reader.wanted(row) is not None for row in train):
        raise RungError(
            "no training row has a program to learn from; name a field of theirs with "
            "'programs: FIELD' in the task file, or leave pal out"
        )


def weights(base: Adaptation) -> Checkpoint:
    """The checkpoint to train. Raises RungError for an endpoint, whose weights are out of reach."""
    if isinstance(base.checkpoint, Endpoint):
        raise RungError(f"{base.checkpoint.name} is an endpoint, which cannot be trained")
    return base.checkpoint


def settled_fit(method: TrainingMethod, rows: int) -> FitSettings:
    """The method's settings on so many rows, epochs that it leaves open settled by their number."""
    fit = method.fit_settings()
    if getattr(method, "epochs", fit.epochs) is None:
        fit = replace(fit, epochs=epochs_for(rows, fit.batch_size))
    return fit


class Work(NamedTuple):
    """What a training method runs."""

    trainings: int
    """At least: a search for a learning rate may try a few more."""
    epochs: float
    """Of all of them together."""


def work_of(method: TrainingMethod, rows: int, dev: int) -> Work:
    """On so many rows. Raises RungError for a search without dev rows."""
    epochs = settled_fit(method, rows).epochs
    if getattr(method, "lr", None) != AUTO:
        return Work(1, epochs)
    check_search(dev)
    return Work(1 + len(FIRST), epochs + len(FIRST) * searched_epochs(epochs))


def epochs_for(rows: int, batch_size: int) -> float:
    """Three passes, or as many as make 150 updates where rows are few, at most 15.

    >>> epochs_for(1000, 8), epochs_for(200, 8), epochs_for(3, 8)
    (3.0, 6.0, 15.0)
    """
    updates = math.ceil(rows / batch_size)
    return min(MOST_EPOCHS, max(EPOCHS, float(math.ceil(UPDATES / updates))))


def _pairs(base: Adaptation, rows: Sequence[Example]) -> tuple[tuple[Prompt, str], ...]:
    """Prompts with what should be written, of the rows of which that is known."""
    wanted = ((row, base.wanted(row)) for row in rows)
    return tuple((base.prompter.render(row.query), text) for row, text in wanted if text)
