"""Whether a model may take the shared path: a look at its architecture, then the proof on itself.

    proved = prove(model)
    proved.reason        # None, or why it may not

The proof is worth more than any list of architectures: the model computes a few rows of different
lengths, with prefixes of two levels, packed and then step by step, and every logit must lie within
1e-4 (in float32) of a plain forward pass of the row alone. A sliding window that is longer than the
proof's rows is narrowed while it lasts, in the plain passes too, so that rows exceed it. This
module needs torch; import it where a model is at work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch

from stepladder.checkpoints import out_of_memory, quiet
from stepladder.engines.cache import PassedCache, PrefixStore, RowCache
from stepladder.engines.packed import (
    PassRow,
    Prefixes,
    Prepared,
    SharedModel,
    layout,
    packed,
    segments,
)
from stepladder.engines.prefix_tree import Line, grow
from stepladder.engines.screening import Head
from stepladder.engines.shared_attention import NAME, Held, Pass, SharedPathError, register

TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 0.25, torch.float16: 0.05}
"""How far a logit may lie from that of a plain forward pass. The two others round so coarsely that
their bound only catches what is plainly wrong."""
UNEXPECTED = (RuntimeError, TypeError, ValueError, KeyError, AttributeError, IndexError)
"""What an architecture raises that does not fit a path."""

_ROOT, _BRANCH = 24, 9
_OWN = (1, 6, 13, 20)
_STEPS = 3
_WINDOW = 16
"""A sliding window is narrowed to this for the proof, which then exceeds it."""
_KINDS = {"full_attention", "sliding_attention"}


class Proved(NamedTuple):
    shared: SharedModel | None
    reason: str | None
    """Why the model does not take the shared path; None where it does."""


def prove(model: Any, store: PrefixStore) -> Proved:
    """Sets the model (a PreTrainedModel, its adapter in place) on the shared path where that is
    proved to give its logits, and leaves it as it was elsewhere."""
    reason = unfit(model)
    if reason is not None:
        return Proved(None, reason)
    before = model.config._attn_implementation
    rows = _rows(model)
    with quiet(), _narrowed(model):
        truth = [_plain(model, row) for row in rows]
        try:
            register()
            model.set_attn_implementation(NAME)
            if model.config._attn_implementation != NAME:
                raise SharedPathError("transformers does not let its attention be replaced")
            gap = _largest_gap(SharedModel(model, PrefixStore(0)), rows, truth)
            reason = judged(gap, float(torch.cat(truth).std()), model.dtype)
        except SharedPathError as error:
            reason = str(error)
        except UNEXPECTED as error:
            reason = failed(error)
        if reason is not None:
            model.set_attn_implementation(before)
            return Proved(None, reason)
        shared = SharedModel(model, store)
        alone = packed([PassRow(row, 0, ()) for row in rows], shared.device)
        prove_head(shared.head, lambda: shared.forward(alone, PassedCache(), None))
    return Proved(shared, None)


def unfit(model: Any) -> str | None:
    """What about an architecture keeps it off the shared path; None where nothing is known to."""
    config = model.config.get_text_config()
    if getattr(model, "_is_stateful", False):
        return "it is recurrent"
    kinds = set(getattr(config, "layer_types", None) or ()) - _KINDS
    if kinds:
        return f"it has layers of another kind ({', '.join(sorted(kinds))})"
    if not getattr(model, "_supports_attention_backend", False):
        return "its attention does not go through transformers' attention interface"
    forced = ("forced_bos_token_id", "forced_eos_token_id")
    if any(getattr(model.generation_config, name, None) is not None for name in forced):
        return "its generation settings force a token"
    for module in model.modules():
        kind = getattr(module, "rope_type", None)
        names = kind.values() if isinstance(kind, dict) else [kind]
        for name in names:
            if isinstance(name, str) and ("dynamic" in name or name == "longrope"):
                return f"its rotary positions depend on the length ({name})"
    return None


def _rows(model: Any) -> list[tuple[int, ...]]:
    """Rows of a tree: a root, a branch of two rows, and two rows on the root alone."""
    vocabulary = int(model.get_input_embeddings().weight.shape[0])
    generator = torch.Generator().manual_seed(0)

    def some(count: int) -> tuple[int, ...]:
        return tuple(torch.randint(vocabulary, (count,), generator=generator).tolist())

    root, branch = some(_ROOT), some(_BRANCH)
    return [
        (*root, *(branch if number < 2 else ()), *some(own + _STEPS))
        for number, own in enumerate(_OWN)
    ]


@torch.inference_mode()
def _plain(model: Any, row: tuple[int, ...]) -> torch.Tensor:
    """Logits of shape (tokens, vocabulary) from transformers' own attention."""
    ids = torch.tensor([row], device=model.device)
    logits: torch.Tensor = model(input_ids=ids, use_cache=False).logits[0].float()
    return logits


