"""What a model folder must hold, checked before transformers sees it.

    facts = inspect_folder(Path("flan-t5-base"), allow_pickle=False)
    facts.capabilities.context       # 512

Loading libraries answer a missing file with a message about the hub or about a class; here each
lack is named, with what to do. Only names, JSON files and the headers of safetensors files are
read: no weights, no torch. What is NOT covered: whether the numbers in the weights make sense.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from stepladder.errors import CheckpointError
from stepladder.records import Capabilities, Json

CONFIG = "config.json"
ADAPTER_CONFIG = "adapter_config.json"
MODULES = "modules.json"
"""Of a sentence encoder: what stands behind the model itself, such as its pooling."""
PICKLES = (".bin", ".pt", ".pth", ".ckpt")
WEIGHTS = (".safetensors", *PICKLES)

_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "spiece.model", "sentencepiece.bpe.model")
_VOCABULARIES = ("vocab.json", "vocab.txt")
_POSITIONS = ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "seq_length")
_NO_LIMIT = 10**7
"""Tokenizers without a limit say so by an absurd number (1e30)."""
_ENCODER_DECODERS = ("t5", "mt5", "umt5", "bart", "mbart", "pegasus", "marian", "led", "longt5")
_NOT_GENERATING = (
    "ForMaskedLM",
    "ForSequenceClassification",
    "ForTokenClassification",
    "ForQuestionAnswering",
    "ForPreTraining",
    "EncoderModel",
)
_LFS_POINTER = b"version https://git-lfs"


class Facts(NamedTuple):
    """What a folder's files say about its model."""

    capabilities: Capabilities
    parameters: int | None
    """None where the weights are pickled: counting would mean loading them."""


def inspect_folder(folder: Path, *, allow_pickle: bool = False) -> Facts:
    """Checks a whole checkpoint's folder and reads what can be known without its weights.

    Raises CheckpointError with the first thing that is missing or broken.
    """
    config = checked_config(folder / CONFIG)
    _check_tokenizer(folder)
    weights = weight_files(folder, allow_pickle=allow_pickle)
    settings = _optional_json(folder / "tokenizer_config.json")
    capabilities = Capabilities(
        trains=True,
        scores=True,
        chat=_has_template(folder, settings),
        encoder_decoder=bool(
            config.get("is_encoder_decoder", config.get("model_type") in _ENCODER_DECODERS)
        ),
        context=context_of(config, settings),
    )
    return Facts(capabilities, _parameters(weights))


def inspect_encoder(folder: Path) -> Facts:
    """The same for the folder of a sentence encoder, which generates nothing. Raises
    CheckpointError for any other folder."""
    if not (folder / MODULES).is_file():
        raise CheckpointError(
            f"{folder} holds no {MODULES}, so it is no sentence encoder; give one's folder or hub "
            "id, or leave encoder out to take the model's own hidden states"
        )
    _check_tokenizer(folder)
    own = _optional_json(folder / "sentence_bert_config.json").get("max_seq_length")
    context = own if isinstance(own, int) else context_of(read_json(folder / CONFIG))
    return Facts(Capabilities(context=context), _parameters(weight_files(folder)))


def weight_files(folder: Path, *, allow_pickle: bool = False) -> list[Path]:
    """The files that loading would read weights from, whole and in a fixed order.

    Pickled weights run code when they are loaded: they are refused unless allowed, and taken only
    where there are no others.
    """
    stem = "adapter_model" if (folder / ADAPTER_CONFIG).is_file() else "model"
    found = _single_or_shards(folder, f"{stem}.safetensors")
    if found:
        for file in found:
            read_header(file)
        return found
    pickled = "adapter_model.bin" if stem == "adapter_model" else "pytorch_model.bin"
    found = _single_or_shards(folder, pickled)
    if found and allow_pickle:
        return found
    if found or any(p.suffix in PICKLES for p in folder.iterdir()):
        raise CheckpointError(
            f"{folder} holds pickled weights alone, which can run code when loaded; use a copy in "
            "safetensors, or give --allow-pickle (allow_pickle=True) if you trust its origin"
        )
    raise CheckpointError(
        f"{folder} holds no weights ({stem}.safetensors or {stem}.safetensors.index.json); "
        "download the model again, with its safetensors files"
    )


