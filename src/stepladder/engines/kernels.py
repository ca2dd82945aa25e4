"""Softmax attention with its log-sum-exp, by the kernel that a device has for it.

    out, lse = attend(query, key, value, mask, scale=0.125)

On a processor that is torch's flash attention, on a CUDA device its memory-efficient one, once that
was seen to agree with the formula there; both keep no scores. What no kernel does (softcaps, values
of another width than the keys) is computed as it is written. torch's own function that chooses
between them gives no log-sum-exp, without which parts cannot be merged. This module needs torch;
import it where a model is at work.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import torch

from stepladder.checkpoints import out_of_memory

_LOWEST = -1e30
_KEPT_APART = 16
"""The efficient kernel reads a mask in steps of so many numbers: each of its rows begins at one."""
_BOUNDS = {torch.float32: 3e-5, torch.bfloat16: 0.05, torch.float16: 0.01}
"""How far a kernel may lie from what is written, with numbers of unit variance: rounding."""

_Attended = tuple[torch.Tensor, torch.Tensor]


def hidden(dtype: torch.dtype) -> float:
    """Added to the score of a key that a query may not see. Finite: where a part is hidden as a
    whole, its log-sum-exp is as low, and its weight in a merger 0 and not nan.

    >>> hidden(torch.float32), hidden(torch.float16)
    (-1e+30, -32752.0)
    """
    return max(_LOWEST, torch.finfo(dtype).min / 2)


def attend(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor | None,
    scale: float,
    softcap: float | None = None,
    *,
    causal: bool = False,
) -> _Attended:
    """Query (batch, heads, queries, dim), key and value (batch, heads, keys, dim), mask added to
    scores; output like query, and its log-sum-exp of shape (batch, heads, queries), float32."""
    given = _Given(query, key, value, mask, scale, causal, softcap)
    kernel = None
    if softcap is None and query.shape[-1] == value.shape[-1]:
        kernel = _kernel(query.device, query.dtype, query.shape[-1])
    return _as_written(given) if kernel is None else kernel(given)


class _Given(NamedTuple):
    """What `attend` is asked."""

    query: torch.Tensor
    key: torch.Tensor
    value: torch.Tensor
    mask: torch.Tensor | None
    scale: float
    causal: bool
    softcap: float | None = None


_Kernel = Callable[[_Given], _Attended]


@cache
def _kernel(device: torch.device, dtype: torch.dtype, width: int) -> _Kernel | None:
    """Without scores, where there is one."""
    if device.type == "cpu":
        return _flash
    if device.type == "cuda" and dtype in _BOUNDS and _agrees(_efficient, device, dtype, width):
        return _efficient
    return None


def _flash(given: _Given) -> _Attended:
    """On a processor."""
    query, mask = given.query, given.mask
    if mask is not None:
        mask = mask.expand(query.shape[0], -1, query.shape[2], -1)
    out, lse = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
        query, given.key, given.value, 0.0, given.causal, attn_mask=mask, scale=given.scale
    )
    return out, lse


def _efficient(given: _Given) -> _Attended:
    """On a CUDA device. It writes log-sum-exps for a whole number of its blocks of queries."""
    query, mask = given.query, given.mask
    queries, keys = query.shape[2], given.key.shape[2]
    if mask is not None:
        steps = -(-keys // _KEPT_APART) * _KEPT_APART
        room = query.new_zeros(query.shape[0], mask.shape[1], queries, steps)
        room[..., :keys] = mask
        mask = room[..., :keys].expand(-1, query.shape[1], -1, -1)
    out, lse, *_ = torch.ops.aten._scaled_dot_product_efficient_attention(
        query, given.key, given.value, mask, True, 0.0, given.causal, scale=given.scale
    )
    return out, lse[..., :queries]


def _as_written(given: _Given) -> _Attended:
    """Anywhere, at the price of the scores."""
    scores = (given.query @ given.key.transpose(-1, -2)).float() * given.scale
    if given.softcap is not None:
        scores = given.softcap * torch.tanh(scores / given.softcap)
    if given.causal:
        ahead = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).triu(1)
        scores = scores.masked_fill(ahead, _LOWEST)
    if given.mask is not None:
        scores = scores + given.mask
    lse = scores.logsumexp(dim=-1)
    weights = (scores - lse[..., None]).exp().to(given.value.dtype)
    return weights @ given.value, lse


@torch.inference_mode()
def _agrees(kernel: _Kernel, device: torch.device, dtype: torch.dtype, width: int) -> bool:
    """Whether a kernel of this device gives what is written: it goes by a name that torch keeps to
    itself, and may change or be left out of a build."""
    generator = torch.Generator().manual_seed(0)

    def numbers(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator).to(device=device, dtype=dtype)

    query, key, value = numbers(2, 3, 37, width), numbers(2, 3, 50, width), numbers(2, 3, 50, width)
    unseen = torch.arange(50, device=device) > torch.arange(37, device=device)[:, None]
    mask = torch.zeros(37, 50, device=device, dtype=dtype).masked_fill(unseen, hidden(dtype))
    for keys, some, causal in ((50, None, False), (50, mask[None, None], False), (37, None, True)):
        given = _Given(query, key[:, :, :keys], value[:, :, :keys], some, width**-0.5, causal)
        try:
            found = kernel(given)
        except (RuntimeError, AttributeError, TypeError) as error:
            if out_of_memory(error):  # which says nothing about the kernel
                raise
            return False
        for one, other in zip(found, _as_written(given), strict=True):
            if one.shape != other.shape:
                return False
            if not (one.float() - other.float()).abs().max() < _BOUNDS[dtype]:
                return False
    return True
