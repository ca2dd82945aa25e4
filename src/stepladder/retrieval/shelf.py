"""Indexes on disk, under the hash of all that decides them; made anew only for what changed.

    kept = build_index(source, Making(by="lsa"), token_counter(model))
    index = open_index(kept.folder)

Below the user's cache folder, `passages/` keeps what each document was cut into, with the counts of
its words and its vectors (`pieces.py`), `lsa/` the directions of LSA, and `indexes/` whole indexes:
passages, BM25's weights, vectors, and what the index was made of. An index folder stands alone, so
it can be copied beside an exported adaptation. What comes out depends on the documents alone, never
on which of them were indexed before.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache, partial
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple, get_args

import numpy as np

from stepladder.checkpoints import TokenCounter, cache_folder, encoder_identity, open_encoder
from stepladder.errors import KnowledgeError
from stepladder.plurals import counted
from stepladder.records import Json, content_hash
from stepladder.retrieval.chunks import Cut, Passage
from stepladder.retrieval.index import HybridIndex, Merge
from stepladder.retrieval.lsa import FITTED, Lsa
from stepladder.retrieval.nearest import Bm25Search, EncoderSearch
from stepladder.retrieval.pieces import Piece, Vectors, passage_of, piece_of
from stepladder.retrieval.words import WordMatrix, merged
from stepladder.tasks.knowledge import KnowledgeSource

FORMAT = 2
_ABOUT, _PASSAGES, _VECTORS = "index.json", "passages.jsonl", "vectors.npy"


@dataclass(frozen=True)
class Making:
    """How an index is made."""

    by: str = "lsa"
    """`bm25`; `lsa` for BM25 merged with LSA; or a sentence encoder's name or folder, for BM25
    merged with its vectors."""
    merge: str = "score"
    """`rank` (reciprocal ranks) or `score` (normalised scores)."""
    cut: Cut = field(default_factory=Cut)

    def __post_init__(self) -> None:
        if self.merge not in get_args(Merge):
            known = " or ".join(get_args(Merge))
            raise KnowledgeError(f"merge is '{self.merge}'; give {known}")


class KeptIndex(NamedTuple):
    """An index on disk."""

    folder: Path
    key: str
    """Content hash of its documents, of how they are cut and of how they are searched."""
    passages: int
    documents: int
    unread: tuple[str, ...]
    """Files and rows that could not be read, a line each."""
    fresh: int
    """Documents that were read now; the others were cut before."""

    def about(self, by: str) -> str:
        """In words, for the record."""
        found = {
            "bm25": "BM25 alone",
            "lsa": "BM25 and LSA (no encoder was named)",
        }.get(by, f"BM25 and the vectors of {by}")
        passages, documents = counted(self.passages, "passage"), counted(self.documents, "document")
        said = f"{passages} of {documents}, found by {found}"
        if not self.unread:
            return said
        named = "; ".join(self.unread[:3]) + ("; ..." if len(self.unread) > 3 else "")
        return f"{said}; not read: {len(self.unread):,} ({named})"


def build_index(
    source: KnowledgeSource, making: Making, counter: TokenCounter, root: Path | None = None
) -> KeptIndex:
    """Reads, cuts and indexes what changed; the rest is taken from below `root` (by default the
    user's cache folder).

    Raises KnowledgeError where no document can be read or the index cannot be written,
    CheckpointError for an encoder that cannot be had, and MissingExtraError.
    """
    root = root or cache_folder()
    try:
        pieces = [piece_of(file, making.cut, counter, root / "passages") for file in source.files]
        unread = tuple(line for one in pieces for line in one.unread)
        passages = sum(one.passages for one in pieces)
        if not passages:
            first = unread[0] if unread else "every file is empty"
            files = counted(len(source.files), "document")
            raise KnowledgeError(
                f"knowledge: of {files} none can be read ({first}); give text in UTF-8, or "
                "documents that hold text"
            )
        identity = encoder_identity(making.by) if _encodes(making.by) else making.by
        keys = [one.key for one in pieces]
        key = content_hash([FORMAT, keys, identity, making.merge])
        folder = root / "indexes" / key
        if not is_index(folder):
            about = {"by": making.by, "merge": making.merge, "passages": passages}
            with _whole(folder, is_index) as part:
                _write(part, about, pieces, root, identity)
                known = {"format": FORMAT, "key": key, **about}
                (part / _ABOUT).write_text(json.dumps(known), encoding="utf-8")
    except OSError as error:
        raise KnowledgeError(
            f"the index cannot be kept below {root} ({error.strerror or error}); make room there, "
            "or set XDG_CACHE_HOME to another folder"
        ) from error
    documents = sum(bool(one.passages) for one in pieces)
    fresh = sum(one.fresh for one in pieces)
    return KeptIndex(folder, key, passages, documents, unread, fresh)


class _Passages(Sequence[Passage]):
    """The passages of an index; a line is read when it is asked for."""

    def __init__(self, folder: Path, passages: int) -> None:
        """Raises ValueError where it is another number of them."""
        self._folder = folder
        self._lines = (folder / _PASSAGES).read_bytes()
        self._ends = np.flatnonzero(np.frombuffer(self._lines, np.uint8) == ord("\n"))
        if len(self._ends) != passages:
            raise ValueError(f"{_PASSAGES} has {len(self._ends)} lines, {passages} are expected")

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, at: int) -> Passage:  # type: ignore[override]  # of slices there is no need
        end = self._ends[at]
        start = self._lines.rfind(b"\n", 0, int(end)) + 1
        try:
            return passage_of(self._lines[start : int(end)])
        except (ValueError, TypeError) as error:
            raise _unreadable(self._folder, error) from error


@lru_cache(maxsize=4)
def open_index(folder: Path) -> HybridIndex:
    """The index of a folder. Raises KnowledgeError where there is none that can be read, and
    CheckpointError where its encoder cannot be had any more."""
    try:
        about = json.loads((folder / _ABOUT).read_text(encoding="utf-8"))
        if about["format"] != FORMAT:
            raise ValueError(f"its form is {about['format']}, {FORMAT} is expected")
        by, merge = about["by"], about["merge"]
        passages = _Passages(folder, about["passages"])
        words = Bm25Search(WordMatrix.load(folder, len(passages)))
        lsa = Lsa.load(folder) if by == "lsa" else None
        vectors = None
        if by != "bm25":
            vectors = np.asarray(np.load(folder / _VECTORS, mmap_mode="r", allow_pickle=False))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _unreadable(folder, error) from error
    search = None
    if vectors is not None:
        search = EncoderSearch(lsa or open_encoder(by), vectors, absolute=lsa is not None)
    index = HybridIndex(passages, words, search, merge)
    index.search("", 1)  # whatever is made ready by a first search is not on the clock of a request
    return index


def _unreadable(folder: Path, error: Exception) -> KnowledgeError:
    return KnowledgeError(
        f"{folder} holds no index that can be read ({error}); remove it, and it is made anew"
    )


def is_index(folder: Path) -> bool:
    """Whether an index was written there, whole, and in the form that is read."""
    try:
        return bool(json.loads((folder / _ABOUT).read_text(encoding="utf-8"))["format"] == FORMAT)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def copy_index(folder: Path, to: Path) -> None:
    """Copies an index beside whatever needs it."""
    shutil.copytree(folder, to)


def _encodes(by: str) -> bool:
    return by not in ("bm25", "lsa")


@contextmanager
def _whole(folder: Path, there: Callable[[Path], bool]) -> Iterator[Path]:
    """A folder to write into, which is moved to its place in the end, so that one is whole or not
    there; unless another process was faster, and it is `there` already, with the same contents."""
    part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        yield part
        try:
            part.rename(folder)
        except OSError:
            if not there(folder):
                shutil.rmtree(folder, ignore_errors=True)
                part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _write(part: Path, about: Json, pieces: Sequence[Piece], root: Path, identity: str) -> None:
    """All of an index but what says that it is there."""
    pieces = [one for one in pieces if one.passages]
    with (part / _PASSAGES).open("wb") as rows:
        rows.writelines(one.rows for one in pieces)
    merged([one.counts for one in pieces]).save(part)
    found = []
    if about["by"] == "lsa":
        fitted, identity = _fitted(pieces, root / "lsa")
        lsa, vectors = Lsa.load(fitted), Vectors(root / "passages", identity)
        found = [vectors.of(one, lambda one: lsa.vectors(one.counts)) for one in pieces]
        for file in fitted.iterdir():
            _linked(file, part / file.name)
    elif _encodes(about["by"]):
        encoder, vectors = open_encoder(about["by"]), Vectors(root / "passages", identity)
        encoded = partial(vectors.encoded, encode=encoder.encode)
        found = [vectors.of(one, encoded) for one in pieces]
    if found:
        np.save(part / _VECTORS, np.concatenate(found))


def _fitted(pieces: Sequence[Piece], kept: Path) -> tuple[Path, str]:
    """LSA fitted to the passages at hand, to some of them where they are many; its folder, and
    what tells its vectors from others'."""
    taken: dict[int, int] = {}
    room = FITTED
    by_name = sorted(range(len(pieces)), key=lambda at: sha256(pieces[at].name.encode()).digest())
    for at in by_name:
        taken[at] = min(pieces[at].passages, room)
        room -= taken[at]
        if not room:
            break
    chosen = [(pieces[at], taken[at]) for at in sorted(taken)]
    key = content_hash(["lsa", FORMAT, [[piece.key, number] for piece, number in chosen]])
    folder = kept / key
    if not Lsa.is_in(folder):
        texts = [text for piece, number in chosen for text in piece.texts[:number]]
        with _whole(folder, Lsa.is_in) as part:
            Lsa.fit(texts).save(part)
    return folder, key


def _linked(file: Path, to: Path) -> None:
    """The same file under another name, where the file system can; else a copy."""
    try:
        os.link(file, to)
    except OSError:
        shutil.copyfile(file, to)
