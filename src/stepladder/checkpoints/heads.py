"""A head on features: arrays that turn a vector into an answer, and the folder that keeps them.

    head = read_head(folder)
    head.answers(encoder.encode(["Is my ticket lost?"]))       # [("south", .93)]

`head.safetensors` holds the arrays and `head.json` the rest: no object is ever unpickled. Three
kinds: `logistic` (a label, the largest of the linear scores, with its probability), `ridge` (a
number, the linear score) and `neighbours` (the reference of the nearest training row).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stepladder.checkpoints.folders import MODULES, read_json
from stepladder.checkpoints.loading import public_name
from stepladder.errors import CheckpointError, MissingExtraError
from stepladder.records import Checkpoint, HeadKind, Json, Pooling

HEAD = "head.json"
ARRAYS = "head.safetensors"
FORMAT = 1
BASE = "base_model_name_or_path"
"""Names what the head stands on, in peft's word for it."""
ENCODER = "encoder"
"""Whether that is a sentence encoder."""

Arrays = Mapping[str, NDArray[Any]]
_NEEDED: Mapping[HeadKind, tuple[str, ...]] = {
    "logistic": ("weights", "bias"),
    "ridge": ("weights", "bias"),
    "neighbours": ("vectors",),
}


class HeadAnswer(NamedTuple):
    text: str
    probability: float | None
    """Of this answer among all that the head knows; None for a number and for a neighbour's."""


@dataclass(frozen=True)
class HeadOnFeatures:
    """What `head.json` and `head.safetensors` say."""

    kind: HeadKind
    pooling: Pooling
    arrays: Arrays
    """`weights` (answers, dimensions) and `bias` (answers,), of `ridge` one row of them; of
    `neighbours` the training rows' `vectors` (rows, dimensions)."""
    choices: tuple[str, ...] = ()
    """The labels in the order of the weights' rows; the references in that of the vectors."""
    decimals: int = 0
    """Digits behind the point of a number."""

    def answers(self, vectors: NDArray[np.float32]) -> list[HeadAnswer]:
        """One answer a vector; `vectors` has shape (texts, dimensions)."""
        inputs = vectors.astype(np.float64)
        if self.kind == "neighbours":
            nearest = np.argmax(inputs @ self.arrays["vectors"].T, axis=1)
            return [HeadAnswer(self.choices[i], None) for i in nearest]
        scores = inputs @ self.arrays["weights"].T + self.arrays["bias"]
        if self.kind == "ridge":
            return [HeadAnswer(written(value, self.decimals), None) for value in scores[:, 0]]
        chances = softmax(scores)
        best = np.argmax(chances, axis=1)
        return [
            HeadAnswer(self.choices[i], float(row[i])) for i, row in zip(best, chances, strict=True)
        ]


def softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Over the last axis."""
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def written(value: float, decimals: int) -> str:
    """A number as text; never `-0`.

    >>> written(-0.2, 0), written(3.14159, 2)
    ('0', '3.14')
    """
    rounded = round(float(value), decimals) + 0.0
    return f"{rounded:.{decimals}f}"


def write_head(folder: Path, head: HeadOnFeatures, body: Checkpoint) -> None:
    """Writes both files; `body` is what the head stands on, which is named and not copied."""
    from safetensors.numpy import save_file

    arrays = {name: np.ascontiguousarray(array) for name, array in head.arrays.items()}
    save_file(arrays, folder / ARRAYS)
    data: Json = {
        "format": FORMAT,
        "kind": head.kind,
        "pooling": asdict(head.pooling),
        "choices": list(head.choices),
        "decimals": head.decimals,
        BASE: public_name(body.adapters[-1].folder if body.adapters else body.folder),
        ENCODER: is_sentence_encoder(body),
    }
    text = json.dumps(data, ensure_ascii=False, indent=1)
    (folder / HEAD).write_text(text, encoding="utf-8")


def is_sentence_encoder(checkpoint: Checkpoint) -> bool:
    """Whether the folder says how a sentence becomes one vector."""
    return (checkpoint.folder / MODULES).is_file()


def read_head(folder: Path) -> HeadOnFeatures:
    """Reads what `write_head` wrote. Raises CheckpointError for anything else."""
    try:
        from safetensors import SafetensorError
        from safetensors.numpy import load_file
    except ImportError as error:
        raise MissingExtraError("hf", "a head on features") from error
    data = read_json(folder / HEAD)
    try:
        if data["format"] > FORMAT:
            raise CheckpointError(f"{folder / HEAD} was written by a newer Stepladder; upgrade it")
        arrays = load_file(folder / ARRAYS)
        kind: HeadKind = data["kind"]
        return HeadOnFeatures(
            kind,
            Pooling(**data["pooling"]),
            {name: arrays[name] for name in _NEEDED[kind]},
            tuple(data["choices"]),
            data["decimals"],
        )
    except (OSError, KeyError, TypeError, SafetensorError) as error:
        raise CheckpointError(f"{folder}: the head cannot be read ({error}); export again") from (
            error
        )
