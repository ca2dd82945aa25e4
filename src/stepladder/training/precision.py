"""bf16 autocast where this processor is faster with it, decided once a training.

    choose(model, rows=1024)    # Precision(name="bf16", ratio=2.4)

The weights stay in float32 either way; autocast only multiplies in bf16 (torch.amp). Processors
with bf16 instructions gain a factor of 2 to 4 in large products, others lose as much. A timing
can fall on either side of a threshold, so that two runs would differ: products too small to gain
are not tried, and the threshold lies where processors of neither kind are.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import Any, Literal, NamedTuple

import torch

from stepladder.forecast.speed import WIDEST

_AT_LEAST = 1.3
"""Times faster that the products must be; autocast's own conversions eat the rest."""
_SECONDS = 0.5


class Precision(NamedTuple):
    """What was chosen, and the speed of bf16 over float32 that it was chosen by (None: untimed)."""

    name: Literal["float32", "bf16"]
    ratio: float | None


def choose(model: Any, rows: int) -> Precision:
    """By the model's most frequent linear layer on `rows` tokens; a CUDA device is asked for its
    abilities instead."""
    if torch.cuda.is_available():
        return Precision("bf16" if torch.cuda.is_bf16_supported() else "float32", None)
    shapes = Counter(
        (m.out_features, m.in_features)  # the weight itself may be packed
        for m in model.modules()
        if isinstance(m, torch.nn.Linear)
    )
    if not shapes:
        return Precision("float32", None)
    outputs, inputs = max(shapes, key=lambda shape: shapes[shape] * shape[0] * shape[1])
    ratio = _speed_up(rows, min(inputs, WIDEST), min(outputs, WIDEST))
    return Precision("bf16" if ratio >= _AT_LEAST else "float32", round(ratio, 2))


def _speed_up(rows: int, inputs: int, outputs: int) -> float:
    """Best time in float32 over best time in bf16, the two taken in turns so that a busy machine
    slows both. The generator is not touched: the training draws from it."""
    states = torch.linspace(-1, 1, rows * inputs).reshape(rows, inputs)
    weight = torch.linspace(-1, 1, outputs * inputs).reshape(outputs, inputs)
    best = {torch.float32: float("inf"), torch.bfloat16: float("inf")}
    end = time.perf_counter() + _SECONDS
    while time.perf_counter() < end:
        for dtype in best:
            left, right = states.to(dtype), weight.to(dtype)
            start = time.perf_counter()
            torch.nn.functional.linear(left, right)
            best[dtype] = min(best[dtype], time.perf_counter() - start)
    return best[torch.float32] / best[torch.bfloat16]
