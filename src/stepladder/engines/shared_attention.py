"""Attention of many rows to keys that they share, as a transformers attention function.

    register()
    model.set_attn_implementation(NAME)
    with running(Pass(...)):
        model(input_ids=..., position_ids=..., past_key_values=...)

A pass holds the tokens of all its rows one behind the other, in a batch of one, without padding.
What rows share is one matrix product for all of them: their tokens are folded into the query
dimension, with the query heads of one key head beside one another. A row's own part is computed
beside it, and the parts are merged by their log-sum-exp (Hydragen, Juravsky et al. 2024,
arXiv 2402.05099, section 3.1): softmax attention over two sets of keys is the mean of both outputs
weighted by exp(lse).

The mask comes from the model's own mask function (causal, sliding window, chunks), evaluated at the
true positions, so a window reaches into the shared part exactly as far as in a plain forward.
Honoured keywords: scaling, softcap, sliding_window, s_aux (sinks); whatever else changes the result
is refused with SharedPathError. This module needs torch; import it where a model is at work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch

from stepladder.engines.kernels import attend, hidden

NAME = "stepladder_shared"

_HARMLESS = frozenset({"position_ids", "use_cache", "cache_position"})
"""Keywords that models hand through and that change nothing here."""


class SharedPathError(Exception):
    """A model asks for what the shared path cannot do; the engine then takes the plain one."""


class Segment(NamedTuple):
    """Keys and values that several rows share, and the tokens of the pass that see them."""

    keys: Sequence[torch.Tensor]
    """A layer: shape (key heads, keys, head dim)."""
    values: Sequence[torch.Tensor]
    start: int
    """Position of the first key."""
    tokens: slice | torch.Tensor
    """Of the pass's tokens; an index tensor where they do not stand together."""


class Packed(NamedTuple):
    """Each row's own part is what this pass itself brings: rows of tokens one behind the other."""

    starts: torch.Tensor
    """Position of each row's first own token, shape (rows,)."""
    width: int
    """The longest row's tokens."""
    places: torch.Tensor | None
    """Where each token stands in a grid of (rows, width), flat; None where all rows fill it."""


class Held(NamedTuple):
    """Each row brings one token; its own part lies in the cache, which returns it."""

    starts: torch.Tensor
    """Position of each row's first own token, shape (rows,)."""


@dataclass(frozen=True, eq=False)
class Pass:
    """One forward pass."""

    positions: torch.Tensor
    """Of each token, shape (tokens,)."""
    segments: Sequence[Segment]
    own: Packed | Held
    width: int
    """Keys of the widest row's own part, this pass's tokens included."""


@dataclass(frozen=True, eq=False)
class Masks:
    """What is added to scores; None where all keys are seen."""

    window: int | None
    own: torch.Tensor | None
    """Shape (rows, 1, queries, keys); None: plain causal, by the kernel."""
    segments: Sequence[torch.Tensor | None]
    """Shape (tokens, keys) each."""


_running: ContextVar[Pass | None] = ContextVar("stepladder_pass", default=None)


@contextmanager
def running(plan: Pass) -> Iterator[None]:
    """Within it a model of this attention computes this pass."""
    token = _running.set(plan)
    try:
        yield
    finally:
        _running.reset(token)


def register() -> None:
    """Makes both functions known to transformers under NAME. One registered without its mask
    function would get no mask at all: padding and windows would vanish."""
    from transformers import AttentionInterface, AttentionMaskInterface

    AttentionInterface.register(NAME, shared_attention)
    AttentionMaskInterface.register(NAME, shared_mask)


def shared_mask(
    *,
    mask_function: Callable[..., Any],
    device: torch.device,
    dtype: torch.dtype,
    attention_mask: torch.Tensor | None = None,
    local_size: int | None = None,
    use_vmap: bool = False,
    **sizes: Any,
) -> Masks:
    """The masks of the running pass, once for all layers of one kind. transformers' sizes (of a
    grid of rows and columns that is not used here) are ignored."""
    from transformers.masking_utils import causal_mask_function

    plan, low = _plan(), hidden(dtype)
    if attention_mask is not None or use_vmap:
        raise SharedPathError("it masks attention in a way of its own")

    def added(queries: torch.Tensor, keys: torch.Tensor) -> torch.Tensor:
        zero = torch.zeros((), dtype=torch.long, device=device)
        seen = mask_function(zero, zero, queries, keys)
        return torch.zeros(seen.shape, dtype=dtype, device=device).masked_fill_(~seen, low)

    plain = mask_function is causal_mask_function
    own = None
    if isinstance(plan.own, Held) or not plain:
        steps = torch.arange(plan.width, device=device)
        keys = plan.own.starts[:, None, None, None] + steps
        if isinstance(plan.own, Held):
            own = added(plan.positions[:, None, None, None], keys)
        else:
            own = added(plan.own.starts[:, None, None, None] + steps[:, None], keys)
    segments: list[torch.Tensor | None] = [None] * len(plan.segments)
    if not plain:
        for number, segment in enumerate(plan.segments):
            length = segment.keys[0].shape[-2]
            keys = torch.arange(segment.start, segment.start + length, device=device)
            segments[number] = added(plan.positions[segment.tokens][:, None], keys)
    return Masks(local_size, own, segments)


