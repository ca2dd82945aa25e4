"""A model's name, as a user writes it, to a Checkpoint.

    resolve("embedded")                      # the model that comes with the package
    resolve("google/flan-t5-base@main")      # the hub, through its local cache
    resolve("runs/export")                   # a folder: a whole checkpoint, or a peft adapter
    resolve_encoder("org/minilm")            # a sentence encoder, which writes no text

Of an adapter's folder the base is resolved in turn, by the `base_model_name_or_path` that peft
wrote, so an adapter may stand on an adapter; and a head on features on either, or on an encoder.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from stepladder.checkpoints.endpoints import is_address
from stepladder.checkpoints.fingerprints import fingerprint
from stepladder.checkpoints.folders import (
    ADAPTER_CONFIG,
    CONFIG,
    checked_config,
    inspect_encoder,
    inspect_folder,
    read_json,
)
from stepladder.checkpoints.heads import BASE, ENCODER, HEAD
from stepladder.checkpoints.hub import ENCODER_FILES, fetch, may_be_on_hub
from stepladder.checkpoints.virtual import BESIDE
from stepladder.errors import CheckpointError
from stepladder.records import Adapter, Checkpoint, Head

EMBEDDED = Path(__file__).parent / "embedded"
"""The folder of the model that comes with the package."""

_DEEPEST = 8
"""Adapters on adapters beyond this are taken for a circle."""


def resolve(name: str, *, revision: str | None = None, allow_pickle: bool = False) -> Checkpoint:
    """The checkpoint behind `embedded`, a local folder, or a hub id (`org/name`, `org/name@rev`).

    Downloads what the hub's cache lacks; loads no weights. Raises CheckpointError for everything
    that loading would fail on later, as far as files can tell.
    """
    return _resolve(name.strip(), revision, allow_pickle, depth=0)


def resolve_encoder(name: str) -> Checkpoint:
    """The sentence encoder behind a local folder or a hub id, as something to take features from.
    Raises CheckpointError for what is none."""
    folder, full_name = _folder(name.strip(), None, files=ENCODER_FILES)
    facts = inspect_encoder(folder)
    return Checkpoint(
        name=full_name,
        folder=folder,
        fingerprint=fingerprint(folder),
        capabilities=facts.capabilities,
        parameters=facts.parameters,
    )


def with_head(body: Checkpoint, folder: Path) -> Checkpoint:
    """The checkpoint that answers by the head in `folder` and can do nothing else."""
    able = replace(body.capabilities, trains=False, scores=False)
    return replace(body, head=Head(folder, fingerprint(folder)), capabilities=able)


def find_config(name: str) -> Path:
    """The checked config.json of a model's name, which may be that file itself. Of a hub repository
    it alone is fetched. Raises CheckpointError."""
    name = name.strip()
    file = Path(name).expanduser()
    if not file.is_file():
        folder, _ = _folder(name, None, files=(CONFIG, ADAPTER_CONFIG))
        file = folder / CONFIG
        if not file.is_file() and (folder / ADAPTER_CONFIG).is_file():
            raise CheckpointError(f"{folder} is an adapter; give its base model")
    checked_config(file)
    return file


def _resolve(name: str, revision: str | None, allow_pickle: bool, depth: int) -> Checkpoint:
    if is_address(name):
        raise CheckpointError("an endpoint's address stands where a model's folder is needed")
    if depth > _DEEPEST:
        raise CheckpointError(f"'{name}': adapters name each other as their base, in a circle")
    folder, full_name = _folder(name, revision, allow_pickle=allow_pickle)
    if (folder / HEAD).is_file():
        return _headed(folder, full_name, allow_pickle, depth)
    if (folder / ADAPTER_CONFIG).is_file():
        return _adapted(folder, full_name, allow_pickle, depth)
    facts = inspect_folder(folder, allow_pickle=allow_pickle)
    beside = folder / BESIDE
    prompt = (Adapter(beside, fingerprint(beside)),) if beside.is_dir() else ()
    return Checkpoint(
        name=full_name,
        folder=folder,
        fingerprint=fingerprint(folder, allow_pickle=allow_pickle),
        capabilities=facts.capabilities,
        adapters=prompt,
        parameters=facts.parameters,
    )


def _folder(name: str, revision: str | None, **wanted: Any) -> tuple[Path, str]:
    """Where the files are, and the name to show; `wanted` says what is fetched of a hub's."""
    if name == "embedded":
        return EMBEDDED, name
    path = Path(name).expanduser()
    if name and path.is_dir():
        if revision:
            raise CheckpointError(
                f"'{name}' is a local folder, which has no revision '{revision}'; leave it out"
            )
        return path.resolve(), name
    if path.is_file():
        raise CheckpointError(
            f"'{name}' is a file; give the folder that holds the model (config.json, weights and "
            "tokenizer in the hub's format)"
        )
    repository, _, at = name.partition("@")
    if not may_be_on_hub(repository):
        raise CheckpointError(
            f"there is no folder '{name}'; give 'embedded', a model's folder, a hub id such as "
            "google/flan-t5-base, or an endpoint such as http://127.0.0.1:8000/v1#name"
        )
    if at and revision and at != revision:
        raise CheckpointError(f"'{name}' and the revision '{revision}' contradict each other")
    chosen = at or revision
    folder = fetch(repository, chosen, **wanted)
    return folder, f"{repository}@{chosen}" if chosen else repository


def _adapted(folder: Path, name: str, allow_pickle: bool, depth: int) -> Checkpoint:
    settings = read_json(folder / ADAPTER_CONFIG)
    base_name = settings.get("base_model_name_or_path")
    if not isinstance(base_name, str) or not base_name:
        raise CheckpointError(
            f"{folder / ADAPTER_CONFIG} names no base_model_name_or_path; write the base model's "
            "folder or hub id there"
        )
    on_hub = not Path(base_name).expanduser().is_dir()
    revision = settings.get("revision") if on_hub else None
    try:
        base = _resolve(_portable(base_name), revision, allow_pickle, depth + 1)
    except CheckpointError as error:
        raise CheckpointError(f"{folder} is an adapter, and of its base: {error}") from error
    adapter = Adapter(folder, fingerprint(folder, allow_pickle=allow_pickle))
    return replace(base, name=name, adapters=(*base.adapters, adapter))


def _headed(folder: Path, name: str, allow_pickle: bool, depth: int) -> Checkpoint:
    said = read_json(folder / HEAD)
    base_name = said.get(BASE)
    if not isinstance(base_name, str) or not base_name:
        raise CheckpointError(
            f"{folder / HEAD} names no {BASE}; write there the folder or hub id of what the head "
            "stands on"
        )
    try:
        if said.get(ENCODER):
            body = resolve_encoder(base_name)
        else:
            body = _resolve(_portable(base_name), None, allow_pickle, depth + 1)
    except CheckpointError as error:
        raise CheckpointError(f"{folder} is a head, and of its base: {error}") from error
    return replace(with_head(body, folder), name=name)


def _portable(base_name: str) -> str:
    """An adapter trained on the embedded model names a folder inside an installed package, which
    lies elsewhere on another machine."""
    own = EMBEDDED.parts[-3:]
    moved = Path(base_name).parts[-3:] == own and not Path(base_name).is_dir()
    return "embedded" if moved else base_name
