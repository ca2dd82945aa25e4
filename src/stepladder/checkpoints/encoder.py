"""The one sentence encoder that retrieval, nearest demonstrations, semantic measures and features
share."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stepladder.checkpoints.fingerprints import fingerprint
from stepladder.checkpoints.loading import quiet
from stepladder.errors import CheckpointError, MissingExtraError
from stepladder.records import content_hash


class SentenceEncoder:
    """A sentence-transformers model; vectors are scaled to length 1."""

    def __init__(self, name: str, model: Any) -> None:
        self._model = model
        self.identity = name

    @property
    def context(self) -> int | None:
        """Tokens of a text; what is beyond is not read."""
        return None if self._model.max_seq_length is None else int(self._model.max_seq_length)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """As the encoder reads them, nothing cut."""
        if not texts:
            return []
        ids = self._model.tokenizer(list(texts), truncation=False, verbose=False)["input_ids"]
        return [len(row) for row in ids]

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors, shape (texts, dimensions)."""
        vectors = self._model.encode(
            list(texts), normalize_embeddings=True, show_progress_bar=False, convert_to_numpy=True
        )
        return np.asarray(vectors, dtype=np.float32)


@lru_cache(maxsize=2)
def open_encoder(name: str) -> SentenceEncoder:
    """Loads an encoder by its hub id or folder."""
    folder = Path(name).expanduser()
    if (os.sep in name or folder.exists()) and not (folder / "config.json").is_file():
        looks_like_hub_id = name.count("/") == 1 and not name.startswith((".", "/", "~"))
        if folder.exists() or not looks_like_hub_id:
            raise CheckpointError(
                f"encoder '{name}': no config.json there; give the folder of a sentence encoder, "
                "or 'bm25'"
            )
    try:
        with quiet():
            from sentence_transformers import SentenceTransformer
    except ModuleNotFoundError as error:
        raise MissingExtraError("hf", "a sentence encoder") from error
    try:
        with quiet():
            return SentenceEncoder(name, SentenceTransformer(str(name), device="cpu"))
    except (OSError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise CheckpointError(
            f"encoder '{name}' cannot be loaded ({reason}); "
            "give the folder of a sentence encoder, or 'bm25'"
        ) from error


def encoder_identity(name: str) -> str:
    """What tells an encoder's vectors from another's: the content hash of its files where it is a
    folder, else its name."""
    folder = Path(name).expanduser()
    if not (folder / "config.json").is_file():
        return content_hash(["encoder", name])
    files = sorted(f for f in folder.rglob("*") if f.suffix in (".json", ".txt", ".model"))
    texts = [[f.relative_to(folder).as_posix(), sha256(f.read_bytes()).hexdigest()] for f in files]
    return content_hash(["encoder", fingerprint(folder, allow_pickle=True), texts])
