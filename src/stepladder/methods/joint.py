"""Neighbouring training methods are one joint training, and one folder holds what came of it.

    parse_rung("lora + prompt-tuning(20)").methods     # (Joint((Lora(), PromptTuning(20))),)

peft refuses to mix kinds of adapters in one model, so its LoRA and a soft prompt of its format
stand beside one another: the LoRA in the folder, the soft prompt in a folder within. With `full`
the weights under a LoRA are trained as well; since only the sum of both acts, the LoRA is added to
them in the end, and a whole checkpoint is what comes out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

from stepladder import registry
from stepladder.adaptation import Adaptation
from stepladder.checkpoints import BESIDE, fingerprint
from stepladder.contracts import Workbench
from stepladder.errors import RungError
from stepladder.methods import tuning
from stepladder.methods.prompt_tuning import NO_CACHE
from stepladder.methods.rate_search import AUTO
from stepladder.records import Adapter, Capabilities, Example, FitSettings
from stepladder.training import JOINT_ORDER, Share, learning_rate

_SHARED = ("epochs", "batch_size", "patience", "replay", "checkpointing")


@dataclass(frozen=True)
class Joint:
    """Methods of different shares of the model, trained together."""

    parts: tuple[Any, ...]
    """Training methods with a `share`, in the order in which they are prepared."""

    fills: ClassVar[str | None] = None
    requires: ClassVar[Capabilities] = Capabilities(trains=True)

    @property
    def virtual_tokens(self) -> int:
        return sum(getattr(part, "virtual_tokens", 0) for part in self.parts)

    @property
    def decoder_only(self) -> bool:
        return any(getattr(part, "decoder_only", False) for part in self.parts)

    @property
    def bits(self) -> int | None:
        return next((bits for p in self.parts if (bits := getattr(p, "bits", None))), None)

    @property
    def replay(self) -> float:
        share: float = self._shared("replay")
        return share

    @property
    def epochs(self) -> float | None:
        epochs: float | None = self._shared("epochs")
        return epochs

    @property
    def lr(self) -> tuning.Rate:
        """The first part's; each has one of its own."""
        rate: tuning.Rate = self.parts[0].lr
        return rate

    def fit_settings(self) -> FitSettings:
        batch_size, patience = self._shared("batch_size"), self._shared("patience")
        return tuning.fit_settings(self.epochs, self.lr, batch_size, patience)

    def adapt(
        self,
        base: Adaptation,
        train: Sequence[Example],
        dev: Sequence[Example],
        bench: Workbench,
    ) -> Adaptation:
        checkpoint, first = tuning.weights(base), self.parts[0]
        told = [replace(p, lr=p.lr or learning_rate(checkpoint, p.share)) for p in self.parts[1:]]
        build = tuning.train(Joint((first, *told)), first.share, base, train, dev, bench)
        if first.share != "all":
            return tuning.with_adapter(base, build)
        beside = build.folder / BESIDE
        prompt = (Adapter(beside, fingerprint(beside)),) if self.virtual_tokens else ()
        whole = replace(tuning.retuned(checkpoint, build), adapters=prompt)
        return replace(base, checkpoint=whole)

    def describe(self) -> str:
        """As a job names it."""
        return " + ".join(registry.describe(tuning.NAMES[p.share], p) for p in self.parts)

    def _shared(self, name: str) -> Any:
        """A setting that is one for all parts: as one of them was given it, or the default."""
        given = _given(self.parts, name)
        return next(iter(given.values()), getattr(self.parts[0], name))


def joined(text: str, methods: Sequence[Any]) -> Joint:
    """What neighbours come to. Raises RungError for those that cannot be trained together."""
    shares: list[Share | None] = [getattr(method, "share", None) for method in methods]
    if None in shares or len(set(shares)) < len(shares):
        raise RungError(
            f"rung '{text}': its neighbouring trainings are one joint training, of full, lora and "
            "prompt-tuning, each once at most; make two rungs of it"
        )
    kept = next((m for m in methods if getattr(m, "wise_ft", 1.0) != 1.0), None)
    if kept is not None:
        raise RungError(
            f"rung '{text}': {tuning.NAMES[kept.share]} has wise_ft={kept.wise_ft}, which is for a "
            "training by itself; leave it out"
        )
    if any(getattr(m, "checkpointing", False) for m in methods) and any(
        getattr(m, "kind", "") == "prefix" for m in methods
    ):
        raise RungError(f"rung '{text}': {NO_CACHE}")
    if "all" in shares and any(getattr(m, "bits", None) for m in methods):
        raise RungError(
            f"rung '{text}': full trains all weights, and lora(bits=4) holds them quantised; leave "
            "one out"
        )
    for name in _SHARED:
        given = _given(methods, name)
        if len(set(given.values())) > 1:
            told = " and ".join(f"{method} has {name}={value}" for method, value in given.items())
            raise RungError(
                f"rung '{text}': {told}, and they are one training; give it once, or both the same"
            )
    parts = tuple(sorted(methods, key=lambda method: JOINT_ORDER.index(method.share)))
    searched = [tuning.NAMES[p.share] for p in parts[1:] if p.lr == AUTO]
    if searched:
        raise RungError(
            f"rung '{text}': {searched[0]} has lr=auto beside {tuning.NAMES[parts[0].share]}, and "
            "a joint training searches one rate alone; give it a number"
        )
    return Joint(parts)


def _given(methods: Sequence[Any], name: str) -> dict[str, Any]:
    """By method, the values of a setting that are not its default."""
    return {
        tuning.NAMES[method.share]: getattr(method, name)
        for method in methods
        for setting in fields(method)
        if setting.name == name and getattr(method, name) != setting.default
    }
