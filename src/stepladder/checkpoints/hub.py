"""A model's id on the Hugging Face hub to a local folder.

    fetch("google/flan-t5-base", "main", allow_pickle=False)     # ~/.cache/huggingface/hub/...

Only what Stepladder reads is downloaded, so not the same weights again for other frameworks. The
library honours `HF_TOKEN`, the login of `hf auth login`, `HF_HUB_OFFLINE` and `HF_HOME`; without a
network it gives what its cache holds.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from stepladder.errors import CheckpointError, MissingExtraError, meant

_ID = re.compile(r"[\w.-]+(?:/[\w.-]+)?")

_FILES = (
    "*.json",
    "*.jinja",
    "*.model",
    "vocab.txt",
    "merges.txt",
    "README.md",
    "LICENSE*",
    "model*.safetensors",
    "adapter_model.safetensors",
)
ENCODER_FILES = (*_FILES, "*/model.safetensors")
"""Of a sentence encoder, whose layers behind the model have weights of their own."""
_PICKLES = ("pytorch_model*.bin", "adapter_model.bin")
_OTHER_COPIES = ("onnx/*", "openvino/*", "original/*", "*.fp16.safetensors", "flax_*", "tf_*")


def _meant(name: str) -> str:
    """What a name without an owner may have been meant for, as the beginning of an advice."""
    question = meant(name.lower(), ["embedded"])
    return f"{question} If not, " if question else ""


def may_be_on_hub(name: str) -> bool:
    """Whether a name is written as a hub id may be; a folder `runs/export` is too."""
    return not name.startswith((".", "/", "~")) and _ID.fullmatch(name) is not None


def fetch(
    name: str,
    revision: str | None,
    *,
    allow_pickle: bool = False,
    files: Sequence[str] = _FILES,
) -> Path:
    """The folder of a hub repository at a revision (a branch, tag or commit), with these `files`.

    Raises CheckpointError where it is not there, not open to this user, or out of reach.
    """
    try:
        from huggingface_hub import errors as hub
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise MissingExtraError("hf", f"fetching '{name}' from the hub") from error
    wanted = f"'{name}'" + (f" at revision '{revision}'" if revision else "")
    try:
        return Path(
            snapshot_download(
                name,
                revision=revision,
                allow_patterns=[*files, *(_PICKLES if allow_pickle else ())],
                ignore_patterns=list(_OTHER_COPIES),
            )
        )
    except hub.GatedRepoError as error:
        raise CheckpointError(
            f"the hub opens {wanted} only to users whom its owner admits; ask for access at "
            f"https://huggingface.co/{name}, then log in with `hf auth login` or set HF_TOKEN"
        ) from error
    except hub.RevisionNotFoundError as error:
        raise CheckpointError(
            f"the hub has '{name}', but no revision '{revision}'; see "
            f"https://huggingface.co/{name}/tree/main"
        ) from error
    except hub.RepositoryNotFoundError as error:
        raise CheckpointError(
            f"there is no local folder and no hub model {wanted}; {_meant(name)}check the "
            "spelling, or, if it is private, log in with `hf auth login` or set HF_TOKEN"
        ) from error
    except hub.HFValidationError as error:
        raise CheckpointError(f"'{name}' is neither a folder nor a hub id: {error}") from error
    except (OSError, hub.LocalEntryNotFoundError, hub.RevisionResolutionError) as error:
        raise CheckpointError(
            f"{wanted} is no local folder, and the hub cannot be reached; {_meant(name)}where "
            f"there is a network run `hf download {name} --local-dir FOLDER`, and give that folder "
            "here instead"
        ) from error
