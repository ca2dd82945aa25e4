"""What this machine makes of a model's operations, measured in about a second.

    speed = probe(model, "bf16", batch)
    speed.seconds(forecast)

Four numbers: FLOPs a second of linear layers of the model's own shapes, forward and backward, and
of attention over its heads, both in the precision at hand; bytes a second of what lies between them
(casts, activations, norms), which read and write and reckon little; and what an operation takes
however small it is, Python and autograd included. Means, since what is
foretold is a run on this machine as it is: with company it is slower, and another company later
makes another time.
"""

from __future__ import annotations

import itertools
import math
import time
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import nn

from stepladder.forecast.rehearsal import Batch, Forecast, operations

_TOKENS = 1024
WIDEST = 4096
"""Rows and columns of a matrix: more make it no faster or slower, and take memory."""
_SECONDS = 0.25
"""For each of the four."""
_WIDE = 1024
_CYCLE = 8
"""Tensors of so many columns that take turns, so that none is in a cache when its turn comes."""
_SHAPES = 3
"""Of products, those with most of the work."""


class Speed(NamedTuple):
    linear: float
    """FLOPs a second."""
    attention: float
    moves: float
    """Bytes a second, read and written."""
    operation: float
    """Seconds."""

    def seconds(self, forecast: Forecast) -> float:
        """Of one update."""
        linear = (forecast.flops - forecast.attention) / self.linear
        between = forecast.moved / self.moves + forecast.operations * self.operation
        return linear + forecast.attention / self.attention + between


class _Heads(NamedTuple):
    number: int
    width: int
    tokens: int
    fused: bool


Clock = Callable[[], float]