def _largest_gap(
    shared: SharedModel, rows: list[tuple[int, ...]], truth: list[torch.Tensor]
) -> float:
    """Between the logits of the shared path and the true ones, at every own token of every row:
    those of the prompt in one packed pass, those of the answer step by step."""
    homes = grow([Line(row, len(row) - _STEPS - 1) for row in rows], cost=0)
    prefixes = Prefixes(shared, len(rows))
    prefixes.compute(homes)
    before = [prefixes.before(home) for home in homes]
    starts = [home.end if home else 0 for home in homes]
    prompts = [
        PassRow(row[start : len(row) - _STEPS], start, some)
        for row, start, some in zip(rows, starts, before, strict=True)
    ]
    device, lengths = shared.device, [len(p.tokens) for p in prompts]
    cache = RowCache(shared.layers, len(rows), max(lengths) + _STEPS)
    to = layout(lengths, device)
    cache.write(to.rows, to.places)
    found = torch.split(shared.forward(packed(prompts, device), cache, None), lengths)
    gap = max(
        float((one - true[start : start + len(one)]).abs().max())
        for one, true, start in zip(found, truth, starts, strict=True)
    )
    first = torch.tensor(starts, device=device)
    shared_by = segments([(some, 1) for some in before], device)
    for step in range(_STEPS):
        where = torch.tensor(lengths, device=device) + step
        width = max(lengths) + step + 1
        cache.write(torch.arange(len(rows), device=device), where, read=(len(rows), width))
        ids = torch.tensor([row[len(row) - _STEPS + step] for row in rows], device=device)
        plan = Pass(first + where, shared_by, Held(first), width)
        logits = shared.forward(Prepared(plan, ids), cache, None)
        true = torch.stack([t[len(t) - _STEPS + step] for t in truth])
        gap = max(gap, float((logits - true).abs().max()))
    return gap


def prove_head(head: Head, forward: Callable[[], torch.Tensor]) -> None:
    """Lets a model that is on its path find the best tokens faster, where it can."""
    try:
        head.prove(forward)
    except UNEXPECTED as error:
        failed(error)  # of memory that ran out it is raised again


def failed(error: Exception) -> str:
    """The reason in words, of one of UNEXPECTED. Raises it again where memory ran out, which says
    nothing about the architecture."""
    if out_of_memory(error):
        raise error
    lines = str(error).strip().splitlines()
    return f"it fails there ({type(error).__name__}: {lines[0] if lines else 'no words'})"


def judged(gap: float, spread: float, dtype: torch.dtype) -> str | None:
    """Why so large a gap keeps a model off a path; None where it does not. `spread` is the standard
    deviation of the true logits: those of a model with minute weights are minute themselves."""
    bound = TOLERANCE.get(dtype, 0.0) * min(1.0, 10 * spread)
    if gap <= bound:
        return None
    return f"its logits there lie {gap:.2g} from those of a plain forward pass (at most {bound:g})"


@contextmanager
def _narrowed(model: Any) -> Iterator[None]:
    """Sliding windows of the proof's size, in the configuration and in the layers that read it."""
    config = model.config.get_text_config()
    window = getattr(config, "sliding_window", None)
    if not isinstance(window, int) or window <= _WINDOW:
        yield
        return
    layers = [m for m in model.modules() if getattr(m, "sliding_window", None) == window]
    try:
        config.sliding_window = _WINDOW
        for layer in layers:
            layer.sliding_window = _WINDOW
        yield
    finally:
        config.sliding_window = window
        for layer in layers:
            layer.sliding_window = window
