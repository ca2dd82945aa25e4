"""Ranks a fixed pool of texts by their nearness to a query: BM25, or vectors of an encoder.

Equal scores keep the order of the pool, so a ranking is the same on every machine. Words for BM25
are runs of letters and digits of any script, lower-cased, nothing left out: pools of short
sentences live off the very words that stop-word lists remove.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from stepladder.checkpoints import open_encoder
from stepladder.contracts import Floats

_WORD = re.compile(r"\w+")


class Search(Protocol):
    def ranked(self, query: str) -> list[int]:
        """Indices of the whole pool, nearest first."""
        ...


class Bm25Search:
    """BM25 (Robertson and Zaragoza 2009) by bm25s, with its default k1 and b."""

    def __init__(self, pool: Sequence[str]) -> None:
        import bm25s

        words = [words_of(text) for text in pool]
        self._known = {word for text in words for word in text}
        self._size = len(pool)
        self._index = bm25s.BM25()
        if self._known:
            self._index.index(words, show_progress=False)

    def ranked(self, query: str) -> list[int]:
        return descending(self.scores(query))

    def scores(self, query: str) -> Floats:
        """Of each text, shape (pool,); 0 where it has no word of the query."""
        words = [word for word in words_of(query) if word in self._known]
        if not words:
            return np.zeros(self._size)
        return np.asarray(self._index.get_scores(words), dtype=np.float64)


class Encodes(Protocol):
    """What a search needs of an encoder."""

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors, shape (texts, dimensions)."""
        ...


class EncoderSearch:
    """Cosine similarity of unit vectors, exact."""

    def __init__(
        self, pool: Sequence[str], encoder: Encodes, vectors: NDArray[np.float32] | None = None
    ) -> None:
        """`vectors` are those of the pool, where they are known already."""
        self._encoder = encoder
        self._vectors = encoder.encode(pool) if vectors is None else vectors

    def ranked(self, query: str) -> list[int]:
        return descending(self.scores(query))

    def scores(self, query: str) -> Floats:
        """Of each text, shape (pool,), from -1 to 1."""
        scores = self._vectors @ self._encoder.encode([query])[0]
        return np.asarray(scores, dtype=np.float64)


@lru_cache(maxsize=4)
def open_search(by: str, pool: tuple[str, ...]) -> Search:
    """A search over `pool`, kept while the same few pools are asked again.

    `by` is `bm25`, or the name or folder of a sentence encoder.
    """
    return Bm25Search(pool) if by == "bm25" else EncoderSearch(pool, open_encoder(by))


def words_of(text: str) -> list[str]:
    """The words of a text, lower-cased, as every search here sees them."""
    return _WORD.findall(text.lower())


def descending(scores: NDArray[np.float64]) -> list[int]:
    """Positions by score, the highest first; equal ones in their order."""
    return [int(i) for i in np.argsort(-scores, kind="stable")]
