"""Base weights of 4 bits under a LoRA (QLoRA), and the adapters that were trained on such.

    require("lora(bits=4)")                # MissingExtraError without bitsandbytes
    family.from_pretrained(folder, quantization_config=settings("float32"))
    mark(adapter_folder); is_quantized(adapter_folder)

Dettmers et al., "QLoRA: Efficient Finetuning of Quantized LLMs" (arXiv 2305.14314): normal-float
values in blocks of 64, whose scales are quantised again. The work is bitsandbytes'; the output
layer and what transformers keeps apart stay as they are. An adapter has learned to correct the
quantised weights and no others, so a mark in its folder, which its content hash takes in, has the
same weights quantised whenever it is loaded. No torch until a model is at work.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from stepladder.errors import MissingExtraError
from stepladder.records import Adapter

MARK = "quantized.json"
"""In an adapter's folder: its base's weights are quantised, and how."""
BITS = 4
BLOCK = 64
"""Numbers that share a scale."""
_FORM = {"bits": BITS, "kind": "nf4", "double": True, "block": BLOCK}


def require(what: str) -> None:
    """Raises MissingExtraError where weights cannot be quantised here."""
    if find_spec("bitsandbytes") is None:
        raise MissingExtraError("quantized", what)


def mark(folder: Path) -> None:
    """Notes in an adapter's folder that its base is quantised."""
    (folder / MARK).write_text(json.dumps(_FORM, indent=1), encoding="utf-8")


def is_quantized(folder: Path) -> bool:
    """Whether the adapter in this folder stands on quantised weights."""
    return (folder / MARK).is_file()


def on_quantized(adapters: Sequence[Adapter]) -> bool:
    """Whether the weights under these adapters are quantised."""
    return any(is_quantized(adapter.folder) for adapter in adapters)


def settings(dtype: str) -> Any:
    """How transformers is to load a model; `dtype` is that of the products."""
    import torch
    from transformers import BitsAndBytesConfig

    require("an adapter on weights of 4 bits")
    kind: Any = BitsAndBytesConfig
    return kind(
        load_in_4bit=True,
        bnb_4bit_quant_type=_FORM["kind"],
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=getattr(torch, dtype),
    )


def settle(model: Any) -> Any:
    """Has a processor multiply by the same numbers whether the model trains or answers.

    On processors with bf16 products bitsandbytes packs the weights anew at the first answer, with
    scales rounded to bf16: answers would not be those that dev's loss was measured on, and widths
    that are no multiple of 64 end in an error.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False
    return model


def in_full(model: Any) -> Any:
    """The model with the same numbers in weights of full width, into which an adapter can be
    added; a model that is not quantised as it is."""
    if not getattr(model, "is_quantized", False):
        return model
    return model.dequantize()
