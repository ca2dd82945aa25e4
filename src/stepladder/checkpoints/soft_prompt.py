"""A soft prompt as input embeddings: ids below 0 are its vectors, all others are words.

    lay(model, vectors)                    # vectors: (virtual tokens, width)
    soft_prompt(model).vectors             # the torch parameter, trainable
    take_off(model)

Lester et al., "The Power of Scale for Parameter-Efficient Prompt Tuning" (arXiv 2104.08691). This
module needs torch; import it where a model is at work.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


class SoftPrompt(nn.Module):
    """In the place of a model's input embeddings."""

    def __init__(self, words: Any, vectors: torch.Tensor) -> None:
        """`vectors`: shape (virtual tokens, width); the first is the token -1."""
        super().__init__()
        self.words = words
        self.vectors = nn.Parameter(vectors)
        self.hooks: list[Any] = []
        """What else hangs in the model for it."""

    @property
    def weight(self) -> Any:
        """Of the words: what an output layer may be tied to."""
        return self.words.weight

    @property
    def num_embeddings(self) -> int:
        return int(self.words.num_embeddings)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Shape (..., width) for ids of shape (...)."""
        words = self.words(ids.clamp(min=0))
        places = (-1 - ids).clamp(0, len(self.vectors) - 1)
        virtual = nn.functional.embedding(places, self.vectors).to(words.dtype)
        return torch.where((ids < 0)[..., None], virtual, words)


def lay(model: Any, vectors: torch.Tensor) -> SoftPrompt:
    """Puts a soft prompt into a model, a peft model's base included."""
    base = base_of(model)
    prompt = SoftPrompt(base.get_input_embeddings(), vectors)
    base.set_input_embeddings(prompt)
    return prompt


def take_off(model: Any) -> None:
    """Gives a model its own input embeddings back."""
    prompt = soft_prompt(model)
    if prompt is not None:
        base_of(model).set_input_embeddings(prompt.words)
        for hook in prompt.hooks:
            hook.remove()


def soft_prompt(model: Any) -> SoftPrompt | None:
    """The soft prompt that lies in a model, of either kind."""
    embeddings = base_of(model).get_input_embeddings()
    return embeddings if isinstance(embeddings, SoftPrompt) else None


def base_of(model: Any) -> Any:
    """A model without peft's wrapper."""
    return model.get_base_model() if hasattr(model, "peft_config") else model