def read_json(file: Path) -> Json:
    """A JSON object from a file; anything else there is refused by name."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise CheckpointError(f"{file} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise CheckpointError(
            f"{file} is not valid JSON ({error}); download the model again"
        ) from error
    if not isinstance(found, dict):
        raise CheckpointError(f"{file} holds a {type(found).__name__} instead of a JSON object")
    return found


def read_header(file: Path) -> Json:
    """The header of a safetensors file: tensor names to dtype, shape and place.

    Format: 8 bytes of length (little-endian), that much JSON, then the tensors
    (https://huggingface.co/docs/safetensors). A file cut short or a Git LFS pointer is refused.
    """
    size = file.stat().st_size
    with file.open("rb") as handle:
        start = handle.read(len(_LFS_POINTER))
        if start == _LFS_POINTER:
            raise CheckpointError(
                f"{file} is a Git LFS pointer instead of weights; run `git lfs pull` in its "
                "folder, or download the model with `hf download`"
            )
        handle.seek(0)
        try:
            (length,) = struct.unpack("<Q", handle.read(8))
            if length > size:
                raise ValueError("the header is longer than the file")
            header = json.loads(handle.read(length))
            ends = [t["data_offsets"][1] for k, t in header.items() if k != "__metadata__"]
        except (struct.error, ValueError, AttributeError, TypeError, LookupError) as error:
            raise CheckpointError(
                f"{file} is not a safetensors file ({error}); download the model again"
            ) from error
    expected = 8 + length + max(ends, default=0)
    if size != expected:
        raise CheckpointError(
            f"{file} has {size:,} bytes, but its header promises {expected:,}; download it again"
        )
    return dict(header)


def checked_config(file: Path) -> Json:
    """A config.json of a model that transformers can build. Raises CheckpointError."""
    folder = file.parent
    if not file.is_file():
        raise CheckpointError(
            f"{folder} holds no config.json, so it is no model in the hub's format; give the "
            f"folder that has config.json (or {ADAPTER_CONFIG}), weights and tokenizer together"
        )
    config = read_json(file)
    kind = config.get("model_type")
    if not isinstance(kind, str):
        raise CheckpointError(f"{file} names no model_type; download the model again")
    if "auto_map" in config and not _known_to_transformers(kind):
        raise CheckpointError(
            f"{folder} needs Python code of its own (auto_map in config.json), and code that comes "
            "with a model is never run; use a model whose architecture transformers knows"
        )
    for name in config.get("architectures") or ():
        if str(name).endswith(_NOT_GENERATING):
            raise CheckpointError(
                f"{folder} is a {name}, which does not generate text; give a decoder-only or an "
                "encoder-decoder language model"
            )
    return config


def _known_to_transformers(kind: str) -> bool:
    """Asked only where a config names remote code: many of those models are built in by now."""
    try:
        from transformers.models.auto import configuration_auto
    except ImportError:
        return False
    return kind in vars(configuration_auto)["CONFIG_MAPPING_NAMES"]


def _check_tokenizer(folder: Path) -> None:
    if not any((folder / name).is_file() for name in (*_TOKENIZERS, *_VOCABULARIES)):
        raise CheckpointError(
            f"{folder} holds no tokenizer ({', '.join(_TOKENIZERS[:3])}, ...); copy the "
            "tokenizer's files of the same model into it"
        )
    if (folder / "tokenizer.json").is_file():
        read_json(folder / "tokenizer.json")


def _optional_json(file: Path) -> Json:
    return read_json(file) if file.is_file() else {}


def _single_or_shards(folder: Path, name: str) -> list[Path]:
    """`name` itself, or all the shards of its index; empty where there is neither."""
    if (folder / name).is_file():
        return [folder / name]
    index = folder / f"{name}.index.json"
    if not index.is_file():
        return []
    shards = read_json(index).get("weight_map")
    if not isinstance(shards, dict) or not shards:
        raise CheckpointError(f"{index} has no weight_map; download the model again")
    files = [folder / str(shard) for shard in sorted(set(shards.values()))]
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        raise CheckpointError(
            f"{folder} lacks {len(missing)} of {len(files)} weight files ({missing[0]}, ...); "
            "download the model again"
        )
    return files


def _has_template(folder: Path, settings: Json) -> bool:
    if (folder / "chat_template.jinja").is_file():
        return True
    template = settings.get("chat_template")
    if isinstance(template, list):
        return any(isinstance(t, dict) and t.get("name") == "default" for t in template)
    return bool(template)


def context_of(config: Json, settings: Json | None = None) -> int | None:
    """The smallest limit that configuration and tokenizer (`settings`) name; None where neither
    does."""
    inner = config.get("text_config")
    places = [config, inner] if isinstance(inner, dict) else [config]
    limits: list[Any] = [place.get(name) for place in places for name in _POSITIONS]
    limits.append((settings or {}).get("model_max_length"))
    sane = [int(n) for n in limits if isinstance(n, int | float) and 0 < n < _NO_LIMIT]
    return min(sane, default=None)


def _parameters(weights: Sequence[Path]) -> int | None:
    if any(file.suffix != ".safetensors" for file in weights):
        return None
    sizes: list[int] = [
        math.prod(tensor["shape"])
        for file in weights
        for name, tensor in read_header(file).items()
        if name != "__metadata__"
    ]
    return sum(sizes)
