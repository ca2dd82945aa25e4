"""A soft prompt as input embeddings: ids below 0 are its vectors, all others are words.

    lay(model, vectors)                    # vectors: (virtual tokens, width)
    soft_prompt(model).vectors             # the torch parameter, trainable
    write(model, folder); put_on(model, folder)

Lester et al., "The Power of Scale for Parameter-Efficient Prompt Tuning" (arXiv 2104.08691). Files
are peft's (`PromptTuningConfig`, one tensor `prompt_embeddings`), and peft itself loads them. This
module needs torch; import it where a model is at work.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from stepladder.errors import CheckpointError

_TENSOR = "prompt_embeddings"
_FILE = "adapter_model.safetensors"


class SoftPrompt(nn.Module):
    """In the place of a model's input embeddings."""

    def __init__(self, words: Any, vectors: torch.Tensor) -> None:
        """`vectors`: shape (virtual tokens, width); the first is the token -1."""
        super().__init__()
        self.words = words
        self.vectors = nn.Parameter(vectors)

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
    base = _base(model)
    prompt = SoftPrompt(base.get_input_embeddings(), vectors)
    base.set_input_embeddings(prompt)
    return prompt


def take_off(model: Any) -> None:
    """Gives a model its own input embeddings back."""
    prompt = soft_prompt(model)
    if prompt is not None:
        _base(model).set_input_embeddings(prompt.words)


def soft_prompt(model: Any) -> SoftPrompt | None:
    """The soft prompt that lies in a model."""
    embeddings = _base(model).get_input_embeddings()
    return embeddings if isinstance(embeddings, SoftPrompt) else None


def put_on(model: Any, folder: Path) -> None:
    """Reads peft's folder into a model. Raises CheckpointError for what is none of its width."""
    from safetensors.torch import load_file

    found = load_file(folder / _FILE).get(_TENSOR)
    words = _base(model).get_input_embeddings().weight
    if found is None or found.ndim != 2 or found.shape[1] != words.shape[1]:
        shape = "no such tensor" if found is None else f"a shape of {tuple(found.shape)}"
        raise CheckpointError(
            f"{folder / _FILE}: {_TENSOR} should be (virtual tokens, {words.shape[1]}), and there "
            f"is {shape}; it belongs to another model"
        )
    prompt = lay(model, found.to(words.dtype).to(words.device))
    prompt.vectors.requires_grad_(False)


def write(model: Any, folder: Path) -> None:
    """The soft prompt of a model as peft's own adapter folder."""
    from peft import PromptTuningConfig, TaskType
    from safetensors.torch import save_file

    base, prompt = _base(model), soft_prompt(model)
    assert prompt is not None
    vectors = prompt.vectors.detach().cpu().contiguous()
    config = base.config.get_text_config()
    seq2seq = bool(base.config.is_encoder_decoder)
    folder.mkdir(parents=True, exist_ok=True)
    PromptTuningConfig(
        task_type=TaskType.SEQ_2_SEQ_LM if seq2seq else TaskType.CAUSAL_LM,
        base_model_name_or_path=base.name_or_path,
        inference_mode=True,
        num_virtual_tokens=len(vectors),
        token_dim=vectors.shape[1],
        num_transformer_submodules=1,  # before the encoder's input alone, where there are two
        num_attention_heads=config.num_attention_heads,
        num_layers=config.num_hidden_layers,
    ).save_pretrained(str(folder))
    save_file({_TENSOR: vectors}, folder / _FILE, metadata={"format": "pt"})


def _base(model: Any) -> Any:
    return model.get_base_model() if hasattr(model, "peft_config") else model
