"""Neighbouring training methods are one joint training: one adapter folder holds what came of it.

    parse_rung("lora + prompt-tuning(20)").methods     # (Joint((Lora(), PromptTuning(20))),)

peft refuses to mix kinds of adapters in one model, so its LoRA and a soft prompt of its format
stand beside one another: the LoRA in the folder, the soft prompt in a folder within.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from stepladder import registry
from stepladder.adaptation import Adaptation
from stepladder.contracts import Workbench
from stepladder.errors import RungError
from stepladder.methods import tuning
from stepladder.methods.lora import Lora
from stepladder.methods.prompt_tuning import PromptTuning
from stepladder.records import Adapter, Capabilities, Example, FitSettings
from stepladder.training import learning_rate


@dataclass(frozen=True)
class Joint:
    """A LoRA and a soft prompt, trained together."""

    lora: Lora
    prompt: PromptTuning

    fills: ClassVar[str | None] = None
    requires: ClassVar[Capabilities] = Capabilities(trains=True)

    @property
    def virtual_tokens(self) -> int:
        return self.prompt.virtual_tokens

    @property
    def replay(self) -> float:
        """The LoRA's: both see the same rows."""
        return self.lora.replay

    @property
    def epochs(self) -> float | None:
        return self.lora.epochs

    @property
    def lr(self) -> tuning.Rate:
        """The LoRA's; a soft prompt has one of its own."""
        return self.lora.lr

    def fit_settings(self) -> FitSettings:
        return self.lora.fit_settings()

    def adapt(
        self,
        base: Adaptation,
        train: Sequence[Example],
        dev: Sequence[Example],
        bench: Workbench,
    ) -> Adaptation:
        checkpoint = tuning.weights(base)
        rate = self.prompt.lr or learning_rate(checkpoint, "prompt")
        told = replace(self, prompt=replace(self.prompt, lr=rate))
        build = tuning.train(told, "adapter", base, train, dev, bench)
        adapters = (*checkpoint.adapters, Adapter(build.folder, build.fingerprint))
        return replace(base, checkpoint=replace(checkpoint, adapters=adapters))

    def describe(self) -> str:
        """As a job names it."""
        parts = ("lora", self.lora), ("prompt-tuning", self.prompt)
        return " + ".join(registry.describe(name, method) for name, method in parts)


def joined(text: str, methods: Sequence[object]) -> Joint:
    """What neighbours come to. Raises RungError for those that cannot be trained together."""
    loras = [m for m in methods if isinstance(m, Lora)]
    prompts = [m for m in methods if isinstance(m, PromptTuning)]
    if len(methods) != 2 or len(loras) != 1 or len(prompts) != 1:
        raise RungError(
            f"rung '{text}': its neighbouring trainings are one joint training, and only lora and "
            "prompt-tuning can be trained together; make two rungs of it"
        )
    lora, prompt = loras[0], prompts[0]
    shared = ("epochs", "batch_size", "patience")
    differing = [n for n in shared if getattr(lora, n) != getattr(prompt, n)]
    if differing:
        name = differing[0]
        raise RungError(
            f"rung '{text}': lora has {name}={getattr(lora, name)} and prompt-tuning "
            f"{name}={getattr(prompt, name)}, and they are one training; give both the same"
        )
    return Joint(lora, prompt)
