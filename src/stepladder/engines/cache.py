"""Keys and values: of rows at work, in place; of shared prefixes, once, from call to call.

    cache = RowCache(layers=8, slots=64, capacity=128)
    cache.write(slots, places)           # where the next pass's tokens go
    store = PrefixStore(budget=2**29)    # bytes

transformers' own dynamic cache copies itself at every step (it concatenates); this one is made once
and written into. This module needs torch; import it where a model is at work.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Any

import numpy as np
import torch
from transformers.cache_utils import Cache, CacheLayerMixin


class _Layer(CacheLayerMixin):  # type: ignore[no-untyped-call]
    """What both kinds of layer tell transformers: no length of their own. Positions and masks come
    from the pass, never from a cache."""

    is_sliding = False

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        self.is_initialized = True

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return query_length, 0

    def get_seq_length(self) -> int:
        return 0

    def get_max_length(self) -> int:
        return -1


class _PassedLayer(_Layer):  # type: ignore[no-untyped-call]
    """Keeps what the pass brings, and hands it on."""

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        self.keys, self.values = key_states, value_states
        return key_states, value_states

    def keep(self, rows: torch.Tensor) -> None:
        """Only these rows stay."""
        if self.keys is not None and self.values is not None:
            self.keys, self.values = self.keys[rows], self.values[rows]


class PassedCache(Cache):
    """The keys and values of one pass alone."""

    layers: list[_PassedLayer]  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__(layer_class_to_replicate=_PassedLayer)

    def keep(self, rows: torch.Tensor) -> None:
        """Only the rows of this index stay."""
        for layer in self.layers:
            layer.keep(rows)


class _GrowingLayer(_Layer):  # type: ignore[no-untyped-call]
    """Keys and values of rows at one step, made once at their full length and written in place."""

    def __init__(self, capacity: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._capacity = capacity
        self._length = 0

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """States of shape (rows, heads, tokens, head dim)."""
        if self.keys is None or self.values is None:
            shape = (*key_states.shape[:2], self._capacity)
            self.keys = key_states.new_empty(*shape, key_states.shape[3])
            self.values = value_states.new_empty(*shape, value_states.shape[3])
            self.is_initialized = True
        end = self._length + key_states.shape[2]
        self.keys[:, :, self._length : end] = key_states
        self.values[:, :, self._length : end] = value_states
        self._length = end
        return self.keys[:, :, :end], self.values[:, :, :end]

    def get_seq_length(self) -> int:
        return self._length

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self._length + query_length, 0

    def keep(self, rows: torch.Tensor) -> None:
        """Only these rows stay."""
        for held in (self.keys, self.values):
            if held is not None:
                held[: len(rows), :, : self._length] = held[rows, :, : self._length]
        if self.keys is not None and self.values is not None:
            self.keys, self.values = self.keys[: len(rows)], self.values[: len(rows)]


class GrowingCache(Cache):
    """Of a decoder all of whose rows are at the same step."""

    layers: list[_GrowingLayer]  # type: ignore[assignment]

    def __init__(self, capacity: int) -> None:
        """`capacity`: tokens that a row may have."""
        replicate: Any = partial(_GrowingLayer, capacity)
        super().__init__(layer_class_to_replicate=replicate)

    def keep(self, rows: torch.Tensor) -> None:
        """Only the rows of this index, in rising order, stay."""
        for layer in self.layers:
            layer.keep(rows)


def _zeros(shape: tuple[int, ...], like: torch.Tensor) -> torch.Tensor:
    """A key that no query sees yet must be a number all the same.

    numpy asks the system for large pages, which torch does not: 200 MB in pages of 4 KB take a
    tenth of a second or more to be brought in.
    """
    if like.device.type != "cpu":
        return like.new_zeros(shape)
    room = np.zeros(prod(shape) * like.element_size(), dtype=np.uint8)
    return torch.from_numpy(room).view(like.dtype).view(shape)


@dataclass
class _Target:
    """Where a pass writes, the same for all layers."""

    slots: torch.Tensor
    places: torch.Tensor
    read: tuple[int, int] | None
    """Rows and keys to return; None returns what the pass brings."""


class _RowLayer(_Layer):  # type: ignore[no-untyped-call]
    """Keys and values of shape (slots, key heads, capacity, head dim)."""

    def __init__(self, slots: int, capacity: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._slots, self._capacity = slots, capacity
        self.target: _Target | None = None

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        for name, states in (("keys", key_states), ("values", value_states)):
            heads, width = states.shape[1], states.shape[3]
            shape = (self._slots, heads, self._capacity, width)
            setattr(self, name, _zeros(shape, states))
        self.is_initialized = True

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """States of shape (1, key heads, tokens, head dim)."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        assert self.target is not None and self.keys is not None and self.values is not None
        where = (self.target.slots, slice(None), self.target.places)
        self.keys[where] = key_states[0].transpose(0, 1)
        self.values[where] = value_states[0].transpose(0, 1)
        if self.target.read is None:
            return key_states, value_states
        rows, keys = self.target.read
        return self.keys[:rows, :, :keys], self.values[:rows, :, :keys]

    def move(self, source: Sequence[int], target: Sequence[int], keys: int) -> None:
        """Copies the first `keys` keys of some slots into others."""
        for held in (self.keys, self.values):
            if held is not None:
                held[list(target), :, :keys] = held[list(source), :, :keys]


