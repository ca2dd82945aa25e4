"""The virtual tokens of a soft prompt: ids below 0, before everything else that a model reads.

    virtual_ids(checkpoint)      # (-1, -2, ..., -20) on an adapter of 20 virtual tokens

The first is -1. Since they are token ids like others, prompts that begin with them share a prefix
like others, and batches and scores know nothing of them; only the input embeddings do
(`soft_prompt`) or, of a trained prefix, the keys and values of every layer (`prefix`). On disk a
soft prompt of either kind is peft's own adapter folder; one that was trained jointly with a LoRA is
such a folder inside of the LoRA's, named `soft_prompt`; so is one in a whole checkpoint's. No
torch.
"""

from __future__ import annotations

from pathlib import Path

from stepladder.checkpoints.folders import ADAPTER_CONFIG, read_json
from stepladder.errors import CheckpointError
from stepladder.records import Checkpoint

BESIDE = "soft_prompt"
"""The folder of a soft prompt inside of a LoRA adapter's or a whole checkpoint's."""
_INPUT, _PREFIX = "PROMPT_TUNING", "PREFIX_TUNING"


def soft_prompt_folder(adapter: Path) -> Path | None:
    """Where an adapter's soft prompt lies: in its own folder, or beside a LoRA; None without."""
    if is_soft_prompt(adapter):
        return adapter
    beside = adapter / BESIDE
    return beside if (beside / ADAPTER_CONFIG).is_file() else None


def is_soft_prompt(adapter: Path) -> bool:
    """Whether an adapter's folder holds a soft prompt, of either kind, and nothing else."""
    kind = read_json(adapter / ADAPTER_CONFIG).get("peft_type")
    return kind == _INPUT or is_prefix(adapter)


def is_prefix(adapter: Path) -> bool:
    """Whether it is a trained prefix before a decoder's layers. An encoder-decoder's is none that
    is known here: peft itself loads it."""
    settings = read_json(adapter / ADAPTER_CONFIG)
    return settings.get("peft_type") == _PREFIX and settings.get("task_type") == "CAUSAL_LM"


def virtual_ids(checkpoint: Checkpoint) -> tuple[int, ...]:
    """The ids that stand before every prompt of this checkpoint, from -1 down; empty without a
    soft prompt. Raises CheckpointError for two soft prompts."""
    folders = [f for a in checkpoint.adapters if (f := soft_prompt_folder(a.folder)) is not None]
    if len(folders) > 1:
        raise CheckpointError(f"{checkpoint.name} has two soft prompts; one is all that can be")
    return tuple(ids for folder in folders for ids in _ids(folder))


def new_virtual_ids(count: int) -> tuple[int, ...]:
    """Ids of a soft prompt of so many tokens."""
    return tuple(range(-1, -count - 1, -1))


def _ids(folder: Path) -> tuple[int, ...]:
    count = read_json(folder / ADAPTER_CONFIG).get("num_virtual_tokens")
    if not isinstance(count, int) or count < 1:
        raise CheckpointError(f"{folder / ADAPTER_CONFIG} names no num_virtual_tokens")
    return new_virtual_ids(count)
