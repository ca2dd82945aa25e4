"""The names of trainings, which are part of a build's address: they stay as they are to the letter,
or what was trained before would be trained again."""

from __future__ import annotations

import pytest

from stepladder.methods import parse_rung
from stepladder.methods.tuning import described

LAST = "wise_ft=0.5, replay=0.2, patience=1, batch_size=4, lr=0.001, epochs=2"


@pytest.mark.parametrize(
    ("name", "rung", "description"),
    [
        (
            "lora",
            f"lora({LAST}, rslora=yes, targets=q|v, dropout=0.1, alpha=3, rank=4)",
            "lora(rank=4, alpha=3.0, dropout=0.1, targets=q|v, rslora=True, epochs=2.0, "
            "lr=0.001, batch_size=4, patience=1, replay=0.2, wise_ft=0.5)",
        ),
        ("lora", "lora(4, 3, epochs=2)", "lora(rank=4, alpha=3.0, epochs=2.0)"),
        ("lora", "lora(bits=4, lr=auto)", "lora(bits=4, lr=auto)"),
        (
            "full",
            f"full({LAST})",
            "full(epochs=2.0, lr=0.001, batch_size=4, patience=1, replay=0.2, wise_ft=0.5)",
        ),
        ("full", "full(2, 0.001)", "full(epochs=2.0, lr=0.001)"),
        (
            "prompt-tuning",
            "prompt-tuning(patience=1, batch_size=4, lr=0.1, epochs=2, kind=prefix, init=random, "
            "n=8)",
            "prompt-tuning(n=8, init=random, kind=prefix, epochs=2.0, lr=0.1, batch_size=4, "
            "patience=1)",
        ),
        ("prompt-tuning", "prompt-tuning(8, random)", "prompt-tuning(n=8, init=random)"),
        (
            "",
            "full(lr=0.0003, epochs=2) + lora(batch_size=4, rank=2) + prompt-tuning(5)",
            "full(epochs=2.0, lr=0.0003) + lora(rank=2, batch_size=4) + prompt-tuning(n=5)",
        ),
    ],
)
def test_a_training_is_described_as_it_always_was(name: str, rung: str, description: str) -> None:
    (method,) = parse_rung(rung).methods
    assert described(name, method) == description
