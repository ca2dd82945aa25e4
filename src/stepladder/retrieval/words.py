"""Words of passages as numbers: counted by document, and merged into the matrix that bm25s scores
by.

    counts = count_words(("the red lamp", "a blue coat"))     # of one document's passages
    Bm25Search(merged([counts])).ranked("where is the lamp?")       # [0, 1]

A document's counts never change, whatever stands beside it, so they are kept; the weights depend
on all documents, and are found again when one changes. Merging sorts the words of each document,
not their occurrences, which is what makes it quick. A word stands for itself by 64 bits of its
BLAKE2b: two words of a million share them once in forty million such collections.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

K1, B = 1.5, 0.75
"""Of BM25, as bm25s has them by default; its form of the formula is Lucene's."""
_WORD = re.compile(r"\w+")
_LOW = np.uint64(0xFFFF_FFFF)
_HALF = np.uint64(32)


def words_of(text: str) -> list[str]:
    """The words of a text, lower-cased, as every search here sees them."""
    return _WORD.findall(text.lower())


class WordCounts(NamedTuple):
    """How often each word stands in each of one document's passages."""

    words: NDArray[np.uint64]
    """The different ones, ascending."""
    passages: NDArray[np.int64]
    """For each word, how many of the passages have it."""
    places: NDArray[np.uint64]
    """Word after word, for each passage that has it: its number (32 bits), and how often (32)."""
    lengths: NDArray[np.int64]
    """Words of each passage."""

    def occurrences(self) -> Occurrences:
        """Word after word, by number and not by hash."""
        said = np.repeat(np.arange(len(self.words)), self.passages)
        return Occurrences(said, *_unpacked(self.places))

    def save(self, path: Path) -> None:
        sizes = np.array([len(self.words), len(self.lengths)], np.uint64)
        parts = (sizes, self.words, self.passages, self.lengths, self.places)
        np.save(path, np.concatenate([part.astype(np.uint64) for part in parts]))

    @classmethod
    def load(cls, path: Path) -> WordCounts:
        """Raises OSError or ValueError where there are none that can be read."""
        whole: NDArray[np.uint64] = np.load(path, allow_pickle=False)
        words, passages = (int(size) for size in whole[:2])
        cuts = np.cumsum([2, words, words, passages])
        _, one, two, lengths, places = np.split(whole, cuts)
        if int(two.sum()) != len(places):
            raise ValueError(f"{path} is not whole")
        return cls(one, two.astype(np.int64), places, lengths.astype(np.int64))


class Occurrences(NamedTuple):
    """Of words in passages; arrays of one length."""

    words: NDArray[np.int64]
    passages: NDArray[np.int64]
    times: NDArray[np.int64]


def _unpacked(places: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return (places >> _HALF).astype(np.int64), (places & _LOW).astype(np.int64)


def count_words(texts: Sequence[str]) -> WordCounts:
    """Of one document's passages."""
    numbers: dict[str, int] = {}
    found = [[numbers.setdefault(word, len(numbers)) for word in words_of(t)] for t in texts]
    lengths = np.array([len(row) for row in found], np.int64)
    hashes = np.array([number_of(word) for word in numbers], np.uint64)
    order = np.argsort(hashes)
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    said = rank[np.fromiter((n for row in found for n in row), np.int64, int(lengths.sum()))]
    where = np.repeat(np.arange(len(texts)), lengths)
    pairs, times = np.unique(said * len(texts) + where, return_counts=True)
    word, passage = np.divmod(pairs, max(len(texts), 1))
    places = passage.astype(np.uint64) << _HALF | times.astype(np.uint64)
    return WordCounts(hashes[order], np.bincount(word, minlength=len(order)), places, lengths)


@lru_cache(maxsize=1_000_000)
def number_of(word: str) -> int:
    """64 bits that stand for a word."""
    return int.from_bytes(blake2b(word.encode(), digest_size=8).digest(), "little")


class WordMatrix(NamedTuple):
    """What each word is worth in each passage that has it: bm25s's matrix, column after column."""

    words: NDArray[np.uint64]
    """Of the columns, ascending."""
    data: NDArray[np.float32]
    indices: NDArray[np.int32]
    """Passages."""
    indptr: NDArray[np.int64]
    """Where each column begins, and the end of the last."""
    passages: int

    def save(self, folder: Path) -> None:
        for name in ("words", "data", "indices", "indptr"):
            np.save(folder / f"bm25.{name}.npy", getattr(self, name))

    @classmethod
    def load(cls, folder: Path, passages: int) -> WordMatrix:
        """Read as it is asked. Raises OSError or ValueError where there is none."""
        words, data, indices, indptr = (
            np.asarray(np.load(folder / f"bm25.{name}.npy", mmap_mode="r", allow_pickle=False))
            for name in ("words", "data", "indices", "indptr")
        )
        return cls(words, data, indices, indptr, passages)

    def columns(self, words: Iterable[str]) -> list[int]:
        """Of the words that any passage has."""
        asked = np.array([number_of(word) for word in words], np.uint64)
        at = np.searchsorted(self.words, asked)
        known = [i < len(self.words) and self.words[i] == n for i, n in zip(at, asked, strict=True)]
        return [int(i) for i, there in zip(at, known, strict=True) if there]


def merged(documents: Sequence[WordCounts]) -> WordMatrix:
    """The weights of Lucene's BM25 over the passages of all documents, in their order."""
    sizes = np.array([len(one.lengths) for one in documents], np.int64)
    firsts = np.cumsum(sizes) - sizes
    lengths = np.concatenate([one.lengths for one in documents])
    words = np.concatenate([one.words for one in documents])
    runs = np.concatenate([one.passages for one in documents])
    places = np.concatenate(
        [one.places + (np.uint64(f) << _HALF) for one, f in zip(documents, firsts, strict=True)]
    )
    # Each document's run of places for a word is moved behind that of the document before it.
    order = np.argsort(words, kind="stable")
    begins = (np.cumsum(runs) - runs)[order]
    words, runs = words[order], runs[order]
    ends = np.cumsum(runs)
    places = places[np.repeat(begins - (ends - runs), runs) + np.arange(len(places))]
    last = np.flatnonzero(np.append(words[1:] != words[:-1], [True] * (len(words) > 0)))
    indptr = np.concatenate([[0], ends[last]]).astype(np.int64)
    having = np.diff(indptr)
    rarity = np.log(1 + (len(lengths) - having + 0.5) / (having + 0.5)).astype(np.float32)
    passages, times = _unpacked(places)
    mean = lengths.mean() if len(lengths) else 1.0
    damping = K1 * (1 - B + B * lengths / (mean or 1.0))
    weights = np.repeat(rarity, having) * (times / (damping[passages] + times))
    data, indices = weights.astype(np.float32), passages.astype(np.int32)
    return WordMatrix(words[last], data, indices, indptr, len(lengths))
