"""Ranks a fixed pool of texts by their nearness to a query: BM25, or vectors of an encoder.

Equal scores keep the order of the pool, so a ranking is the same on every machine. Words for BM25
are runs of letters and digits of any script, lower-cased, nothing left out: pools of short
sentences live off the very words that stop-word lists remove.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from stepladder.checkpoints import open_encoder
from stepladder.contracts import Floats
from stepladder.retrieval.words import WordMatrix, count_words, merged, words_of


class Search(Protocol):
    def ranked(self, query: str) -> list[int]:
        """Indices of the whole pool, nearest first."""
        ...


class Bm25Search:
    """BM25 (Robertson and Zaragoza 2009), scored by bm25s, with its default k1 and b."""

    def __init__(self, matrix: WordMatrix) -> None:
        import bm25s

        self._matrix = matrix
        self._index = bm25s.BM25()
        self._index.nonoccurrence_array = None  # which `index` would set, and scoring asks for
        self._index.scores = {
            "data": matrix.data,
            "indices": matrix.indices,
            "indptr": matrix.indptr,
            "num_docs": matrix.passages,
        }

    @classmethod
    def of(cls, pool: Sequence[str]) -> Bm25Search:
        """Over these texts."""
        return cls(merged([count_words(pool)]))

    def ranked(self, query: str) -> list[int]:
        return descending(self.scores(query))

    def scores(self, query: str) -> Floats:
        """Of each text, shape (pool,); 0 where it has no word of the query."""
        columns = self._matrix.columns(words_of(query))
        if not columns:
            return np.zeros(self._matrix.passages)
        return np.asarray(self._index.get_scores_from_ids(columns), dtype=np.float64)


class Encodes(Protocol):
    """What a search needs of an encoder."""

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors, shape (texts, dimensions); shorter ones where they hold a part of it."""
        ...


class EncoderSearch:
    """Cosine similarity of unit vectors, exact."""

    def __init__(
        self, encoder: Encodes, vectors: NDArray[np.float32], *, absolute: bool = False
    ) -> None:
        """`vectors` are those of the pool, shape (pool, dimensions). `absolute`: a score means the
        same for every query, and so need not be brought to a scale before it is merged."""
        self._encoder = encoder
        self._vectors = vectors
        self.absolute = absolute

    def ranked(self, query: str) -> list[int]:
        return descending(self.scores(query))

    def scores(self, query: str) -> Floats:
        """Of each text, shape (pool,), from -1 to 1."""
        # Not by BLAS: its threads and those of the encoder's torch wait for each other's turns,
        # which costs more than the product.
        scores = np.einsum("ij,j->i", self._vectors, self._encoder.encode([query])[0])
        return np.asarray(scores, dtype=np.float64)


@lru_cache(maxsize=4)
def open_search(by: str, pool: tuple[str, ...]) -> Search:
    """A search over `pool`, kept while the same few pools are asked again.

    `by` is `bm25`, or the name or folder of a sentence encoder.
    """
    if by == "bm25":
        return Bm25Search.of(pool)
    encoder = open_encoder(by)
    return EncoderSearch(encoder, encoder.encode(pool))


def descending(scores: Floats, k: int | None = None) -> list[int]:
    """Positions by score, the highest first; equal ones in their order. The first k, where given:
    of a hundred thousand only those are sorted that can be among them."""
    if k is None or k >= len(scores):
        return [int(i) for i in np.argsort(-scores, kind="stable")]
    least = np.partition(scores, len(scores) - k)[len(scores) - k]
    among = np.flatnonzero(scores >= least)
    return [int(i) for i in among[np.argsort(-scores[among], kind="stable")][:k]]
