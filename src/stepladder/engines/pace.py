"""The time of a request before weights are loaded: this engine, on two models of the same shapes.

    pace = pace_of(str(checkpoint.folder), "float32")       # a second or two, once a process
    pace.seconds(Asked(shared=40, own=25, answer=12, longest=20, rows=10, requests=100))

A request is a pass over its prompt and a step for each token of its answer. What these take is the
engine's own work as much as the model's, so no formula tells it: models of the configuration with
one layer and with three, whose weights are any numbers, answer a few rows, and each further
layer takes as long as the third. Measured on the machine as it is, with whatever else it does.
What is NOT covered: contexts of thousands of tokens, where attention counts; stop strings; beams;
models that do not take the shared path, or of which one with three layers would take more than half
of the memory that is free (then None).
"""

from __future__ import annotations

import time
from functools import lru_cache
from typing import Any, NamedTuple

from stepladder.engines.asking import Ask
from stepladder.engines.memory import BATCH_TOKENS, Budget
from stepladder.records import Sampling

_LAYERS = (1, 3)
_PROMPT = 256
_ROWS = 8
_STEPS = 8
_SECONDS = 0.1
"""For each of five measures of each of the two models."""


class Asked(NamedTuple):
    """What is asked of a model: means, in tokens."""

    shared: float
    """What all prompts begin with, computed once."""
    own: float
    """What each prompt has behind it."""
    answer: float
    longest: float
    """Of the answers that are written together."""
    rows: float
    """Answered together."""
    requests: float
    """Over which what is shared is spread."""


class Pace(NamedTuple):
    """Seconds."""

    token: float
    """Of a prompt."""
    step: float
    """Of one row."""
    row: float
    """That a step takes more for each further row."""

    def seconds(self, asked: Asked) -> float:
        """Of one request. A step is shared by the rows that are still written; the first token
        comes of the prompt's pass."""
        rows = max(1.0, asked.rows)
        steps, written = max(0.0, asked.longest - 1), rows * max(0.0, asked.answer - 1)
        writing = steps * (self.step - self.row) + written * self.row
        return self.token * (asked.own + asked.shared / max(1.0, asked.requests)) + writing / rows


@lru_cache(maxsize=32)
def pace_of(config: str, dtype: str) -> Pace | None:
    """`config`: a folder with config.json, or what else `read_config` takes. None for a model that
    the engine would not ask on its shared path."""
    from stepladder.engines.proof import UNEXPECTED
    from stepladder.engines.shared_attention import SharedPathError
    from stepladder.forecast import read_config

    found = read_config(config)
    if found.is_encoder_decoder:
        return None
    layers = int(getattr(found.get_text_config(), "num_hidden_layers", 0) or 0)
    try:
        few, more = (_measured(_cut(found, count), dtype) for count in _LAYERS)
    except (*UNEXPECTED, SharedPathError):
        # An architecture that cannot be cut, or has no pass of its own with such weights.
        return None
    if few is None or more is None or not layers:
        return None
    between = (layers - _LAYERS[0]) / (_LAYERS[1] - _LAYERS[0])
    return Pace(*(a + max(0.0, b - a) * between for a, b in zip(few, more, strict=True)))


def _cut(config: Any, layers: int) -> Any:
    import copy

    cut = copy.deepcopy(config)
    text = cut.get_text_config()
    text.num_hidden_layers = layers
    if getattr(text, "layer_types", None):
        text.layer_types = (list(text.layer_types) * layers)[:layers]
    return cut


def _measured(config: Any, dtype: str) -> Pace | None:
    import torch

    from stepladder.checkpoints import free_bytes, quiet
    from stepladder.engines.cache import PrefixStore
    from stepladder.engines.decode import SharedRunner
    from stepladder.engines.packed import SharedModel
    from stepladder.engines.proof import unfit
    from stepladder.engines.shared_attention import NAME, register
    from stepladder.forecast import empty_model

    with quiet(), torch.no_grad():
        model: Any = empty_model(config, getattr(torch, dtype))
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        size = sum(p.numel() * p.element_size() for p in model.parameters())
        free = free_bytes(device)
        if unfit(model) is not None or (free is not None and 2 * size > free):
            return None
        model.to_empty(device=device)
        for tensor in (*model.parameters(), *model.buffers()):
            # Numbers without the generator, which others draw from.
            tensor.copy_(torch.linspace(-0.1, 0.1, tensor.numel()).reshape(tensor.shape))
    register()
    model.eval().set_attn_implementation(NAME)
    shared = SharedModel(model, PrefixStore(0))
    nothing: Any = None  # no stop strings, so nothing is decoded
    runner = SharedRunner(shared, Budget(BATCH_TOKENS), ends=frozenset(), tokenizer=nothing)

    def taken(rows: int, prompt: int, new: int) -> float:
        # No two begin alike, so that nothing is shared.
        ids = [(row, *(at % 50 for at in range(prompt - 1))) for row in range(rows)]
        asks = [Ask(row, tuple(each), 0) for row, each in enumerate(ids)]

        def once() -> float:
            begin = time.perf_counter()
            list(runner.answers(asks, Sampling(max_new_tokens=new)))
            return time.perf_counter() - begin

        once()
        end, seen = time.perf_counter() + _SECONDS, [once()]
        while time.perf_counter() < end:
            seen.append(once())
        return sorted(seen)[len(seen) // 2]

    token = taken(1, _PROMPT, 1) / _PROMPT
    one, some = (
        max(0.0, taken(rows, 16, 1 + _STEPS) - taken(rows, 16, 1)) / _STEPS for rows in (1, _ROWS)
    )
    return Pace(token, one, max(0.0, some - one) / (_ROWS - 1))
