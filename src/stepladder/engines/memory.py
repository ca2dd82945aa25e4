"""How many tokens may be at work at once: by the memory there is, and less after it ran out.

    budget = Budget(16384)
    answers = budget.within(lambda: decode(batch), rows=len(batch), longest=600)   # None: in halves

This module loads no torch of its own accord.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable
from typing import Any, TypeVar

from stepladder.checkpoints import free_bytes, out_of_memory
from stepladder.errors import EngineError

_Result = TypeVar("_Result")

BATCH_TOKENS = 32768
"""Tokens at work at most where memory allows: on a processor more rows than these fill gain
nothing, as its matrix products are at full speed."""
_SHARE = 0.25
"""Of the free memory, for keys and values of rows."""


class Budget:
    """Tokens of a batch, padding and answers included; shrinks when memory runs out."""

    def __init__(self, tokens: int) -> None:
        self.tokens = tokens

    def fit(self, model: Any) -> None:
        """Lowers it to what the keys and values of a model's tokens leave room for."""
        free = _room(model.device)
        if free is not None:
            self.tokens = max(1, min(self.tokens, int(free * _SHARE) // token_bytes(model)))

    def within(
        self, work: Callable[[], _Result], *, rows: int, longest: int, tokens: int
    ) -> _Result | None:
        """What `work` returns; None where memory ran out and the budget is now half of the `tokens`
        that it took. Raises EngineError where a single row is too much."""
        try:
            return work()
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            if rows == 1:
                raise EngineError(
                    f"out of memory with a single prompt of {longest} tokens; use a smaller model, "
                    "shorter prompts, or --dtype bfloat16"
                ) from error
        # Outside the handler, which would keep the failed batch's tensors alive.
        self.tokens = max(1, tokens // 2)
        release()
        return None


def token_bytes(model: Any) -> int:
    """Bytes of one token's keys and values over all layers, or as many as its hidden states would
    take twice where a model has no heads."""
    config = model.config.get_text_config()
    heads = getattr(config, "num_attention_heads", None)
    width = getattr(config, "head_dim", None) or getattr(config, "d_kv", None)
    if heads is None or width is None:
        states = int(config.hidden_size)
        key_heads = getattr(config, "num_key_value_heads", None)
        states = states * key_heads // heads if heads and key_heads else states
    else:
        states = int(getattr(config, "num_key_value_heads", None) or heads) * int(width)
    return 2 * int(config.num_hidden_layers) * states * int(model.dtype.itemsize)


def _room(device: Any) -> int | None:
    """What is free; half of the machine's memory where the system tells that alone."""
    free = free_bytes(device)
    if free is not None or "SC_PHYS_PAGES" not in getattr(os, "sysconf_names", {}):
        return free
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2


def release() -> None:
    """Gives back what nobody holds any more."""
    gc.collect()
    if (torch := sys.modules.get("torch")) is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
