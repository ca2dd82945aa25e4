"""Closed-form work against the rehearsal's count, operation by operation."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import LlamaConfig, T5Config

from stepladder.forecast import Batch, empty_model, foretell, work_of
from stepladder.training import build_method

LLAMA = LlamaConfig(
    hidden_size=128,
    num_hidden_layers=4,
    num_attention_heads=4,
    num_key_value_heads=2,
    intermediate_size=256,
    vocab_size=500,
    tie_word_embeddings=True,
)
T5 = T5Config(d_model=128, d_kv=32, d_ff=256, num_layers=4, num_heads=4, vocab_size=500)


@pytest.mark.parametrize("config", [LLAMA, T5], ids=["llama", "t5"])
@pytest.mark.parametrize("method", ["full", "lora(rank=4)", "prompt-tuning(8)", "full + lora"])
@pytest.mark.parametrize("batch", [Batch(4, 24, 8), Batch(2, 200, 40)], ids=["short", "long"])
def test_it_counts_what_the_rehearsal_counts(config: Any, method: str, batch: Batch) -> None:
    built = build_method(method)
    with torch.device("meta"):
        model = built.prepare(empty_model(config))
    counted = foretell(config, built, batch).flops
    # What is frozen before the first adapter needs no gradient: a good part of so few layers.
    assert work_of(model, batch).update == pytest.approx(counted, rel=0.08)


def test_a_common_beginning_is_read_once() -> None:
    built = build_method("full")
    with torch.device("meta"):
        model = built.prepare(empty_model(LLAMA))
    batch = Batch(4, 200, 40, 160)
    counted = foretell(LLAMA, built, batch).flops
    assert work_of(model, batch).update == pytest.approx(counted, rel=0.08)
    assert counted < 0.6 * foretell(LLAMA, built, Batch(4, 200, 40)).flops


def test_frozen_matrices_take_two_thirds_of_trained_ones() -> None:
    batch = Batch(8, 12, 4)  # short, so that attention is next to nothing
    with torch.device("meta"):
        full = work_of(build_method("full").prepare(empty_model(LLAMA)), batch)
        soft = work_of(build_method("prompt-tuning(8)").prepare(empty_model(LLAMA)), batch)
    assert soft.forward == full.forward
    assert 2 / 3 < soft.update / full.update < 0.69