def probe(model: Any, precision: str, batch: Batch, clock: Clock = time.perf_counter) -> Speed:
    """`model` may lie on the meta device; its most worked-with shapes are drawn anew. Measured once
    a process for the same shapes, in seconds of `clock`."""
    shapes = Counter(
        tuple(min(side, WIDEST) for side in m.weight.shape)
        for m in model.modules()
        if isinstance(m, nn.Linear)
    ) or Counter({(512, 512): 1})
    work = {shape: count * shape[0] * shape[1] for shape, count in shapes.items()}
    most = sorted(work, key=lambda shape: -work[shape])[:_SHAPES]
    config = model.config.get_text_config()
    number = int(getattr(config, "num_attention_heads", 0) or 8)
    width = getattr(config, "d_kv", None) or getattr(config, "head_dim", None) or 64
    seq2seq = model.config.is_encoder_decoder
    tokens = batch.prompt if seq2seq else batch.prompt + batch.answer
    fused = getattr(model.config, "_attn_implementation", "") != "eager"
    heads = _Heads(number, int(width), min(_TOKENS, -(-tokens // 64) * 64), fused)
    return _measured(tuple((*shape, shapes[shape]) for shape in most), heads, precision, clock)


@lru_cache(maxsize=32)
def _measured(
    shapes: tuple[tuple[int, int, int], ...], heads: _Heads, precision: str, clock: Clock
) -> Speed:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    with torch.device(device):
        return Speed(
            _linear(shapes, dtype, clock),
            _attention(heads, dtype, clock),
            _moves(dtype, clock),
            _operation(dtype, clock),
        )


def _linear(shapes: tuple[tuple[int, int, int], ...], dtype: torch.dtype, clock: Clock) -> float:
    """Forward and backward, over the shapes, weighted by their work."""
    flops = seconds = 0.0
    for outputs, inputs, count in shapes:
        states = _ramp(_TOKENS, inputs, dtype=dtype).requires_grad_()
        weight = _ramp(outputs, inputs, dtype=dtype).requires_grad_()
        gradient = _ramp(_TOKENS, outputs, dtype=dtype)

        def work(s: Any = states, w: Any = weight, g: Any = gradient) -> None:
            torch.autograd.grad(nn.functional.linear(s, w), (s, w), g)

        flops += 6.0 * count * _TOKENS * inputs * outputs
        seconds += count * _mean(work, len(shapes), clock)
    return flops / seconds


def _attention(heads: _Heads, dtype: torch.dtype, clock: Clock) -> float:
    """Forward and backward over one row, all pairs of positions."""
    shape = (1, heads.number, heads.tokens, heads.width)
    q, k, v = (_ramp(*shape, dtype=dtype).requires_grad_() for _ in range(3))
    gradient = _ramp(*shape, dtype=dtype)

    def work() -> None:
        if heads.fused:
            out = nn.functional.scaled_dot_product_attention(q, k, v)
        else:
            out = (q @ k.transpose(-1, -2)) @ v
        torch.autograd.grad(out, (q, k, v), gradient)

    pair = 4.0 * heads.number * heads.width * heads.tokens**2
    return pair * (3.5 if heads.fused else 3.0) / _mean(work, 1, clock)


def _ramp(*shape: int, dtype: torch.dtype) -> torch.Tensor:
    """Numbers without the generator, which the training draws from."""
    return torch.linspace(-0.1, 0.1, math.prod(shape)).reshape(shape).to(dtype)


def _moves(dtype: torch.dtype, clock: Clock) -> float:
    """Products, casts, activations, a softmax and a change of order, over more than a cache holds
    and into memory that is not the last one's."""
    states = [_ramp(_TOKENS, _WIDE, dtype=torch.float32) for _ in range(_CYCLE)]
    half = [one.to(dtype) for one in states]
    full, low = states[0].nbytes, half[0].nbytes
    works: list[tuple[Callable[[int], Any], int]] = [
        (lambda i: states[i] * states[i], 3 * full),
        (lambda i: states[i].to(dtype, copy=True), full + low),
        (lambda i: half[i].to(torch.float32, copy=True), low + full),
        (lambda i: nn.functional.silu(half[i]), 2 * low),
        (lambda i: nn.functional.log_softmax(states[i], -1), 2 * full),
        (lambda i: half[i].reshape(_TOKENS, 8, -1).transpose(0, 1).contiguous(), 2 * low),
    ]
    seconds = sum(_mean(_in_turn(work), len(works), clock, first=_CYCLE) for work, _ in works)
    return sum(moved for _, moved in works) / seconds


def _in_turn(work: Callable[[int], Any]) -> Callable[[], None]:
    """Over all tensors of the cycle, each result kept until its turn comes again."""
    kept: list[Any] = [None] * _CYCLE
    turns = itertools.cycle(range(_CYCLE))

    def one() -> None:
        turn = next(turns)
        kept[turn] = work(turn)

    return one


def _operation(dtype: torch.dtype, clock: Clock) -> float:
    """Of a net too small for its numbers to count: what is left is Python's and torch's own."""
    drawless: Any = nn.utils.skip_init
    layers = [drawless(nn.Linear, 16, 16, bias=False) for _ in range(4)]
    for layer in layers:
        nn.init.constant_(layer.weight, 0.1)
    net = nn.Sequential(layers[0], nn.SiLU(), layers[1], nn.SiLU(), *layers[2:])
    states = _ramp(4, 16, dtype=torch.float32)

    def work() -> None:
        with torch.autocast(states.device.type, dtype, enabled=dtype != torch.float32):
            loss = net(states).float().mean()
        torch.autograd.grad(loss, tuple(net.parameters()))

    return _mean(work, 2, clock) / operations(work)


def _mean(work: Callable[[], Any], shares: int, clock: Clock, first: int = 1) -> float:
    """Seconds of one call, after the `first` ones, which do not count."""
    for _ in range(first):
        work()
    calls, start, end = 0, clock(), time.perf_counter() + _SECONDS / shares
    while time.perf_counter() < end or calls < 3:
        work()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        calls += 1
    return (clock() - start) / calls
