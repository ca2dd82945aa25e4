"""One training of several methods: neighbours in a rung's list are trained jointly.

    build_method("lora(rank=4) + prompt-tuning(20, lr=0.1)")

Each method adds what it trains and writes what it has trained; the loop is one, with the settings
of the first. The parameters of the others have the rate that their method names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from stepladder import registry
from stepladder.checkpoints import BESIDE
from stepladder.contracts import BeginsFromText, TrainingMethod
from stepladder.errors import StepladderError
from stepladder.records import FitSettings
from stepladder.training.rates import Share

JOINT_ORDER: Sequence[Share] = ("all", "adapter", "prompt")
"""The order in which methods prepare a model: peft freezes what is there before its adapter."""


@dataclass(frozen=True)
class Together:
    """Methods in the order in which they change the model, each with the `share` that it trains."""

    methods: tuple[Any, ...]

    @property
    def virtual_tokens(self) -> int:
        return sum(virtual_tokens(method) for method in self.methods)

    @property
    def bits(self) -> int | None:
        """Of the base's weights, where a method wants them quantised."""
        return next((bits for m in self.methods if (bits := getattr(m, "bits", None))), None)

    @property
    def checkpointing(self) -> bool:
        return any(recomputes(method) for method in self.methods)

    def fit_settings(self) -> FitSettings:
        fit: FitSettings = self.methods[0].fit_settings()
        return fit

    def prepare(self, model: Any) -> Any:
        for method in self.methods:
            model = method.prepare(model)
        for method in self.methods:
            for parameter in _parameters(model, method.share):
                parameter.requires_grad_(True)
        return model

    def begin(self, model: Any, ids: Sequence[int]) -> None:
        for method in self.methods:
            if isinstance(method, BeginsFromText):
                method.begin(model, ids)

    def save(self, model: Any, folder: Path) -> None:
        """Adapters as such; where all weights were trained, a whole checkpoint with a LoRA in its
        weights. A soft prompt lies in a folder within."""
        from stepladder.checkpoints.prompt_files import write
        from stepladder.checkpoints.soft_prompt import take_off

        by_share = {method.share: method for method in self.methods}
        if "all" not in by_share:
            for method in self.methods:
                method.save(model, folder)
            return
        if "prompt" in by_share:
            write(model, folder / BESIDE)
            take_off(model)
        if "adapter" in by_share:
            model = model.merge_and_unload()
        by_share["all"].save(model, folder)

    def own_rates(self, model: Any) -> list[tuple[list[Any], float]]:
        """Parameters (torch) with the highest learning rate of their method, but for those of the
        first, which have the loop's."""
        return [(_parameters(model, method.share), method.lr) for method in self.methods[1:]]


def _parameters(model: Any, share: Share) -> list[Any]:
    """Those of a prepared model that a share of it means; of all weights, what is no adapter's."""
    from stepladder.checkpoints.soft_prompt import soft_prompt

    prompt = soft_prompt(model)
    vectors = None if prompt is None else prompt.vectors
    kinds = {"prompt": [vectors], "adapter": [], "all": []}
    for name, parameter in model.named_parameters():
        if parameter is not vectors:
            kinds["adapter" if "lora_" in name else "all"].append(parameter)
    return kinds[share]


def virtual_tokens(method: TrainingMethod) -> int:
    """Tokens of a soft prompt that a method puts before every prompt; 0 for most."""
    return int(getattr(method, "virtual_tokens", 0))


def recomputes(method: TrainingMethod) -> bool:
    """Whether activations are computed again instead of kept."""
    return bool(getattr(method, "checkpointing", False))


def recomputing(method: TrainingMethod) -> TrainingMethod | None:
    """The same with activations computed again; None where it has them so, or cannot."""
    parts = method.methods if isinstance(method, Together) else (method,)
    if recomputes(method):
        return None
    told: Any = tuple(with_settings(part, checkpointing=True) for part in parts)
    if None in told:
        return None
    found: Any = Together(told) if isinstance(method, Together) else told[0]
    return cast(TrainingMethod, found)


def with_settings(method: TrainingMethod, **settings: Any) -> TrainingMethod | None:
    """One method with other settings; None where it has no such, has them so already, or refuses
    them beside its own."""
    if not all(hasattr(method, name) for name in settings) or isinstance(method, Together):
        return None
    changing: Any = method
    try:
        changed: TrainingMethod = replace(changing, **settings)
    except (StepladderError, TypeError):
        return None
    return None if changed == method else changed


def build_method(text: str) -> TrainingMethod:
    """The method, or the methods, that a job names."""
    methods: tuple[TrainingMethod, ...] = tuple(
        registry.build("methods", part) for part in registry.parts(text)
    )
    ordered = sorted(methods, key=lambda m: JOINT_ORDER.index(getattr(m, "share", "all")))
    together: Any = Together(tuple(ordered))  # it trains, and adapts nothing
    found: TrainingMethod = methods[0] if len(methods) == 1 else together
    return found
