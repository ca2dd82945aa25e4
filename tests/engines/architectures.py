"""Random models of two or three layers: those that take the shared path, and those that do not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

COMMON: dict[str, Any] = {
    "vocab_size": 384,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "pad_token_id": 0,
    "eos_token_id": 1,
    "bos_token_id": None,
    "initializer_range": 0.4,
}
PLAIN: dict[str, Any] = {"vocab_size": 384, "initializer_range": 0.4, "pad_token_id": 0}
ENDS: dict[str, Any] = {"eos_token_id": 1, "bos_token_id": 1}

CONFIGS: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("LlamaConfig", COMMON),
    "qwen2": ("Qwen2Config", COMMON),
    "qwen2 with a window": (
        "Qwen2Config",
        {**COMMON, "use_sliding_window": True, "sliding_window": 9, "max_window_layers": 1},
    ),
    "qwen3": ("Qwen3Config", {**COMMON, "head_dim": 8}),
    "mistral": ("MistralConfig", {**COMMON, "sliding_window": 12}),
    "gemma2": (
        "Gemma2Config",
        {
            **COMMON,
            "head_dim": 8,
            "sliding_window": 12,
            "query_pre_attn_scalar": 8,
            "attn_logit_softcapping": 5.0,
        },
    ),
    "gpt-oss": (
        "GptOssConfig",
        {
            **COMMON,
            "head_dim": 8,
            "sliding_window": 12,
            "num_local_experts": 4,
            "num_experts_per_tok": 2,
            "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
        },
    ),
    "bloom": ("BloomConfig", {**PLAIN, **ENDS, "hidden_size": 32, "n_layer": 2, "n_head": 4}),
    "mpt": (
        "MptConfig",
        {**PLAIN, **ENDS, "d_model": 32, "n_layers": 2, "n_heads": 4, "max_seq_len": 256},
    ),
    "mamba": ("MambaConfig", {**PLAIN, **ENDS, "hidden_size": 32, "num_hidden_layers": 2}),
    "qwen3 with recurrent layers": (
        "Qwen3NextConfig",
        {**COMMON, "head_dim": 8, "num_experts": 4, "num_experts_per_tok": 2},
    ),
    "llama with rope by length": (
        "LlamaConfig",
        {
            **COMMON,
            "rope_parameters": {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10000.0},
        },
    ),
}
SHARED = ["llama", "qwen2", "qwen2 with a window", "qwen3", "mistral", "gemma2", "gpt-oss"]
FALLBACK = {
    "bloom": "does not go through transformers' attention interface",
    "mpt": "does not go through transformers' attention interface",
    "mamba": "recurrent",
    "qwen3 with recurrent layers": "recurrent",
    "llama with rope by length": "depend on the length",
}
"""And a word of the reason."""


def build(name: str) -> Any:
    """A model in evaluation mode."""
    import torch
    import transformers

    kind, settings = CONFIGS[name]
    torch.manual_seed(0)
    config = getattr(transformers, kind)(**settings)
    return transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()


def save(name: str, folder: Path) -> None:
    build(name).save_pretrained(folder)
