"""Linear layers of 4 bits without contents: what bitsandbytes' hold, and what they make in a step.

    imitate(model)      # a model on the meta device, its linear layers as QLoRA has them

4 bits a number, a scale of 8 bits to 64 of them and one of 32 to 256 of those: 4.127 bits a number
(Dettmers et al., arXiv 2305.14314, section 3). Forward and backward each make a layer's weights
anew at full width and keep neither. bitsandbytes itself is not needed for a forecast.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from stepladder.checkpoints.quantized import BLOCK

_SCALES = 256
"""Scales that share one of their own, and values that a scale can have."""


class FourBits(nn.Linear):
    """A linear layer whose weights are packed."""

    def __init__(self, inputs: int, outputs: int, bias: nn.Parameter | None, dtype: Any) -> None:
        super().__init__(inputs, outputs, bias=False)
        numbers = inputs * outputs
        blocks = math.ceil(numbers / BLOCK)
        packed = torch.empty(math.ceil(numbers / 2), 1, dtype=torch.uint8)
        self.weight = nn.Parameter(packed, requires_grad=False)
        self.bias = bias  # type: ignore[assignment]
        self.numbers = numbers
        self._dtype = dtype
        self.register_buffer("scales", torch.empty(blocks, dtype=torch.uint8))
        self.register_buffer("scales_of_scales", torch.empty(math.ceil(blocks / _SCALES)))
        self.register_buffer("values", torch.empty(16 + _SCALES))

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        shape = (self.out_features, self.in_features)
        product: torch.Tensor = _Product.apply(states, self.weight, shape, self._dtype)  # type: ignore[no-untyped-call]
        product = product if self.bias is None else product + self.bias
        return product.to(states.dtype).clone()  # as peft does behind such a layer


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, states: Any, packed: Any, shape: Any, dtype: Any) -> Any:
        ctx.save_for_backward(packed)
        ctx.how = shape, dtype
        return nn.functional.linear(states, packed.new_empty(shape, dtype=dtype).to(states.dtype))

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        (packed,), (shape, dtype), (gradient,) = ctx.saved_tensors, ctx.how, gradients
        return gradient @ packed.new_empty(shape, dtype=dtype).to(gradient.dtype), None, None, None


def imitate(model: Any) -> None:
    """Packs the linear layers that transformers packs: not the output layer, nor what it keeps in
    float32."""
    from transformers.quantizers.base import get_keys_to_not_convert
    from transformers.quantizers.quantizers_utils import should_convert_module

    apart = get_keys_to_not_convert(model) + list(model._keep_in_fp32_modules or ())
    for name, layer in list(model.named_modules()):
        if type(layer) is nn.Linear and should_convert_module(name, apart):
            dtype = layer.weight.dtype
            packed = FourBits(layer.in_features, layer.out_features, layer.bias, dtype)
            model.set_submodule(name, packed)
            model.requires_grad_(False)


def unpacked(model: nn.Module) -> int:
    """Numbers of a model's packed weights beyond the bytes that hold them."""
    return sum(m.numbers - m.weight.numel() for m in model.modules() if isinstance(m, FourBits))
