"""The settings that every training has, whatever it trains, and how it adapts.

    Lora(rank=4, epochs=2).fit_settings()      # rank is Lora's own, epochs every training's

They are by keyword alone, and so stand behind a method's own: in its signature, and in its name as
`registry.describe` writes it, which is part of a build's address.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from stepladder.adaptation import Adaptation
from stepladder.contracts import Workbench
from stepladder.errors import RungError
from stepladder.methods import tuning
from stepladder.records import Build, Capabilities, Example, FitSettings
from stepladder.training import Share


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A training of a share of the model."""

    epochs: float | None = None
    """Passes over the training rows at most; without it 3, or more where rows are few."""
    lr: tuning.Rate = None
    """The highest learning rate; without it one for the share that is trained and for the model's
    width. `auto` searches one on dev, by a few short trainings."""
    batch_size: int = 8
    """Rows an update."""
    patience: int = 2
    """Looks at dev without a lower loss before training stops; 0 never stops."""
    checkpointing: bool = False
    """Compute a layer's activations again when they are wanted, instead of keeping them: less
    memory, more time, the same outcome."""

    fills: ClassVar[str | None] = None
    requires: ClassVar[Capabilities] = Capabilities(trains=True)
    share: ClassVar[Share]

    def __post_init__(self) -> None:
        name = tuning.NAMES[self.share]
        if self.epochs is not None and not (math.isfinite(self.epochs) and self.epochs > 0):
            raise RungError(f"{name}: epochs is {self.epochs}; give a number above 0")
        if isinstance(self.lr, float) and not (math.isfinite(self.lr) and 0 < self.lr < 1):
            raise RungError(
                f"{name}: lr is {self.lr}; give a number above 0 and below 1, such as 5e-4"
            )
        if self.batch_size < 1:
            raise RungError(f"{name}: batch_size is {self.batch_size}; give 1 or more")
        if self.patience < 0:
            raise RungError(
                f"{name}: patience is {self.patience}; give 0 (never stop early) or more"
            )

    def fit_settings(self) -> FitSettings:
        return tuning.fit_settings(self.epochs, self.lr, self.batch_size, self.patience)

    def adapt(
        self,
        base: Adaptation,
        train: Sequence[Example],
        dev: Sequence[Example],
        bench: Workbench,
    ) -> Adaptation:
        build = tuning.train(self, self.share, base, train, dev, bench)
        return self._adapted(base, build)

    def _adapted(self, base: Adaptation, build: Build) -> Adaptation:
        """With what was trained on top; a method that changes all weights says so here."""
        return tuning.with_adapter(base, build)


@dataclass(frozen=True, kw_only=True)
class Remedied(Trained):
    """A training that can be kept from forgetting."""

    replay: float = 0.0
    """Share of the rows trained on that is other data, which the task names under `replay`."""
    wise_ft: float = 1.0
    """How far it goes from the base (0) to what was tuned (1): WiSE-FT's alpha for weights, and
    what an adapter's output is scaled by."""

    def __post_init__(self) -> None:
        super().__post_init__()
        name = tuning.NAMES[self.share]
        if not 0 <= self.replay < 1:
            raise RungError(
                f"{name}: replay is {self.replay:g}; give the share of other data in the mixture, "
                "from 0 to below 1, such as 0.2"
            )
        if not 0 < self.wise_ft <= 1:
            raise RungError(
                f"{name}: wise_ft is {self.wise_ft:g}; give a number above 0 (the base) and at "
                "most 1 (all that was tuned)"
            )
