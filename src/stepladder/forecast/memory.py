"""Peak memory of a training, foretold from a configuration alone.

    forecast = foretell(read_config("embedded"), Full(), Batch(rows=8, prompt=448, answer=64))
    forecast.peak, forecast.activations

The tensors are counted by a rehearsal (`rehearsal.py`). On a CUDA device their sum is what counts.
In a process on the CPU comes what the libraries and the allocator hold beside them, which
`benchmarks/memory.py` measures.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from stepladder.checkpoints import quiet
from stepladder.checkpoints.resolving import EMBEDDED
from stepladder.contracts import TrainingMethod
from stepladder.errors import CheckpointError
from stepladder.forecast.rehearsal import Batch, Rehearsal, rehearse


class Forecast(NamedTuple):
    """What one training is expected to hold at its fullest moment, in bytes, and to do."""

    batch: Batch
    parameters: int
    """Of the whole model, adapters included."""
    trainable: int
    weights: int
    gradients: int
    optimiser: int
    activations: int
    """What the forward pass keeps for the backward pass, logits included."""
    peak: int
    """At the fullest moment. Gradients come as activations go, so it is not the sum of the four;
    what comes and goes within an operation is in it."""
    flops: float
    """Floating-point operations of one update."""


def foretell(
    config: Any,
    method: TrainingMethod,
    batch: Batch,
    *,
    autocast: bool = False,
    dtype: str = "float32",
    all_logits: bool = False,
) -> Forecast:
    """The forecast for the longest batch of a training; the settings are those of `rehearse`, of
    which the defaults are the fit loop's. Raises RungError for a method that does not go with the
    model."""
    import torch

    with quiet():
        seen = rehearse(
            config,
            method,
            batch,
            autocast=autocast,
            dtype=getattr(torch, dtype),
            all_logits=all_logits,
        )
    return _forecast(batch, seen)


def _forecast(batch: Batch, seen: Rehearsal) -> Forecast:
    return Forecast(
        batch=batch,
        parameters=seen.parameters,
        trainable=seen.trainable,
        weights=seen.weights,
        gradients=seen.gradients,
        optimiser=seen.optimiser,
        activations=seen.kept,
        peak=seen.peak,
        flops=seen.flops,
    )


def within(room: int, batch: Batch, foretold: Callable[[Batch], Forecast]) -> Forecast | None:
    """The forecast for the largest halving of the batch's rows that stays within `room` bytes;
    None where a single row does not."""
    rows = batch.rows
    while rows >= 1:
        forecast = foretold(batch._replace(rows=rows))
        if forecast.peak <= room:
            return forecast
        rows //= 2
    return None


def read_config(name: str) -> Any:
    """A model's configuration: a folder or its config.json, 'embedded', or a hub id. No weights
    are needed. Raises CheckpointError for what is none, or is no language model's."""
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM

    source = _source(name)
    try:
        with quiet():
            config = AutoConfig.from_pretrained(source)
    except Exception as error:  # transformers raises whatever its many parts raise
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise CheckpointError(
            f"{name}: its configuration cannot be read: {first}; give a folder with config.json, "
            "the file itself, or a hub id that can be reached"
        ) from error
    known = (
        AutoModelForSeq2SeqLM._model_mapping
        if getattr(config, "is_encoder_decoder", False)
        else AutoModelForCausalLM._model_mapping
    )
    if type(config) not in known:
        raise CheckpointError(
            f"{name}: '{config.model_type}' is no causal or encoder-decoder language model"
        )
    return config


def _source(name: str) -> str:
    if name == "embedded":
        return str(EMBEDDED)
    path = Path(name).expanduser()
    if path.exists():
        return str(path)
    if name.startswith((".", "/", "~")) or name.endswith(".json"):
        raise CheckpointError(f"{name} is not there; give a folder with config.json, or a hub id")
    return name
