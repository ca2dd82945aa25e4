"""Content hashes of model folders: what an answer's address in the ledger rests on.

    fingerprint(Path("flan-t5-base"))     # 64 hexadecimal digits

Hashed are the configuration, the weights, the tokenizer's files, the chat template and the
generation settings, each under its name; a model card or a log beside them changes nothing. Of a
sentence encoder also what stands behind the model, such as its pooling. Of an adapter, its weights
and its settings, without the name of its base (a path that differs between machines) and with sets
in a fixed order (peft writes them as they come), and the mark of a base that is quantised. Of a
head on features and of features that were kept, the arrays and what is said of them.

Reading gigabytes for each command would be slow, so the hashes of weight files are remembered
under the user's cache folder, by path, inode, size, modification and change time: a copy, a
replacement and an edit that sets the modification time back all change one of these.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterable
from pathlib import Path

from stepladder.checkpoints.folders import (
    ADAPTER_CONFIG,
    MODULES,
    WEIGHTS,
    read_json,
    weight_files,
)
from stepladder.checkpoints.quantized import MARK, is_quantized
from stepladder.checkpoints.virtual import BESIDE
from stepladder.records import Json, content_hash

_SETTINGS = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "tokenizer.model",
    "spiece.model",
    "sentencepiece.bpe.model",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "chat_template.jinja",
)
_ARRAYS = ("head", "features")
"""Names of arrays in safetensors with a JSON file beside them."""
_NOT_CONTENT = ("base_model_name_or_path", "revision", "inference_mode", "peft_version")
_SETTLED = 2.0
"""Seconds: a file changed later than this before its hash was taken is not remembered, since a
second change within the clock's grain could leave all of its times the same."""


def fingerprint(folder: Path, *, allow_pickle: bool = False, read_again: bool = False) -> str:
    """The content hash of a checkpoint's or an adapter's folder. With `read_again` every byte is
    read, also where the hash of a file is remembered: a disk can fail without a new time."""
    if (folder / ADAPTER_CONFIG).is_file():
        found: dict[str, object] = {
            ADAPTER_CONFIG: _adapter_settings(folder),
            "weights": _hashes(folder, weight_files(folder, allow_pickle=allow_pickle), read_again),
        }
        if is_quantized(folder):
            found[MARK] = read_json(folder / MARK)
        if (folder / BESIDE / ADAPTER_CONFIG).is_file():
            beside = folder / BESIDE
            found[BESIDE] = fingerprint(beside, allow_pickle=allow_pickle, read_again=read_again)
        return content_hash(found)
    for name in _ARRAYS:
        described = folder / f"{name}.json"
        if described.is_file():
            said = {k: v for k, v in read_json(described).items() if k not in _NOT_CONTENT}
            arrays = _hashes(folder, [folder / f"{name}.safetensors"], read_again)
            return content_hash({name: said, "arrays": arrays})
    present = [folder / name for name in _SETTINGS if (folder / name).is_file()]
    present += sorted(folder.glob("additional_chat_templates/*.jinja"))
    present += _modules(folder)
    return content_hash(
        _hashes(folder, [*present, *weight_files(folder, allow_pickle=allow_pickle)], read_again)
    )


def _modules(folder: Path) -> list[Path]:
    """The files that make a sentence encoder of a model; none where it is none."""
    if not (folder / MODULES).is_file():
        return []
    own = [folder / MODULES, folder / "sentence_bert_config.json"]
    parts = (f for f in folder.glob("*_*/*") if f.suffix in (".json", *WEIGHTS))
    return [file for file in (*own, *sorted(parts)) if file.is_file()]


def _adapter_settings(folder: Path) -> Json:
    settings = read_json(folder / ADAPTER_CONFIG)
    return {
        key: sorted(value, key=str) if isinstance(value, list) else value
        for key, value in settings.items()
        if key not in _NOT_CONTENT
    }


def _hashes(folder: Path, files: Iterable[Path], read_again: bool) -> dict[str, str]:
    known = {} if read_again else _remembered()
    hashes: dict[str, str] = {}
    fresh: dict[str, str] = {}
    for file in files:
        key = _key(file)
        digest = known.get(key)
        if digest is None:
            digest = _digest(file)
            settled = time.time() - max(file.stat().st_mtime, file.stat().st_ctime) > _SETTLED
            if file.suffix in WEIGHTS and settled and key == _key(file):
                fresh[key] = digest
        hashes[file.relative_to(folder).as_posix()] = digest
    if fresh:
        _remember(_remembered() | fresh)
    return hashes


def _digest(file: Path) -> str:
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _key(file: Path) -> str:
    real = file.resolve()
    stat = real.stat()
    parts = (real, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
    return "|".join(map(str, parts))


def cache_folder() -> Path:
    """Where things are kept that can be made again: in the user's cache."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "stepladder"


def _cache_file() -> Path:
    return cache_folder() / "fingerprints.json"


def _remembered() -> dict[str, str]:
    try:
        found = json.loads(_cache_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _remember(hashes: dict[str, str]) -> None:
    """Written whole and moved into place, without files that are gone. A cache that cannot be
    written costs time alone."""
    kept = {key: value for key, value in hashes.items() if Path(key.split("|")[0]).is_file()}
    file = _cache_file()
    part = file.with_suffix(f".{os.getpid()}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps(kept), encoding="utf-8")
        part.replace(file)
    except OSError:
        return
