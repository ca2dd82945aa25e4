"""A learning rate for a model of this size, where the user names none.

    learning_rate(checkpoint, share="adapter")      # 1.1e-3 for FLAN-T5-base, 2.9e-4 for Llama 8B

Wider models want smaller steps. Schulman et al., "LoRA Without Regret" (Thinking Machines, 2025),
fitted over 14 Llama and Qwen models

    rate = 5e-5 * (10 for LoRA) * (2000 / hidden size) ** power

with a power of .781 for Llama; the optimum did not move with the rank as long as LoRA's scale
(alpha / rank) stays. Below a width of 512, far from the models of that fit, the rates are our own
measurement (`docs/log.md`, 2026-11-23 and 24): there the formula is three times too careful, and
less bold steps suit an encoder-decoder. That of a soft prompt is our own measurement too, of one
model of width 224 whose embeddings have a standard deviation of .11 (the best of six rates over six
tasks and three seeds, 2026-11-26); what suits wider ones is not known yet. The same rate was the
best of three for a trained prefix (2026-11-25).
"""

from __future__ import annotations

import json
from typing import Any, Literal

from stepladder.records import Checkpoint

_WIDTHS = ("hidden_size", "d_model", "n_embd", "dim")
_ANCHOR = 2000
_POWER = 0.781
_NARROW = 512
_OF_NARROW = {"adapter": 8e-3, "all": 1e-3}
_OF_NARROW_SEQ2SEQ = {"adapter": 3e-3, "all": 1e-3}
_OF_PROMPT = 0.1

Share = Literal["adapter", "all", "prompt"]
"""What is trained: low-rank adapters, all weights, or a soft prompt."""


def learning_rate(checkpoint: Checkpoint, share: Share) -> float:
    """The peak learning rate for AdamW, to two digits; of the anchor's width where the
    configuration names no width."""
    if share == "prompt":
        return _OF_PROMPT
    width = hidden_size(checkpoint) or _ANCHOR
    if width < _NARROW:
        seq2seq = checkpoint.capabilities.encoder_decoder
        return (_OF_NARROW_SEQ2SEQ if seq2seq else _OF_NARROW)[share]
    rate = 5e-5 * (10 if share == "adapter" else 1) * (_ANCHOR / width) ** _POWER
    return float(f"{rate:.1e}")


def hidden_size(checkpoint: Checkpoint) -> int | None:
    """The width of the model's layers, as its config.json names it."""
    path = checkpoint.folder / "config.json"
    if not path.exists():
        return None
    config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    for part in (config, config.get("text_config") or {}):
        for name in _WIDTHS:
            if isinstance(part.get(name), int):
                return int(part[name])
    return None
