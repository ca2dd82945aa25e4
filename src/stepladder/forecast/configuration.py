"""A model's configuration without its weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from stepladder.checkpoints import EMBEDDED, quiet
from stepladder.errors import CheckpointError


def read_config(name: str) -> Any:
    """The transformers config of a folder, of its config.json, of 'embedded' or of a hub id. No
    weights are needed. Raises CheckpointError for what is none, or is no language model's."""
    import transformers

    source = _source(name)
    try:
        with quiet():
            config = transformers.AutoConfig.from_pretrained(source)
    except Exception as error:  # transformers raises whatever its many parts raise
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise CheckpointError(
            f"{name}: its configuration cannot be read: {first}; give a folder with config.json, "
            "the file itself, or a hub id that can be reached"
        ) from error
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


def _source(name: str) -> str:
    if name == "embedded":
        return str(EMBEDDED)
    path = Path(name).expanduser()
    if path.exists():
        return str(path)
    if name.startswith((".", "/", "~")) or name.endswith(".json"):
        raise CheckpointError(f"{name} is not there; give a folder with config.json, or a hub id")
    return name