def shared_attention(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: Any,
    scaling: float | None = None,
    **keywords: Any,
) -> tuple[torch.Tensor, None]:
    """Query of shape (1, heads, tokens, head dim); output of shape (1, tokens, heads, value dim).

    Key and value are what the pass's cache returned: (1, key heads, tokens, head dim) of a packed
    pass, (rows, key heads, keys, head dim) where rows are held.
    """
    plan, masks = _plan(), attention_mask
    if not isinstance(masks, Masks):
        raise SharedPathError("it makes its attention mask without transformers' mask functions")
    softcap, sinks = _honoured(keywords, masks)
    how = _How(query.shape[-1] ** -0.5 if scaling is None else scaling, softcap)
    rows = query[0].transpose(0, 1)  # (tokens, heads, head dim)
    if isinstance(plan.own, Held):
        out, lse = _held(rows, key, value, masks.own, how)
    else:
        out, lse = _packed(rows, key, value, plan.own, masks.own, how)
    for segment, mask in zip(plan.segments, masks.segments, strict=True):
        keys, values = segment.keys[module.layer_idx], segment.values[module.layer_idx]
        part, part_lse = _folded(rows[segment.tokens], keys, values, mask, how)
        share = torch.sigmoid(part_lse - lse[segment.tokens])[..., None].to(out.dtype)
        if segment.tokens == slice(None):
            out, lse = torch.lerp(out, part, share), torch.logaddexp(lse, part_lse)
        else:
            out[segment.tokens] = torch.lerp(out[segment.tokens], part, share)
            lse[segment.tokens] = torch.logaddexp(lse[segment.tokens], part_lse)
    if sinks is not None:  # a sink takes part in the softmax and gives nothing
        out = out * torch.sigmoid(lse - sinks.to(lse.dtype))[..., None].to(out.dtype)
    return out[None], None


class _How(NamedTuple):
    scale: float
    softcap: float | None


def _plan() -> Pass:
    plan = _running.get()
    if plan is None:
        raise SharedPathError("a model of the shared path was run outside of a pass")
    return plan


def _honoured(keywords: dict[str, Any], masks: Masks) -> tuple[float | None, torch.Tensor | None]:
    """The softcap and the sinks (one a head) among a model's keywords. Raises SharedPathError for
    any other that is set, but for those that say what holds here anyway."""
    asked = {name: v for name, v in keywords.items() if v is not None and name not in _HARMLESS}
    softcap, sinks = asked.pop("softcap", None), asked.pop("s_aux", None)
    window = asked.pop("sliding_window", None)
    if window is not None and window != masks.window:
        raise SharedPathError(f"its sliding window of {window} is not in its mask")
    others = sorted(name for name, v in asked.items() if not _changes_nothing(name, v))
    if others:
        raise SharedPathError(f"its attention asks for {', '.join(others)}")
    return softcap, sinks


def _changes_nothing(name: str, value: Any) -> bool:
    """What is switched off, and causality, which holds here anyway."""
    if name == "is_causal":
        return value is True
    return isinstance(value, bool | int | float) and not value


def _held(
    rows: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: Any, how: _How
) -> tuple[torch.Tensor, torch.Tensor]:
    """One token a row with the keys of that row: (rows, heads, value dim) and (rows, heads)."""
    count, heads, width = rows.shape
    query = rows.reshape(count, key.shape[1], heads // key.shape[1], width)
    out, lse = attend(query, key, value, mask, how.scale, how.softcap)
    return out.reshape(count, heads, -1), lse.reshape(count, heads)


def _packed(
    rows: torch.Tensor, key: torch.Tensor, value: torch.Tensor, own: Packed, mask: Any, how: _How
) -> tuple[torch.Tensor, torch.Tensor]:
    """Tokens with the keys of their own rows, up to themselves."""
    count = own.starts.shape[0]

    def grid(packed: torch.Tensor) -> torch.Tensor:
        """(tokens, heads, dim) to (rows, heads, width, dim); what fills up comes last in a row,
        where causality hides it."""
        if own.places is not None:
            full = packed.new_zeros(count * own.width, *packed.shape[1:])
            packed = full.index_copy_(0, own.places, packed)
        return packed.reshape(count, own.width, *packed.shape[1:]).transpose(1, 2)

    query, keys, values = grid(rows), grid(key[0].transpose(0, 1)), grid(value[0].transpose(0, 1))
    groups = query.shape[1] // keys.shape[1]
    if groups > 1:
        keys, values = keys.repeat_interleave(groups, 1), values.repeat_interleave(groups, 1)
    out, lse = attend(query, keys, values, mask, how.scale, how.softcap, causal=mask is None)
    out, lse = out.transpose(1, 2).flatten(0, 1), lse.transpose(1, 2).flatten(0, 1)
    return (out, lse) if own.places is None else (out[own.places], lse[own.places])


def _folded(
    rows: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, mask: Any, how: _How
) -> tuple[torch.Tensor, torch.Tensor]:
    """All rows with keys that they share: queries of shape (1, key heads, group * rows, dim)."""
    count, heads, width = rows.shape
    grouped = rows.reshape(count, keys.shape[0], -1, width).permute(1, 2, 0, 3)
    groups = grouped.shape[1]
    query = grouped.reshape(1, keys.shape[0], groups * count, width)
    if mask is not None:
        mask = mask.repeat(groups, 1)[None, None]
    out, lse = attend(query, keys[None], values[None], mask, how.scale, how.softcap)
    out = out.reshape(keys.shape[0], groups, count, -1).permute(2, 0, 1, 3)
    lse = lse.reshape(keys.shape[0], groups, count).permute(2, 0, 1)
    return out.reshape(count, heads, -1), lse.reshape(count, heads)
