"""The two best tokens of a forward pass, without the logits of all others in float32.

    head = Head(model)
    head.prove(forward)                 # forward() returns logits; does this way give them too?
    lead = head.lead(forward)           # a Lead

    screen = Screen(weight)             # what it does it with: holds a copy in bfloat16
    lead = screen.lead(states)          # None where too many tokens come near

The product with the vocabulary is the largest of a small model's step, and on a processor with
bfloat16 instructions it takes a third of the time in that. Rounding puts each such logit off by a
known amount at most, so only tokens whose rough logit lies within twice that of the second best can
be the best or the second best: those few are computed in float32, and the choice among them is the
one that all logits in float32 give (Higham 2002, section 3.1, has the bound of a rounded inner
product). This module needs torch; import it where a model is at work.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn.functional import linear

from stepladder.engines.decoding import Lead, leading

_ROUNDING = 2.0**-8
"""bfloat16 keeps 8 bits of a number: rounded, it is off by this part of itself at most."""
_SUMMING = 2.0**-23
"""The same of a sum in float32, a term."""
_SLACK = 1.05
"""What is left out of the bound: what rounding adds to the errors that were there before it."""
_STACKS = 1024
"""About as many groups of tokens are looked at first, by their largest rough logit."""
_MOST = 32
"""Tokens near the best, on average over the rows: with more of them nothing would be saved."""
_ALLOWED = 8
"""So many misses, and one in as many, are no reason to give it up."""
_LEAST = 2**20
"""Weights below which a product takes no longer than looking for the tokens."""
_FASTER = 1.5
"""How many times as fast as in float32 the rough product must be."""


class Head:
    """A model's last layer, which makes logits of hidden states."""

    def __init__(self, model: Any) -> None:
        """`model`: a PreTrainedModel."""
        self._model = model
        self.screen: Screen | None = None

    def lead(self, forward: Callable[[], torch.Tensor]) -> Lead:
        """Of a pass that returns logits, shape (rows, vocabulary)."""
        if self.screen is None or not self.screen.pays:
            return leading(forward())
        with self._off():
            states = forward()
        lead = self.screen.lead(states)
        return leading(self._logits(states)) if lead is None else lead

    def prove(self, forward: Callable[[], torch.Tensor]) -> None:
        """Takes a screen where that pays and the model's logits are those of this layer as they
        come: not scaled, not capped, no bias added. `forward` is called twice."""
        screen = screen_of(self._model.get_output_embeddings())
        if screen is None:
            return
        with self._off():
            states = forward()
        if torch.equal(self._logits(states), forward()):
            self.screen = screen

    @contextmanager
    def _off(self) -> Iterator[None]:
        """The model without it: its logits are then what this layer would get."""
        head = self._model.get_output_embeddings()
        self._model.set_output_embeddings(torch.nn.Identity())
        try:
            yield
        finally:
            self._model.set_output_embeddings(head)

    @torch.inference_mode()
    def _logits(self, states: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self._model.get_output_embeddings()(states)
        return logits


class Screen:
    """The vocabulary's weights, in both widths."""

    def __init__(self, weight: torch.Tensor) -> None:
        """Shape (vocabulary, width), float32."""
        self._weight = weight
        self._rough = weight.to(torch.bfloat16)
        self._widest = float(weight.norm(dim=-1).max())
        self._asked = self._missed = 0

    @property
    def pays(self) -> bool:
        """Whether it has found them most of the time so far: a model whose logits lie close
        together, or one of whose weights is by far the largest, is better computed in full."""
        return self._missed <= _ALLOWED + self._asked // _ALLOWED

    def lead(self, states: torch.Tensor) -> Lead | None:
        """Of states of shape (rows, width), float32. Among equals the first token leads."""
        lead = self._lead(states)
        self._asked += 1
        self._missed += lead is None
        return lead

    @torch.inference_mode()
    def _lead(self, states: torch.Tensor) -> Lead | None:
        count, vocabulary = len(states), len(self._weight)
        rough = linear(states.to(torch.bfloat16), self._rough)
        tops = _tops(rough)
        stacks = rough.reshape(count, -1, tops.shape[-1])
        least = self._least(states, stacks, tops)
        rows, which = (tops >= least[:, None]).nonzero(as_tuple=True)
        if len(rows) > _MOST * count:
            return None
        near, heights = (stacks[rows, :, which] >= least[rows, None]).nonzero(as_tuple=True)
        if len(near) > _MOST * count:
            return None
        tokens, rows = heights * tops.shape[-1] + which[near], rows[near]
        logits = (states[rows] * self._weight[tokens]).sum(dim=-1)
        best = _largest(logits, rows, count)
        first = torch.where(logits == best[rows], tokens, vocabulary)
        token = first.new_full((count,), vocabulary).scatter_reduce_(0, rows, first, "amin")
        if int(token.max()) == vocabulary:  # a row of what is no number has none
            return None
        others = torch.where(tokens == token[rows], -torch.inf, logits)
        return Lead(token, best - _largest(others, rows, count))

    def _least(
        self, states: torch.Tensor, stacks: torch.Tensor, tops: torch.Tensor
    ) -> torch.Tensor:
        """The rough logit below which a token is neither the best nor the second best of its row.

        Two tokens have rough logits of at least the second largest one, s. If none is off by more
        than e, the second best logit is s - e or more, and whatever has such a one is not below
        s - 2 e here.
        """
        two, order = tops.topk(2, dim=-1)
        best = stacks[torch.arange(len(states)), :, order[:, 0]]
        inside = best.topk(min(2, best.shape[-1]), dim=-1).values[:, 1:]
        second = torch.cat([two[:, 1:], inside], dim=-1).amax(dim=-1).float()
        largest = torch.maximum(two[:, 0].float().abs(), second.abs())
        share = 2 * _ROUNDING + _ROUNDING**2 + _SUMMING * states.shape[-1]
        product = share * self._widest * states.norm(dim=-1)
        least: torch.Tensor = second - 2 * _SLACK * (product + _ROUNDING * largest)
        return least


def _tops(rough: torch.Tensor) -> torch.Tensor:
    """The largest of each stack of logits, by laying halves on one another, which is read at full
    speed. A vocabulary that cannot be halved is its own tops."""
    while rough.shape[-1] > _STACKS and rough.shape[-1] % 2 == 0:
        rough = torch.maximum(*rough.chunk(2, dim=-1))
    return rough


def _largest(logits: torch.Tensor, rows: torch.Tensor, count: int) -> torch.Tensor:
    """Of each row's logits."""
    return logits.new_full((count,), -torch.inf).scatter_reduce_(0, rows, logits, "amax")


def screen_of(head: Any) -> Screen | None:
    """Of a model's last layer, where that pays on this machine: a plain product in float32, with
    enough weights, on a processor that is faster in bfloat16. What is faster decides no answer."""
    if type(head) is not torch.nn.Linear or getattr(head, "bias", None) is not None:
        return None
    weight = head.weight.detach()
    pays = weight.dtype == torch.float32 and weight.device.type == "cpu"
    if not pays or weight.numel() < _LEAST or not _faster(weight):
        return None
    return Screen(weight)


@torch.inference_mode()
def _faster(weight: torch.Tensor) -> bool:
    """By the best of a few products of a part of the weights, in turn."""
    some = weight[:4096]
    states = torch.linspace(-1, 1, 32 * weight.shape[1]).reshape(32, -1)
    pairs = [(states.to(dtype), some.to(dtype)) for dtype in (torch.float32, torch.bfloat16)]
    best = [float("inf"), float("inf")]
    for _ in range(5):
        for place, (left, right) in enumerate(pairs):
            begin = time.perf_counter()
            linear(left, right)
            best[place] = min(best[place], time.perf_counter() - begin)
    return best[0] >= _FASTER * best[1]
