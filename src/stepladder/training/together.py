"""One training of several methods: neighbours in a rung's list are trained jointly.

    build_method("lora(rank=4) + prompt-tuning(20, lr=0.1)")

Each method adds what it trains and writes what it has trained; the loop is one, with the settings
of the first. Parameters whose method names a rate of its own have it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stepladder import registry
from stepladder.contracts import BeginsFromText, TrainingMethod
from stepladder.records import FitSettings


@dataclass(frozen=True)
class Together:
    """Methods in the order in which they change the model."""

    methods: tuple[TrainingMethod, ...]

    @property
    def virtual_tokens(self) -> int:
        return sum(virtual_tokens(method) for method in self.methods)

    def fit_settings(self) -> FitSettings:
        return self.methods[0].fit_settings()

    def prepare(self, model: Any) -> Any:
        for method in self.methods:
            model = method.prepare(model)
        return model

    def begin(self, model: Any, ids: Sequence[int]) -> None:
        for method in self.methods:
            if isinstance(method, BeginsFromText):
                method.begin(model, ids)

    def save(self, model: Any, folder: Path) -> None:
        for method in self.methods:
            method.save(model, folder)

    def own_rates(self, model: Any) -> list[tuple[Any, float]]:
        """Parameters (torch) and the highest learning rate of each, where it is not the first
        method's."""
        from stepladder.checkpoints.soft_prompt import soft_prompt

        found = soft_prompt(model)
        rates = [getattr(m, "lr", None) for m in self.methods[1:] if virtual_tokens(m)]
        return [(found.vectors, rate) for rate in rates if found is not None and rate is not None]


def virtual_tokens(method: TrainingMethod) -> int:
    """Tokens of a soft prompt that a method puts before every prompt; 0 for most."""
    return int(getattr(method, "virtual_tokens", 0))


def build_method(text: str) -> TrainingMethod:
    """The method, or the methods, that a job names."""
    methods: tuple[TrainingMethod, ...] = tuple(
        registry.build("methods", part) for part in registry.parts(text)
    )
    together: Any = Together(methods)  # it trains, and adapts nothing
    found: TrainingMethod = methods[0] if len(methods) == 1 else together
    return found
