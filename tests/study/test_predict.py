"""Predicted costs follow what a rung would really do."""

from __future__ import annotations

import pytest

from stepladder.methods import parse_rung
from stepladder.study.predict import dry_run


@pytest.mark.parametrize(
    ("rung", "epochs"), [("lora", 15.0), ("lora(batch_size=1)", 8.0), ("lora(epochs=2)", 2.0)]
)
def test_epochs_left_open_are_predicted_as_the_training_will_settle_them(
    make_task, checkpoint, rung, epochs
):
    training = dry_run(parse_rung(rung), make_task(), checkpoint).training
    assert training is not None
    assert training.epochs == epochs  # 20 rows: 150 updates, in 15 passes at most
