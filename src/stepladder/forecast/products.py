"""What oneDNN keeps for the products of a training in bf16: code for each shape that comes up.

    found = Products(kernel=kernel_bytes())
    found.new(torch.ops.aten.mm.default, (left, right))     # bytes: 0 for a shape known already

A product in bf16 is done by code made for its shape, which is kept for the next one of that shape
(half a MiB with oneDNN 3 on AVX-512): little beside a large model, and a quarter of the process
that trains a small one. Products in float32 keep next to nothing. How much it is, is measured.
"""

from __future__ import annotations

import os
from typing import Any, Final

import torch

from stepladder.forecast.allocator import in_use

_OF_MATRICES = (
    torch.ops.aten.mm,
    torch.ops.aten.addmm,
    torch.ops.aten.bmm,
    torch.ops.aten.baddbmm,
)
_TRIED = 8
"""Shapes that the mean size of a kernel is taken over."""
MOST_KEPT: Final = int(os.environ.get("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "1024"))
"""Kernels, of which the one that was not used for longest goes when another comes (oneDNN's
developer guide, "Primitive Cache")."""


class Products:
    """The shapes seen so far."""

    def __init__(self, kernel: int) -> None:
        """`kernel`: bytes kept for one."""
        self._kernel = kernel
        self._seen: set[Any] = set()

    def __len__(self) -> int:
        return len(self._seen)

    def new(self, func: Any, given: Any) -> int:
        """Bytes that an operation on tensors makes oneDNN keep."""
        if func._overloadpacket not in _OF_MATRICES:
            return 0
        tensors = [t for t in given if isinstance(t, torch.Tensor)]
        if tensors[-1].dtype != torch.bfloat16:
            return 0
        shape = tuple((*t.shape, *t.stride()) for t in tensors)
        known = len(self._seen)
        self._seen.add(shape)
        return self._kernel if len(self._seen) > known else 0


def kernel_bytes() -> int:
    """Measured here, by some shapes that no model has; 0 where this system does not tell."""
    right = torch.zeros(96, 64, dtype=torch.bfloat16)
    torch.zeros(33, 96, dtype=torch.bfloat16) @ right
    before = in_use()
    if before is None:
        return 0
    for rows in range(34, 34 + _TRIED):
        torch.zeros(rows, 96, dtype=torch.bfloat16) @ right
    return max(0, ((in_use() or 0) - before) // _TRIED)
