"""Reads a list of methods and refuses, before anything is spent, what it may not hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from itertools import groupby

from stepladder import registry
from stepladder.checkpoints import virtual_ids
from stepladder.checkpoints.quantized import require
from stepladder.contracts import Method
from stepladder.errors import RungError
from stepladder.records import Checkpoint, Model


@dataclass(frozen=True, slots=True)
class Rung:
    """A list of methods, read left to right."""

    name: str
    methods: tuple[Method, ...]
    """As they are applied: left to right, but that what fills the reader or the evidence stands
    before the demonstrations beside it, since they are shown in its form, and what chooses the
    sampling is done last, with all else as it will be."""

    @property
    def trains(self) -> bool:
        """Whether a network is trained."""
        return any(method.fills is None for method in self.methods)

    @property
    def learns(self) -> bool:
        """Whether training rows decide its weights, a network's or a head's."""
        return self.trains or self.by_head

    @property
    def builds(self) -> bool:
        """Whether it takes more than rendering prompts before it can answer."""
        return self.learns or any(method.fills == "sampling" for method in self.methods)

    @property
    def by_head(self) -> bool:
        """Whether a head on features answers, and no model writes."""
        return any(method.fills == "head" for method in self.methods)

    @property
    def virtual_tokens(self) -> int:
        """Of a soft prompt that it trains."""
        return sum(getattr(method, "virtual_tokens", 0) for method in self.methods)

    def check(self, checkpoint: Model) -> None:
        """Refuses what this model cannot do."""
        if isinstance(checkpoint, Checkpoint) and checkpoint.head is not None:
            raise RungError(
                f"{checkpoint.name} is a head on features, which answers its own task and can be "
                "adapted no further; ask it by `stepladder ask`, or give the model under it"
            )
        for method in self.methods:
            for need in fields(method.requires):
                wanted = getattr(method.requires, need.name)
                if wanted is True and not getattr(checkpoint.capabilities, need.name):
                    raise RungError(
                        f"rung '{self.name}' needs a model that {need.name}, "
                        f"which {checkpoint.name} does not; leave it out for this model"
                    )
            if getattr(method, "decoder_only", False) and checkpoint.capabilities.encoder_decoder:
                raise RungError(
                    f"rung '{self.name}' trains a prefix before every layer, which is for "
                    f"decoder-only models, and {checkpoint.name} is an encoder-decoder; leave "
                    "kind=prefix out"
                )
            if getattr(method, "bits", None):
                require(f"rung '{self.name}'")
        self._check_soft_prompts(checkpoint)
        context = checkpoint.capabilities.context
        if context is not None and self.virtual_tokens >= context:
            raise RungError(
                f"rung '{self.name}' has {self.virtual_tokens} virtual tokens, and the context of "
                f"{checkpoint.name} is {context} tokens; take fewer"
            )

    def _check_soft_prompts(self, checkpoint: Model) -> None:
        """Refuses a training that would lose a soft prompt, before the one that makes it is run."""
        there = len(virtual_ids(checkpoint)) if isinstance(checkpoint, Checkpoint) else 0
        for method in self.methods:
            if method.fills is not None:
                continue
            own = int(getattr(method, "virtual_tokens", 0))
            parts = getattr(method, "parts", (method,))
            if there and (own or any(getattr(part, "share", None) == "all" for part in parts)):
                raise RungError(
                    f"rung '{self.name}' trains full or prompt-tuning behind a soft prompt, which "
                    "would be lost; put that training first"
                )
            there += own


def parse_rung(text: str) -> Rung:
    """A rung from its name in a task file or on the command line.

    Raises RungError for an unknown method or setting and for an impossible list.
    """
    parts = registry.parts(text)
    if not all(parts):
        raise RungError(f"rung '{text}': a method is missing beside a '+'")
    methods = tuple(registry.build("methods", part) for part in parts)
    alone = [part for part, method in zip(parts, methods, strict=True) if method.fills == "head"]
    if alone and len(parts) > 1:
        raise RungError(
            f"rung '{text}': {alone[0]} reads the input alone and answers by a head of its own, so "
            "nothing can stand beside it; make rungs of their own of the others"
        )
    filled: dict[str, str] = {}
    for part, method in zip(parts, methods, strict=True):
        if method.fills is None:
            continue
        if method.fills in filled:
            raise RungError(
                f"rung '{text}': {filled[method.fills]} and {part} both fill the "
                f"{method.fills}; leave one out"
            )
        else:
            filled[method.fills] = part
    name = " + ".join(" ".join(part.split()) for part in parts)
    return Rung(name, tuple(_joint(text, _applied(methods))))


def _joint(text: str, methods: tuple[Method, ...]) -> Iterator[Method]:
    """Neighbours that train, as the one training that they are."""
    for trains, run in groupby(methods, key=lambda method: method.fills is None):
        some = list(run)
        if trains and len(some) > 1:
            from stepladder.methods.joint import joined

            yield joined(text, some)
        else:
            yield from some


def _applied(methods: tuple[Method, ...]) -> tuple[Method, ...]:
    """Between one training and the next, what fills the reader comes first, then the evidence; the
    sampling is chosen at the end."""
    order: list[Method] = []
    for trains, run in groupby(methods, key=lambda method: method.fills is None):
        some = list(run)
        order += some if trains else sorted(some, key=_turn)
    return tuple(sorted(order, key=lambda method: method.fills == "sampling"))


def _turn(method: Method) -> int:
    return {"reader": 0, "evidence": 1}.get(method.fills or "", 2)
