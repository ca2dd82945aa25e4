"""A trained prefix: the keys and values of virtual tokens, in every layer of a decoder.

    states = layer_states(model, ids)      # (tokens, layers, 2, key heads, head dim) of real words
    prefix = lay_prefix(model, states)     # the ids -1, -2, ... have these from now on
    prefix.vectors                         # the torch parameter, trainable

Li and Liang, "Prefix-Tuning: Optimizing Continuous Prompts for Generation" (arXiv 2101.00190). As
with a soft prompt the ids below 0 are tokens like others, with positions of their own; whatever the
layers compute for them is replaced by the trained keys and values on the way into the cache, behind
the rotation by position, which is where peft puts them too. This module needs torch; import it
where a model is at work.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer

from stepladder.checkpoints.soft_prompt import SoftPrompt, base_of
from stepladder.errors import CheckpointError


class Prefix(SoftPrompt):
    """In the place of a decoder's input embeddings, from where it sees which tokens come."""

    def __init__(self, words: Any, states: torch.Tensor) -> None:
        """`states`: shape (virtual tokens, layers, 2, key heads, head dim), keys before values."""
        super().__init__(words, states.flatten(1))
        self.shape = tuple(states.shape[1:])
        self._ids: torch.Tensor | None = None
        self._reached = 0

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """The words' embeddings. A virtual token's is any: nothing of it but keys and values is
        ever looked at, and those are replaced."""
        # Looking for virtual tokens costs a GPU a wait, and fake tensors cannot be looked into.
        bare = not torch.is_grad_enabled() and not bool((ids < 0).any())
        self._ids, self._reached = None if bare else ids, 0
        embedded: torch.Tensor = self.words(ids.clamp(min=0))
        return embedded

    def over(
        self, keys: torch.Tensor, values: torch.Tensor, layer: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """A layer's states, shape (rows, key heads, tokens, head dim), with the trained ones at the
        places of virtual tokens."""
        ids = self._ids
        if ids is None:
            return keys, values
        self._reached += 1
        count, (_, *shape) = len(self.vectors), self.shape
        trained = self.vectors.view(count, *self.shape)[:, layer].flatten(1).to(keys.dtype)
        found = nn.functional.embedding((-1 - ids).clamp(0, count - 1), trained)
        own_keys, own_values = found.view(*ids.shape, *shape).transpose(1, 3).unbind(2)
        virtual = (ids < 0)[:, None, :, None]
        return torch.where(virtual, own_keys, keys), torch.where(virtual, own_values, values)

    def check_reached(self) -> None:
        """Raises CheckpointError where a pass went by the prefix."""
        if self._ids is not None and self._reached != self.shape[0]:
            raise CheckpointError(
                f"the trained prefix reached {self._reached} of {self.shape[0]} layers: this "
                "architecture does not hand its keys and values to a cache"
            )


class _Passing(DynamicLayer):  # type: ignore[no-untyped-call]
    """Hands on what comes, and keeps nothing."""

    def update(self, key_states: Any, value_states: Any, *args: Any, **kwargs: Any) -> Any:
        return key_states, value_states


def lay_prefix(model: Any, states: torch.Tensor) -> Prefix:
    """Puts a prefix into a decoder, a peft model's base included."""
    base = base_of(model)
    prefix = Prefix(base.get_input_embeddings(), states)
    base.set_input_embeddings(prefix)

    def before(inner: Any, args: Any, kwargs: Any) -> Any:
        cache: Any = kwargs.get("past_key_values")
        if cache is None:
            cache = _cache(inner, kwargs.get("use_cache"))
        written = cache.update

        def update(
            key_states: Any, value_states: Any, layer_idx: int, *more: Any, **named: Any
        ) -> Any:
            states = prefix.over(key_states, value_states, layer_idx)
            return written(*states, layer_idx, *more, **named)

        # On the object: a cache of another class around it would not be what models ask for.
        cache.update = update
        return args, kwargs | {"past_key_values": cache}

    def after(inner: Any, args: Any, kwargs: Any, output: Any) -> None:
        del kwargs["past_key_values"].update
        prefix.check_reached()

    inner = base.base_model  # without the output layer; peft calls the whole one's forward by name
    prefix.hooks = [
        inner.register_forward_pre_hook(before, with_kwargs=True),
        inner.register_forward_hook(after, with_kwargs=True, always_call=True),
    ]
    return prefix


@torch.no_grad()
def layer_states(model: Any, ids: torch.Tensor) -> torch.Tensor:
    """The keys and values of tokens, shape (tokens,), that a decoder computes for them at its
    beginning: shape (tokens, layers, 2, key heads, head dim). Raises CheckpointError for a model
    whose layers do not all have keys and values of one shape."""
    base = base_of(model)
    config = base.config.get_text_config()
    if base.config.is_encoder_decoder or getattr(base, "_is_stateful", False):
        kind = "an encoder-decoder" if base.config.is_encoder_decoder else "recurrent"
        raise CheckpointError(f"a trained prefix is for decoders with attention; this is {kind}")
    cache: Any = DynamicCache()
    base.base_model(input_ids=ids[None], past_key_values=cache, use_cache=True)
    layers = [(layer.keys, layer.values) for layer in cache.layers if layer.keys is not None]
    shapes = {tuple(states.shape) for pair in layers for states in pair}
    if len(layers) != config.num_hidden_layers or len(shapes) != 1:
        raise CheckpointError(
            "a trained prefix needs keys and values of one shape in every layer; this model has "
            f"{len(layers)} of {config.num_hidden_layers} layers with some, in {len(shapes)} shapes"
        )
    found = torch.stack([states[0] for pair in layers for states in pair])
    heads, tokens, width = found.shape[1:]
    return found.permute(2, 0, 1, 3).reshape(tokens, len(layers), 2, heads, width)


def _cache(inner: Any, use_cache: bool | None) -> Cache:
    """Where the caller brings none: one of the kind that the model would have made, or one that
    keeps nothing."""
    if inner.config.use_cache if use_cache is None else use_cache:
        return DynamicCache(config=inner.config)
    return Cache(layer_class_to_replicate=_Passing)
