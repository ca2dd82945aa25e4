"""The probe: numbers of this machine, once a process, and nothing drawn."""

from __future__ import annotations

import time

import torch
from transformers import LlamaConfig

from stepladder.forecast import Batch, empty_model, probe

CONFIG = LlamaConfig(
    hidden_size=64,
    num_hidden_layers=2,
    num_attention_heads=4,
    intermediate_size=96,
    vocab_size=300,
)


def test_a_machine_is_probed_in_about_a_second_and_once() -> None:
    model = empty_model(CONFIG)
    start = time.perf_counter()
    speed = probe(model, "float32", Batch(4, 48, 16))
    first = time.perf_counter() - start
    assert all(number > 0 for number in speed)
    assert speed.linear > 1e7
    assert speed.operation < 0.1
    start = time.perf_counter()
    assert probe(model, "float32", Batch(8, 40, 24)) is speed  # rows of the same length
    assert time.perf_counter() - start < max(0.1, first / 2)


def test_the_generator_is_not_touched() -> None:
    torch.manual_seed(3)
    probe(empty_model(CONFIG), "float32", Batch(4, 200, 16))
    drawn = torch.rand(3)
    torch.manual_seed(3)
    assert torch.equal(drawn, torch.rand(3))