class RowCache(Cache):
    """The own parts of rows at work, one a slot, made once and written in place."""

    def __init__(self, layers: int, slots: int, capacity: int) -> None:
        """`capacity`: tokens that a row's own part may have."""
        self._rows = [_RowLayer(slots, capacity) for _ in range(layers)]
        super().__init__(layers=list(self._rows))
        self.slots, self.capacity = slots, capacity

    def write(
        self, slots: torch.Tensor, places: torch.Tensor, read: tuple[int, int] | None = None
    ) -> None:
        """The next pass's tokens go to these places of these slots, both of shape (tokens,).
        `read` (rows, keys): each layer then returns the head of the cache, not the new tokens."""
        target = _Target(slots, places, read)
        for layer in self._rows:
            layer.target = target

    @torch.inference_mode()
    def move(self, source: Sequence[int], target: Sequence[int], keys: int) -> None:
        """Rows that fill the slots of finished ones; `keys`: the longest of them."""
        for layer in self._rows:
            layer.move(source, target, keys)


@dataclass(frozen=True, eq=False)
class Prefix:
    """Keys and values of a run of tokens behind a path of others."""

    path: tuple[int, ...]
    """All tokens from the beginning to the last of the run."""
    start: int
    keys: tuple[torch.Tensor, ...]
    """A layer: shape (key heads, tokens, head dim)."""
    values: tuple[torch.Tensor, ...]

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(t.numel() * t.element_size() for t in (*self.keys, *self.values))

    def part(self, start: int, end: int) -> Prefix:
        """A view of the tokens from one place of the line to another."""
        cut = slice(start - self.start, end - self.start)
        keys = tuple(k[:, cut] for k in self.keys)
        return Prefix(self.path[:end], start, keys, tuple(v[:, cut] for v in self.values))


class PrefixStore:
    """Prefixes of earlier calls, the least lately used given up first."""

    def __init__(self, budget: int) -> None:
        """`budget`: bytes."""
        self._budget = budget
        self._kept: list[Prefix] = []

    def __len__(self) -> int:
        return len(self._kept)

    def find(self, path: tuple[int, ...], start: int, end: int) -> list[Prefix]:
        """What is known of the tokens from `start` to `end` of a path: views that follow one
        another from `start` on, as far as that goes."""
        pieces: list[Prefix] = []
        while start < end:
            reach, best = start, None
            for kept in self._kept:
                if kept.start <= start < len(kept.path):
                    common = min(_common(kept.path, path), end)
                    if common > reach:
                        reach, best = common, kept
            if best is None:
                break
            self._kept.remove(best)
            self._kept.append(best)
            pieces.append(best.part(start, reach))
            start = reach
        return pieces

    def keep(self, prefix: Prefix) -> None:
        """Keeps it, unless it alone is larger than the budget."""
        if prefix.size > self._budget:
            return
        self._kept.append(prefix)
        while sum(kept.size for kept in self._kept) > self._budget:
            del self._kept[0]

    def clear(self) -> None:
        self._kept.clear()


def _common(one: tuple[int, ...], other: tuple[int, ...]) -> int:
    """Tokens in common at the beginning, by halving: slices are compared at C's speed."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
