"""A model's configuration without its weights."""

from __future__ import annotations

from typing import Any

from stepladder.checkpoints import find_config, quiet
from stepladder.errors import CheckpointError


def read_config(name: str) -> Any:
    """The transformers config of a folder, of its config.json, of 'embedded' or of a hub id. No
    weights are needed. Raises CheckpointError for what is none, or is no language model's."""
    import transformers

    file = find_config(name)
    try:
        with quiet():
            config = transformers.AutoConfig.from_pretrained(str(file), local_files_only=True)
    except (OSError, ValueError, KeyError, TypeError) as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise CheckpointError(f"{file}: transformers cannot read it: {first}") from error
    known = (
        transformers.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING
        if config.is_encoder_decoder
        else transformers.MODEL_FOR_CAUSAL_LM_MAPPING
    )
    if type(config) not in known:
        raise CheckpointError(
            f"{name}: '{config.model_type}' is no causal or encoder-decoder language model"
        )
    return config
