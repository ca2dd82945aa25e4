"""LoRA: two low-rank matrices beside each linear layer are trained, the model stays as it is.

    Lora(rank=16).adapt(base, train, dev, bench).checkpoint.adapters[-1].folder

Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models" (arXiv 2106.09685); all linear
layers rather than attention alone after Dettmers et al., "QLoRA" (arXiv 2305.14314), section 4.
With `bits=4` it is that paper's way. The work is peft's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from stepladder.checkpoints.quantized import mark
from stepladder.errors import RungError
from stepladder.methods.trained import Remedied
from stepladder.training import Share

ALL_LINEAR = "all-linear"


@dataclass(frozen=True)
class Lora(Remedied):
    """A low-rank adapter on top of the checkpoint."""

    rank: int = 8
    """Columns of the two matrices: what the adapter can learn, and its size."""
    alpha: float | None = None
    """The adapter's output is scaled by alpha / rank, by 2 where it is not given."""
    dropout: float = 0.0
    """Share of the adapter's inputs dropped while training."""
    targets: str = ALL_LINEAR
    """`all-linear`, or the names of layers: `q_proj|v_proj`."""
    rslora: bool = False
    """Scale by alpha / sqrt(rank) instead (Kalajdzievski 2023, arXiv 2312.03732)."""
    dora: bool = False
    """Train the lengths of the weights' columns apart from their directions (Liu et al. 2024, arXiv
    2402.09353), which takes more time and memory."""
    bits: int | None = None
    """4 holds the base's weights in 4 bits, while it trains and when it answers: QLoRA. They are
    what the adapter is trained against, so they are part of what comes out."""
    share: ClassVar[Share] = "adapter"

    def __post_init__(self) -> None:
        if self.rank < 1:
            raise RungError(f"lora: rank is {self.rank}; give 1 or more (8 is the default)")
        if self.alpha is not None and not (math.isfinite(self.alpha) and self.alpha > 0):
            raise RungError(f"lora: alpha is {self.alpha}; give a number above 0")
        if not 0 <= self.dropout < 1:
            raise RungError(f"lora: dropout is {self.dropout}; give a number from 0 to below 1")
        if not all(self._names()):
            raise RungError(f"lora: targets is '{self.targets}'; give all-linear or q_proj|v_proj")
        if self.bits not in (None, 4):
            raise RungError(f"lora: bits is {self.bits}; give 4, or leave it out for full width")
        if self.bits and self.dora:
            raise RungError("lora: dora=yes and bits=4 are not to be had together; leave one out")
        if self.dora and self.wise_ft < 1:
            raise RungError(
                "lora: wise_ft scales what an adapter adds, and dora=yes trains lengths beside it, "
                "which would stay; leave one out"
            )
        super().__post_init__()

    def prepare(self, model: Any) -> Any:
        """The model with an adapter in it, all else frozen. Raises RungError for a target that the
        model does not have."""
        from peft import LoraConfig, get_peft_model

        seq2seq = bool(getattr(model.config, "is_encoder_decoder", False))
        return get_peft_model(
            model,
            LoraConfig(
                r=self.rank,
                lora_alpha=self._alpha,  # type: ignore[arg-type]  # peft divides it
                lora_dropout=self.dropout,
                use_rslora=self.rslora,
                use_dora=self.dora,
                target_modules=self._targets(model),
                task_type="SEQ_2_SEQ_LM" if seq2seq else "CAUSAL_LM",
            ),
        )

    def save(self, model: Any, folder: Path) -> None:
        for config in model.peft_config.values():
            # peft keeps them as a set, whose order differs from process to process.
            config.target_modules = sorted(config.target_modules)
            config.lora_alpha *= self.wise_ft
        model.save_pretrained(str(folder), save_embedding_layers=False)
        (folder / "README.md").unlink(missing_ok=True)  # peft's form for a card, all blanks
        if self.bits:
            mark(folder)

    @property
    def _alpha(self) -> float:
        """Without one, the scale is 2 with either divisor."""
        return self.alpha or 2 * (math.sqrt(self.rank) if self.rslora else self.rank)

    def _names(self) -> list[str]:
        return [name.strip() for name in self.targets.split("|")]

    def _targets(self, model: Any) -> str | list[str]:
        if self.targets == ALL_LINEAR:
            return ALL_LINEAR
        from torch import nn
        from transformers.pytorch_utils import Conv1D

        there = {
            name.rpartition(".")[2]
            for name, module in model.named_modules()
            if isinstance(module, nn.Linear | Conv1D)
        }
        missing = [name for name in self._names() if name not in there]
        if missing:
            raise RungError(
                f"lora: the model has no linear layer '{missing[0]}'; it has "
                f"{', '.join(sorted(there))}"
            )
        return self._names()
