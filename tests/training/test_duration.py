"""The time of a training from the work of its batches, with a machine whose speed is given."""

from __future__ import annotations

import pytest
import torch
from transformers import LlamaConfig

from stepladder.forecast import Batch, Speed, empty_model, foretell, work_of
from stepladder.methods.full import Full
from stepladder.training.batches import Collator, Encoded, Row
from stepladder.training.duration import Timing

CONFIG = LlamaConfig(
    hidden_size=64,
    num_hidden_layers=2,
    num_attention_heads=4,
    intermediate_size=96,
    vocab_size=300,
    tie_word_embeddings=True,
)
ROWS = [Row((1,) * 24, (2,) * 8)] * 16
NONE = Encoded([], [])
BY_WORK_ALONE = Speed(linear=1e9, attention=1e9, moves=float("inf"), operation=0.0)


@pytest.fixture
def timing(make_job) -> Timing:
    job = make_job("full", epochs=2, batch_size=4)
    with torch.device("meta"):
        model = Full().prepare(empty_model(CONFIG))
    collator = Collator(pad=0, encoder_decoder=False)
    return Timing(model, collator, job, foretell(CONFIG, Full(), Batch(4, 24, 8)), BY_WORK_ALONE)


def test_equal_batches_take_the_time_of_one_each(timing: Timing) -> None:
    one = timing.forecast.flops / 1e9
    assert timing.speed.seconds(timing.forecast) == pytest.approx(one)
    assert timing.seconds(Encoded(ROWS, []), NONE) == pytest.approx(2 * 4 * one)


def test_shorter_batches_take_less(timing: Timing) -> None:
    half = [*ROWS[:8], *[Row((1,) * 8, (2,) * 8)] * 8]
    whole = timing.seconds(Encoded(ROWS, []), NONE)
    assert 0.7 * whole < timing.seconds(Encoded(half, []), NONE) < 0.85 * whole


def test_dev_is_looked_at_before_and_after_every_epoch(timing: Timing) -> None:
    without = timing.seconds(Encoded(ROWS, []), NONE)
    looks = timing.seconds(Encoded(ROWS, []), Encoded(ROWS[:4], [])) - without
    work = work_of(timing.model, Batch(4, 24, 8))
    assert looks == pytest.approx(3 * without / 8 * work.forward / work.update)


def test_speed_adds_what_each_part_takes(timing: Timing) -> None:
    forecast = timing.forecast
    slow = Speed(linear=1e9, attention=5e8, moves=1e6, operation=1e-3)
    expected = (forecast.flops + forecast.attention) / 1e9
    expected += forecast.moved / 1e6 + forecast.operations * 1e-3
    assert slow.seconds(forecast) == pytest.approx(expected)
    assert 0 < forecast.attention < 0.5 * forecast.flops
