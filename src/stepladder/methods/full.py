"""Full fine-tuning: all weights are trained, and a whole new checkpoint comes out.

Full(epochs=2).adapt(base, train, dev, bench).checkpoint.folder     # stands alone
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

from stepladder.adaptation import Adaptation
from stepladder.contracts import Workbench
from stepladder.methods import tuning
from stepladder.records import Capabilities, Example, FitSettings
from stepladder.training import Share


@dataclass(frozen=True)
class Full:
    """New weights for the whole model."""

    epochs: float | None = None
    """Passes over the training rows at most; without it 3, or more where rows are few."""
    lr: float | Literal["auto"] | None = None
    """The highest learning rate; without it one for the model's width. `auto` searches one on dev,
    by a few short trainings."""
    batch_size: int = 8
    """Rows an update."""
    patience: int = 2
    """Looks at dev without a lower loss before training stops; 0 never stops."""

    fills: ClassVar[str | None] = None
    requires: ClassVar[Capabilities] = Capabilities(trains=True)
    share: ClassVar[Share] = "all"

    def __post_init__(self) -> None:
        tuning.check_fit("full", self.epochs, self.lr, self.batch_size, self.patience)

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
        return replace(base, checkpoint=tuning.retuned(tuning.weights(base), build))

    def prepare(self, model: Any) -> Any:
        return model.requires_grad_(True)

    def save(self, model: Any, folder: Path) -> None:
        model.save_pretrained(str(folder))
