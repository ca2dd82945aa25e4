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
    replay: float = 0.0
    """Share of the rows trained on that is other data, which the task names under `replay`."""
    wise_ft: float = 1.0
    """How far the weights go from the base (0) to the tuned ones (1): WiSE-FT's alpha."""

    fills: ClassVar[str | None] = None
    requires: ClassVar[Capabilities] = Capabilities(trains=True)
    share: ClassVar[Share] = "all"

    def __post_init__(self) -> None:
        tuning.check_fit("full", self.epochs, self.lr, self.batch_size, self.patience)
        tuning.check_remedies("full", self.replay, self.wise_ft)

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

    def interpolate(self, model: Any, base: Any) -> None:
        """(1 - alpha) * base + alpha * tuned, weight by weight. Wortsman et al., "Robust
        fine-tuning of zero-shot models" (arXiv 2109.01903), equation 1."""
        import torch

        before = dict(base.named_parameters())
        with torch.no_grad():
            for name, tuned in model.named_parameters():
                tuned.copy_(before[name].to(tuned).lerp(tuned, self.wise_ft))

    def save(self, model: Any, folder: Path) -> None:
        model.save_pretrained(str(folder))
