"""Checkpointing of activations: a layer's are computed again in the backward pass, not kept.

    recompute(model)        # a training then keeps what goes into each layer, and no more

Chen et al., "Training Deep Nets with Sublinear Memory Cost" (arXiv 1604.06174). The gradients are
the same. A layer that is computed twice may not write a cache, so transformers takes it away while
such a model trains: nothing that reads keys and values from a cache goes with it. The way through
`torch.utils.checkpoint` is the one without reentrance, which frozen embeddings do not break.
"""

from __future__ import annotations

from typing import Any

from stepladder.errors import CheckpointError


def recompute(model: Any) -> None:
    """Of all layers, from the next forward pass in training mode on. Raises CheckpointError for a
    model that is not made for it, and for one with a trained prefix, which lies in the cache."""
    from stepladder.checkpoints.prefix import Prefix
    from stepladder.checkpoints.soft_prompt import base_of, soft_prompt

    base = base_of(model)
    if not getattr(base, "supports_gradient_checkpointing", False):
        raise CheckpointError(
            f"{type(base).__name__} cannot compute activations again; leave checkpointing out"
        )
    if isinstance(soft_prompt(model), Prefix):
        raise CheckpointError(
            "a trained prefix lies in the cache, which checkpointing=yes goes without; leave it out"
        )
    way = {"use_reentrant": False}
    if hasattr(base, "activation_checkpointing_enable"):
        base.activation_checkpointing_enable(activation_checkpointing_kwargs=way)
    else:  # its name before transformers 5.23
        base.gradient_checkpointing_enable(gradient_checkpointing_kwargs=way)
