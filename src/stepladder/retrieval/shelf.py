"""Indexes on disk, under the hash of all that decides them; made anew only for what changed.

    kept = build_index(source, Making(by="lsa"), token_counter(model))
    index = open_index(kept.folder)

Below the user's cache folder, `passages/` keeps what each document was cut into, under the hash of
its bytes and of how it was cut, and beside it each document's vectors by an encoder; `indexes/`
keeps whole ones: passages, vectors and what the index was made of. An index folder stands alone, so
it can be copied beside an exported adaptation. LSA's directions rest on all passages and are found
again when one changes; BM25's counts are made when the index is opened, which takes less time than
reading them.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from stepladder.checkpoints import TokenCounter, cache_folder, encoder_identity, open_encoder
from stepladder.contracts import Encoder
from stepladder.errors import KnowledgeError
from stepladder.records import Json, content_hash
from stepladder.retrieval.chunks import Cut, Passage, cut
from stepladder.retrieval.documents import read_document
from stepladder.retrieval.index import HybridIndex, Merge
from stepladder.retrieval.lsa import Lsa
from stepladder.retrieval.nearest import Bm25Search, EncoderSearch
from stepladder.tasks.knowledge import KnowledgeFile, KnowledgeSource, counted

FORMAT = 1
_ABOUT, _PASSAGES, _VECTORS = "index.json", "passages.jsonl", "vectors.npy"
_VERSION = 1
"""Of how documents are read and cut: another number cuts all of them anew."""


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
    """Content hash of its passages and of how they are searched."""
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


class _Cut(NamedTuple):
    """A document as it was cut."""

    key: str
    passages: list[Passage]
    unread: list[str]
    fresh: bool


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
        cuts = [_cut(file, making.cut, counter, root / "passages") for file in source.files]
        passages = [passage for one in cuts for passage in one.passages]
        unread = tuple(line for one in cuts for line in one.unread)
        if not passages:
            first = unread[0] if unread else "every file is empty"
            files = counted(len(source.files), "document")
            raise KnowledgeError(
                f"knowledge: of {files} none can be read ({first}); give text in UTF-8, or "
                "documents that hold text"
            )
        identity = encoder_identity(making.by) if _encodes(making.by) else making.by
        rows = [asdict(passage) for passage in passages]
        key = content_hash([FORMAT, rows, identity, making.merge])
        folder = root / "indexes" / key
        if not (folder / _ABOUT).is_file():
            about = {"format": FORMAT, "key": key, "by": making.by, "merge": making.merge}
            _write(folder, about, cuts, identity)
    except OSError as error:
        raise KnowledgeError(
            f"the index cannot be kept below {root} ({error.strerror or error}); make room there, "
            "or set XDG_CACHE_HOME to another folder"
        ) from error
    documents = sum(bool(one.passages) for one in cuts)
    fresh = sum(one.fresh for one in cuts)
    return KeptIndex(folder, key, len(passages), documents, unread, fresh)


@lru_cache(maxsize=4)
def open_index(folder: Path) -> HybridIndex:
    """The index of a folder. Raises KnowledgeError where there is none that can be read, and
    CheckpointError where its encoder cannot be had any more."""
    try:
        about = json.loads((folder / _ABOUT).read_text(encoding="utf-8"))
        lines = (folder / _PASSAGES).read_text(encoding="utf-8").split("\n")
        passages = [Passage(**json.loads(line)) for line in lines if line]
        by, merge = about["by"], about["merge"]
        vectors = np.load(folder / _VECTORS, allow_pickle=False) if by != "bm25" else None
        lsa = Lsa.load(folder) if by == "lsa" else None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise KnowledgeError(
            f"{folder} holds no index that can be read ({error}); remove it, and it is made anew"
        ) from error
    texts = [passage.text for passage in passages]
    search: EncoderSearch | None = None
    if vectors is not None:
        search = EncoderSearch(texts, lsa or open_encoder(by), vectors)
    index = HybridIndex(passages, Bm25Search(texts), search, merge)
    index.search("", 1)  # whatever is made ready by a first search is not on the clock of a request
    return index


def is_index(folder: Path) -> bool:
    """Whether an index was written there, whole."""
    return (folder / _ABOUT).is_file()


def copy_index(folder: Path, to: Path) -> None:
    """Copies an index beside whatever needs it."""
    shutil.copytree(folder, to)


def _encodes(by: str) -> bool:
    return by not in ("bm25", "lsa")


def _cut(file: KnowledgeFile, how: Cut, counter: TokenCounter, kept: Path) -> _Cut:
    """The document's passages, from disk where the very same bytes were cut the same way."""
    digest = sha256(file.path.read_bytes()).hexdigest()
    key = content_hash([_VERSION, file.name, digest, asdict(how), counter.identity])
    path = kept / f"{key}.json"
    try:
        found: Json = json.loads(path.read_text(encoding="utf-8"))
        passages = [Passage(**row) for row in found["passages"]]
        return _Cut(key, passages, list(found["unread"]), fresh=False)
    except (OSError, ValueError, KeyError, TypeError):
        pass  # not there, or not whole: cut anew
    document, unread = read_document(file)
    passages = cut(document, how, counter.lengths) if document else []
    _replace(path, {"passages": [asdict(p) for p in passages], "unread": unread})
    return _Cut(key, passages, unread, fresh=True)


def _write(folder: Path, about: Json, cuts: list[_Cut], identity: str) -> None:
    """Written beside its place and moved there, so that a folder is whole or not there."""
    part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        rows = [passage for one in cuts for passage in one.passages]
        lines = (json.dumps(asdict(row), ensure_ascii=False) + "\n" for row in rows)
        (part / _PASSAGES).write_text("".join(lines), encoding="utf-8")
        if about["by"] == "lsa":
            texts = [row.text for row in rows]
            lsa = Lsa.fit(texts)
            lsa.save(part)
            np.save(part / _VECTORS, lsa.encode(texts))
        elif _encodes(about["by"]):
            kept = folder.parent.parent / "passages"
            vectors = list(_vectors(about["by"], cuts, identity, kept))
            np.save(part / _VECTORS, np.concatenate(vectors))
        (part / _ABOUT).write_text(json.dumps(about), encoding="utf-8")
        try:
            part.rename(folder)
        except OSError:
            if not is_index(folder):  # else another process was faster, with the same contents
                shutil.rmtree(folder, ignore_errors=True)
                part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _vectors(by: str, cuts: list[_Cut], identity: str, kept: Path) -> Iterator[NDArray[np.float32]]:
    """Each document's vectors by an encoder, computed once for the same passages."""
    encoder: Encoder = open_encoder(by)
    for one in cuts:
        if not one.passages:
            continue
        path = kept / f"{one.key}.{identity[:16]}.npy"
        try:
            vectors = np.load(path, allow_pickle=False)
        except (OSError, ValueError):
            vectors = encoder.encode([passage.text for passage in one.passages])
            part = path.with_suffix(f".{os.getpid()}.part.npy")
            np.save(part, vectors)
            part.replace(path)
        yield vectors


def _replace(path: Path, value: Json) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}.part")
    part.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
    part.replace(path)
