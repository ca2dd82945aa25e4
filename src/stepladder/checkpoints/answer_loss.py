"""The loss of a batch's answers, from no more work than the answers need.

    found = learned(batch, encoder_decoder=False)
    loss = answer_loss(model, batch, found)        # the number that model(**batch).loss is

Of a small model the output layer is most of the work, and what it says of prompts and padding is
not looked at. transformers' own `logits_to_keep` takes columns, the same of all rows, which are
more than twice the answers' tokens where prompts differ in length; so a hook hands the output layer
the states of the learned tokens, one after the other.

Where a batch says that its rows have their first tokens in `common` (an instruction, examples, a
soft prompt), a decoder reads these once: every row attends to the same keys and values, through
which the gradients of all rows come back. (What an adapter drops out of them is drawn once, too.)

A decoder's rows are padded at their ends, and a token sees none that stands behind it. So their
mask is left out. (Rows are never packed into one: attention over eight in a row costs more than the
padding, and libraries mix packed rows where they take no notice of the bounds.)

What is NOT covered: a loss of more parts than the cross-entropy, as of a mixture's router; models
that keep a state in place of keys and values. `able` says so by the model's form, `agrees` and
`shares` by trying. This module needs torch; import it where a model is
at work.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import nn

_IGNORED = -100
_MULTIPLE = 64
"""oneDNN keeps a kernel for every size of a bf16 product; sizes are filled up to a multiple."""
_TOLERANCE = 1e-4


class Learned(NamedTuple):
    """The tokens of a batch that are learned."""

    places: torch.Tensor
    """Where their states stand: row * columns + column. Shape (tokens,), filled up with 0."""
    targets: torch.Tensor
    """What stands there to be said; -100 where it was filled up. Shape (tokens,)."""


def learned(batch: Mapping[str, Any], *, encoder_decoder: bool) -> Learned:
    """By `labels` of shape (rows, columns), -100 where nothing is to be learned. A decoder says a
    token at the place before it; places are counted behind what is in `common`."""
    wanted = batch["labels"]
    if not encoder_decoder:
        shifted = wanted[:, batch.get("common", 0) + 1 :]
        wanted = nn.functional.pad(shifted, (0, 1), value=_IGNORED)
    wanted = wanted.flatten()
    places = (wanted != _IGNORED).nonzero().flatten()
    filling = -len(places) % _MULTIPLE
    return Learned(
        nn.functional.pad(places, (0, filling)),
        nn.functional.pad(wanted[places], (0, filling), value=_IGNORED),
    )


def able(model: Any) -> bool:
    """Whether the model's form allows it: an output layer that reads each token's state by itself,
    and cross-entropy as the whole loss."""
    base = _base(model)
    if base.get_output_embeddings() is None or getattr(base.config, "output_router_logits", False):
        return False
    if base.config.is_encoder_decoder:
        return hasattr(base, "prepare_decoder_input_ids_from_labels")
    return "logits_to_keep" in inspect.signature(base.forward).parameters


def shares(model: Any, batch: Mapping[str, Any]) -> bool:
    """Whether the loss of a batch with something in `common` stays the same."""
    base = _base(model)
    if base.config.is_encoder_decoder or getattr(base, "_is_stateful", False):
        return False
    try:
        return agrees(model, batch)
    except Exception:  # a cache of another kind, which each model is without in a way of its own
        return False


def agrees(model: Any, batch: Mapping[str, Any]) -> bool:
    """Whether both ways come to the same loss on a batch, which some padding belongs in."""
    encoder_decoder = _base(model).config.is_encoder_decoder
    plain = {name: values for name, values in batch.items() if name != "common"}
    if not encoder_decoder:  # the logits of all prompts can be more than a training's own memory
        said = (batch["labels"] != _IGNORED).any(0).nonzero().flatten()
        start = max(0, int(said[0]) - 1)
        plain["labels"] = batch["labels"][:, start:].contiguous()
        plain["logits_to_keep"] = plain["labels"].shape[1]
    model.eval()
    with torch.no_grad():
        found = learned(batch, encoder_decoder=encoder_decoder)
        ours = float(answer_loss(model, batch, found))
        whole = float(model(**plain, use_cache=False).loss)
    return abs(ours - whole) <= _TOLERANCE * max(1.0, abs(whole))


def answer_loss(model: Any, batch: Mapping[str, Any], found: Learned) -> torch.Tensor:
    """In nats a learned token; a scalar. Of the batch `input_ids` are read, a decoder's `common`
    (a number of tokens, fewer than the shortest prompt has), and an encoder-decoder's
    `attention_mask` and `labels`."""
    base = _base(model)
    inputs = {"input_ids": batch["input_ids"], "use_cache": False}
    common = batch.get("common", 0)
    if common:
        inputs = _behind(model, batch["input_ids"], common)
    if base.config.is_encoder_decoder:
        inputs["attention_mask"] = batch["attention_mask"]
        inputs["decoder_input_ids"] = base.prepare_decoder_input_ids_from_labels(batch["labels"])

    def alone(_: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...]:
        return (given[0].flatten(0, 1).index_select(0, found.places)[None], *given[1:])

    hook = base.get_output_embeddings().register_forward_pre_hook(alone)
    try:
        logits = model(**inputs).logits.flatten(0, 1)
    finally:
        hook.remove()
    return nn.functional.cross_entropy(logits.float(), found.targets, ignore_index=_IGNORED)


def _behind(model: Any, ids: torch.Tensor, common: int) -> dict[str, Any]:
    """What the rows have of their own, behind the keys and values of what they have in common."""
    first = model(input_ids=ids[:1, :common], use_cache=True, logits_to_keep=1)
    cache = first.past_key_values
    cache.batch_repeat_interleave(len(ids))
    return {"input_ids": ids[:, common:], "past_key_values": cache, "use_cache": True}


def _base(model: Any) -> Any:
    return model.get_base_model() if hasattr(model, "peft_config") else model
