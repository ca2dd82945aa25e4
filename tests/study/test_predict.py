"""Predicted costs follow what a rung would really do."""

from __future__ import annotations

import pytest

from stepladder.ledger import Event
from stepladder.methods import parse_rung
from stepladder.study.climb import BuildCost, Climbed
from stepladder.study.plan import PlannedRung
from stepladder.study.predict import (
    ANSWERING,
    TRAINING,
    TRAINING_START,
    dry_run,
    rate_event,
    rates,
)


@pytest.mark.parametrize(
    ("rung", "epochs"), [("lora", 15.0), ("lora(batch_size=1)", 8.0), ("lora(epochs=2)", 2.0)]
)
def test_epochs_left_open_are_predicted_as_the_training_will_settle_them(
    make_task, checkpoint, rung, epochs
):
    training = dry_run(parse_rung(rung), make_task(), checkpoint).training
    assert training is not None
    assert training.epochs == epochs  # 20 rows: 150 updates, in 15 passes at most


def test_what_a_climb_took_is_what_the_next_prediction_starts_from(checkpoint):
    planned = PlannedRung("lora", checkpoint, parse_rung("lora"))
    build = BuildCost(seconds=TRAINING_START + 100, trained_tokens=5000)
    seen = rate_event(Climbed(planned, {}, build), seconds=0.5, tokens=100)
    assert seen is not None
    events = [Event(1, "", "rate", seen, "study")]
    answering, training = 2 * 1000 * 100 / 0.5, 6 * 1000 * 5000 / 100
    assert rates(1900, events) == (answering, training, "measured")
    assert rates(2100, events) == (ANSWERING, TRAINING, "default")  # a model of another size
