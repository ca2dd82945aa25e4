"""Soft prompts on disk: peft's own adapter folders, of either kind.

    write(model, folder); put_on(model, folder)

One tensor `prompt_embeddings`, a row a virtual token: its embedding (`PromptTuningConfig`), or its
key and value in one layer after another (`PrefixTuningConfig`). peft itself loads both. This module
needs torch; import it where a model is at work.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from stepladder.checkpoints.prefix import Prefix, lay_prefix, layer_states
from stepladder.checkpoints.soft_prompt import SoftPrompt, base_of, lay, soft_prompt
from stepladder.checkpoints.virtual import is_prefix
from stepladder.errors import CheckpointError

_TENSOR = "prompt_embeddings"
_FILE = "adapter_model.safetensors"


def put_on(model: Any, folder: Path) -> None:
    """Reads peft's folder into a model. Raises CheckpointError for what is none of its width."""
    from safetensors.torch import load_file

    found = load_file(folder / _FILE).get(_TENSOR)
    words = base_of(model).get_input_embeddings().weight
    shape: tuple[int, ...] = (words.shape[1],)
    if is_prefix(folder):
        shape = tuple(
            layer_states(model, torch.zeros(1, dtype=torch.long, device=words.device)).shape[1:]
        )
    width = torch.Size(shape).numel()
    if found is None or found.ndim != 2 or found.shape[1] != width:
        there = "no such tensor" if found is None else f"a shape of {tuple(found.shape)}"
        raise CheckpointError(
            f"{folder / _FILE}: {_TENSOR} should be (virtual tokens, {width}), and there is "
            f"{there}; it belongs to another model"
        )
    vectors = found.to(words.dtype).to(words.device)
    prompt: SoftPrompt
    if is_prefix(folder):
        prompt = lay_prefix(model, vectors.view(-1, *shape))
    else:
        prompt = lay(model, vectors)
    prompt.vectors.requires_grad_(False)


def write(model: Any, folder: Path) -> None:
    """The soft prompt of a model as peft's own adapter folder."""
    from peft import PrefixTuningConfig, PromptTuningConfig, TaskType
    from safetensors.torch import save_file

    base, prompt = base_of(model), soft_prompt(model)
    assert prompt is not None
    vectors = prompt.vectors.detach().cpu().contiguous()
    config = base.config.get_text_config()
    seq2seq = bool(base.config.is_encoder_decoder)
    told: dict[str, Any] = {
        "task_type": TaskType.SEQ_2_SEQ_LM if seq2seq else TaskType.CAUSAL_LM,
        "base_model_name_or_path": base.name_or_path,
        "inference_mode": True,
        "num_virtual_tokens": len(vectors),
        "num_transformer_submodules": 1,  # an encoder's input alone, where there are two
    }
    if isinstance(prompt, Prefix):
        layers, _, heads, width = prompt.shape
        told |= {"num_layers": layers, "num_attention_heads": heads, "token_dim": heads * width}
        written: Any = PrefixTuningConfig(**told)
    else:
        told |= {
            "num_layers": config.num_hidden_layers,
            "num_attention_heads": config.num_attention_heads,
            "token_dim": vectors.shape[1],
        }
        written = PromptTuningConfig(**told)
    folder.mkdir(parents=True, exist_ok=True)
    written.save_pretrained(str(folder))
    save_file({_TENSOR: vectors}, folder / _FILE, metadata={"format": "pt"})
