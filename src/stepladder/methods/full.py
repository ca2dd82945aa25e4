"""Full fine-tuning: all weights are trained, and a whole new checkpoint comes out.

Full(epochs=2).adapt(base, train, dev, bench).checkpoint.folder     # stands alone
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from stepladder.adaptation import Adaptation
from stepladder.methods import tuning
from stepladder.methods.trained import Remedied
from stepladder.records import Build
from stepladder.training import Share


@dataclass(frozen=True)
class Full(Remedied):
    """New weights for the whole model."""

    share: ClassVar[Share] = "all"

    def _adapted(self, base: Adaptation, build: Build) -> Adaptation:
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
