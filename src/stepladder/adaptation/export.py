"""Writes an adaptation as a folder that stands alone, and reads it back.

The weights are in peft's or transformers' own format, so that plain peft and transformers load
them; beside them `stepladder.json` holds prompter, reader and sampling, README.md is the model
card, and `knowledge/` the index of the evidence, where there is any. An adaptation on one adapter
keeps it as an adapter on its base, unless merged weights are asked for; on several, they are
merged. A head on features is written as arrays, on its base; a soft prompt on others lies in a
folder within.

What it does not cover: an adaptation on an endpoint, which has no weights to write (a folder that
names a server and a key's variable could be made to send the key anywhere); and an adapter's base
is named (hub id or folder), not copied. Loading compares its content hash and refuses another one.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from stepladder.adaptation.adaptation import Adaptation, sampling_from_json
from stepladder.adaptation.evidence import Evidence
from stepladder.adaptation.prompter import Prompter
from stepladder.adaptation.readers import reader_from_json
from stepladder.checkpoints import (
    BESIDE,
    is_soft_prompt,
    quiet,
    read_head,
    resolve,
    soft_prompt_folder,
    write_head,
)
from stepladder.checkpoints import load as load_model
from stepladder.errors import CheckpointError, OutputError
from stepladder.records import Checkpoint, Endpoint
from stepladder.retrieval import copy_index, is_index

FILE = "stepladder.json"
FORMAT = 1
KNOWLEDGE = "knowledge"
"""The folder with the index of the evidence, where there is any."""
_COPIED = (".safetensors", ".json", ".jinja", ".model", ".txt")
_PICKLES = (".bin", ".pt")


def save(
    adaptation: Adaptation,
    folder: Path,
    card: str,
    *,
    merged: bool = False,
    examine: Callable[[Path], str] | None = None,
) -> None:
    """Writes `folder`, whole or not at all. Raises OutputError where it cannot.

    `examine` sees everything but the card under another name first: what it returns ends the card,
    and what it raises leaves nothing behind.
    """
    if isinstance(adaptation.checkpoint, Endpoint):
        raise OutputError(
            f"{adaptation.checkpoint.name} is an endpoint: there are no weights to write; the "
            "prompt stands in the report"
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OutputError(f"{folder} exists and is not empty; name another folder")
    part = folder.with_name(f".{folder.name}.part")
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        _write_weights(adaptation.checkpoint, part, merged=merged)
        data = adaptation.as_json()
        data["checkpoint"] = {"name": adaptation.checkpoint.name}
        if adaptation.prompter.evidence is not None:
            copy_index(adaptation.prompter.evidence.folder, part / KNOWLEDGE)
            data["prompter"]["evidence"]["index"] = KNOWLEDGE
        data |= {"format": FORMAT, "identity": resolve(str(part)).identity}
        text = json.dumps(data, ensure_ascii=False, indent=1)
        (part / FILE).write_text(text, encoding="utf-8")
        card += examine(part) if examine else ""
        readme = part / "README.md"
        readme.write_text(card, encoding="utf-8")
        for file in part.rglob("*"):
            if file.is_file():  # some libraries write weights that only their owner can read
                shutil.copymode(readme, file)
        if folder.exists():
            folder.rmdir()
        part.rename(folder)
    except OSError as error:
        raise OutputError(f"{folder} cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def load(folder: Path) -> Adaptation:
    """Reads what `save` wrote. Raises CheckpointError for anything else."""
    try:
        data = json.loads((folder / FILE).read_text(encoding="utf-8"))
        if data["format"] > FORMAT:
            raise CheckpointError(f"{folder / FILE} was written by a newer Stepladder; upgrade it")
        prompter = Prompter.from_json(data["prompter"])
        if prompter.evidence is not None:
            prompter = replace(prompter, evidence=_beside(prompter.evidence, folder))
        reader = reader_from_json(data["reader"])
        sampling = sampling_from_json(data["sampling"])
        samples = data.get("samples", 1)
        identity = data["identity"]
    except FileNotFoundError as error:
        raise CheckpointError(
            f"{folder} holds no {FILE}; give a folder that `stepladder export` wrote"
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{folder / FILE} cannot be read: {error}; export again") from error
    checkpoint = resolve(str(folder))
    if checkpoint.identity != identity:
        raise CheckpointError(
            f"{folder}: its weights, or those of its base, are not the ones that were exported; "
            "answers would differ, so export again"
        )
    return Adaptation(checkpoint, prompter, reader, sampling, samples)


def _beside(evidence: Evidence, folder: Path) -> Evidence:
    index = folder / KNOWLEDGE
    if not is_index(index):
        raise CheckpointError(f"{folder}: its evidence is not in {index}; export again")
    return replace(evidence, index=str(index))


def stays_an_adapter(checkpoint: Checkpoint) -> bool:
    """Whether it is written as an adapter on its base, where nobody asks for merged weights."""
    folders = [adapter.folder for adapter in checkpoint.adapters]
    return len(folders) == 1 and folders[0] != checkpoint.folder / BESIDE


def _write_weights(checkpoint: Checkpoint, folder: Path, *, merged: bool) -> None:
    """An adapter, or a whole checkpoint with the LoRAs in its weights; a soft prompt, which no
    weights can take in, lies in a folder within; a head as its arrays."""
    if checkpoint.head is not None:
        write_head(folder, read_head(checkpoint.head.folder), checkpoint)
        return
    if stays_an_adapter(checkpoint) and not merged:
        _copy(checkpoint.adapters[0].folder, folder)
        return
    if all(is_soft_prompt(adapter.folder) for adapter in checkpoint.adapters):
        _copy(checkpoint.folder, folder)
    else:
        from stepladder.checkpoints.soft_prompt import take_off

        model, tokenizer = load_model(checkpoint, merged=True)
        take_off(model)
        with quiet():
            model.save_pretrained(folder)
            tokenizer.save_pretrained(folder)
    for adapter in checkpoint.adapters:
        soft = soft_prompt_folder(adapter.folder)
        if soft is not None:
            shutil.copytree(soft, folder / BESIDE, dirs_exist_ok=True)


def _copy(source: Path, folder: Path) -> None:
    """The files of a model or an adapter."""
    kinds = _COPIED if any(source.glob("*.safetensors")) else _COPIED + _PICKLES
    for file in sorted(source.iterdir()):
        if file.is_file() and file.suffix in kinds and file.name != FILE:
            shutil.copyfile(file, folder / file.name)
    for name in ("additional_chat_templates", BESIDE):
        if (source / name).is_dir():
            shutil.copytree(source / name, folder / name)
