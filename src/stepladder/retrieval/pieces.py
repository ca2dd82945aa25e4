"""What is kept of each document below the cache's `passages/`, so that only what changed is made
anew: its passages, the counts of their words, and their vectors.

    piece = piece_of(file, Cut(), counter, root / "passages")
    piece.fresh                                       # whether it was cut now
    vectors = Vectors(root / "passages", encoder_identity(name))
    vectors.of(piece, lambda one: vectors.encoded(one, encoder.encode))

All of it lies under the hash of the document's bytes and of how it was cut. Of a document that was
cut before in another version, the passages that are still the same keep their vectors.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stepladder.checkpoints import TokenCounter
from stepladder.records import content_hash
from stepladder.retrieval.chunks import Cut, Passage, cut
from stepladder.retrieval.documents import read_document
from stepladder.retrieval.words import WordCounts, count_words
from stepladder.tasks.knowledge import KnowledgeFile

_VERSION = 3
"""Of how documents are read, cut and counted: another number does all of them anew."""

Encode = Callable[[Sequence[str]], NDArray[np.float32]]


class Piece(NamedTuple):
    """A document as it was cut."""

    name: str
    key: str
    rows: bytes
    """Its passages as JSON, a line each, as they stand in an index."""
    passages: int
    unread: list[str]
    counts: WordCounts
    fresh: bool
    before: str | None
    """The key of the version that was cut before this one, where there was one."""

    @property
    def texts(self) -> list[str]:
        """Of its passages."""
        return [passage_of(row).text for row in self.rows.splitlines()]


def piece_of(file: KnowledgeFile, how: Cut, counter: TokenCounter, kept: Path) -> Piece:
    """From disk where the very same bytes were cut the same way. Raises OSError where it cannot be
    kept."""
    try:
        digest = file.digest()
    except OSError as error:
        unread = [f"{file.name}: cannot be read ({error.strerror or error})"]
        return Piece(file.name, content_hash(unread), b"", 0, unread, count_words([]), True, None)
    made = [file.name, asdict(how), counter.identity]
    key = content_hash([_VERSION, digest, *made])
    latest = kept / f"{content_hash([_VERSION, *made])}.latest"
    try:
        return _read(file.name, key, kept)
    except (OSError, ValueError, KeyError, TypeError):
        pass  # not there, or not whole: cut anew
    document, unread = read_document(file)
    passages = cut(document, how, counter.lengths) if document else []
    rows = "".join(json.dumps(asdict(p), ensure_ascii=False) + "\n" for p in passages).encode()
    counts = count_words([passage.text for passage in passages])
    kept.mkdir(parents=True, exist_ok=True)
    _put(kept / f"{key}.words.npy", counts.save)
    head = json.dumps({"passages": len(passages), "unread": unread}).encode() + b"\n"
    _put(kept / f"{key}.jsonl", lambda path: path.write_bytes(head + rows))
    try:
        before = latest.read_text("utf-8")
    except OSError:
        before = None
    _put(latest, lambda path: path.write_text(key, "utf-8"))
    return Piece(file.name, key, rows, len(passages), unread, counts, True, before)


def _read(name: str, key: str, kept: Path) -> Piece:
    head, _, rows = (kept / f"{key}.jsonl").read_bytes().partition(b"\n")
    about = json.loads(head)
    passages, unread = int(about["passages"]), list(about["unread"])
    if rows.count(b"\n") != passages:
        raise ValueError(f"{key} is not whole")
    counts = WordCounts.load(kept / f"{key}.words.npy")
    return Piece(name, key, rows, passages, unread, counts, False, None)


def passage_of(row: bytes) -> Passage:
    """A passage from its line. Raises ValueError or TypeError where it is none."""
    return Passage(**json.loads(row))


class Vectors(NamedTuple):
    """Vectors of pieces, each computed once by whatever has this identity."""

    kept: Path
    identity: str

    def of(
        self, piece: Piece, compute: Callable[[Piece], NDArray[np.float32]]
    ) -> NDArray[np.float32]:
        """Of the piece's passages."""
        path = self._path(piece.key)
        try:
            vectors: NDArray[np.float32] = np.load(path, allow_pickle=False)
            if len(vectors) == piece.passages:
                return vectors
        except (OSError, ValueError):
            pass  # not there, or not whole: computed now
        vectors = compute(piece)
        _put(path, lambda part: np.save(part, vectors))
        return vectors

    def encoded(self, piece: Piece, encode: Encode) -> NDArray[np.float32]:
        """Of the piece's passages; those that an earlier version has are taken from there."""
        texts = piece.texts
        known = self._before(piece.before) if piece.before else {}
        missing = [text for text in dict.fromkeys(texts) if text not in known]
        if missing:
            known |= zip(missing, encode(missing), strict=True)
        return np.stack([known[text] for text in texts])

    def _before(self, key: str) -> dict[str, NDArray[np.float32]]:
        """The vectors of an earlier version, by the text of their passages."""
        try:
            vectors = np.load(self._path(key), allow_pickle=False)
            return dict(zip(_read("", key, self.kept).texts, vectors, strict=True))
        except (OSError, ValueError, KeyError, TypeError):
            return {}

    def _path(self, key: str) -> Path:
        return self.kept / f"{key}.{self.identity[:16]}.npy"


def _put(path: Path, write: Callable[[Path], object]) -> None:
    """Written beside its place and moved there, so that a file is whole or not there."""
    part = path.with_name(f".{os.getpid()}.{path.name}")
    write(part)
    part.replace(path)
