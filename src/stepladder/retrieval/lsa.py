"""Vectors without an encoder: latent semantic analysis of the passages themselves.

    lsa = Lsa.fit(("the red lamp", "a blue coat"))
    lsa.encode(["where is the lamp?"])        # shape (1, dimensions)

Deerwester et al., "Indexing by Latent Semantic Analysis" (JASIS 1990): words weighted by tf-idf,
and the directions of the largest singular values. Words that stand together are near to each other,
which is all that it knows of meaning. scikit-learn finds the directions; what is kept are arrays.

A text's vector is as long as the part of it that the directions hold, 1 where they hold all. So a
score is the cosine between a query and what the directions know of a passage: high where 200 of
them are enough for the passages at hand, and low, whatever they are, where they are not. Brought
to length 1, as is usual, the little that they know of a passage in a large collection would count
as much as all that is known of one in a small ([the log](../../../docs/log.md), 2026-11-25).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stepladder.errors import MissingExtraError
from stepladder.retrieval.words import words_of

DIMENSIONS = 200
"""At most; fewer where there are fewer passages or words."""
_WORDS, _ARRAYS = "words.json", "lsa.npz"
FITTED = 5_000
"""Passages that the directions of an index rest on, at most. Of more documents some are taken,
by the hash of their names: a change in another one leaves the directions, and all vectors but its
own, as they are."""


@dataclass(frozen=True)
class Lsa:
    """Implements `nearest.Encodes`."""

    words: tuple[str, ...]
    weights: NDArray[np.float32]
    """Inverse document frequencies, shape (words,)."""
    directions: NDArray[np.float32]
    """Shape (words, dimensions)."""

    @classmethod
    def fit(cls, texts: Sequence[str], dimensions: int = DIMENSIONS) -> Lsa:
        """Raises MissingExtraError without scikit-learn."""
        try:
            from sklearn.decomposition import TruncatedSVD
            from sklearn.feature_extraction.text import TfidfVectorizer
        except ModuleNotFoundError as error:
            raise MissingExtraError(
                "docs", "finding evidence by LSA (unlike by=bm25 or an encoder)"
            ) from error
        if not any(words_of(text) for text in texts):
            return cls((), np.zeros(0, np.float32), np.zeros((0, 1), np.float32))
        tfidf = TfidfVectorizer(analyzer=words_of, sublinear_tf=True)
        matrix = tfidf.fit_transform(texts)
        most = min(dimensions, *(size - 1 for size in matrix.shape))
        words = tuple(str(word) for word in tfidf.get_feature_names_out())
        weights = tfidf.idf_.astype(np.float32)
        if most < 1:  # one passage, or one word: nothing to tell apart
            return cls(words, weights, matrix[:1].toarray().T.astype(np.float32))
        svd = TruncatedSVD(most, algorithm="arpack", random_state=0).fit(matrix)
        return cls(words, weights, svd.components_.T.astype(np.float32))

    @cached_property
    def _place(self) -> dict[str, int]:
        return {word: at for at, word in enumerate(self.words)}

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of length 0 to 1, shape (texts, dimensions); zeros for a text without a known
        word. Words that are not known count as rare ones do."""
        place, rare = self._place, self.weights.max(initial=0)
        rows = np.zeros((len(texts), self.directions.shape[1]), np.float32)
        for row, text in zip(rows, texts, strict=True):
            counts = Counter(words_of(text))
            known = sorted((place[word], n) for word, n in counts.items() if word in place)
            if not known:
                continue
            unknown = np.array([n for word, n in counts.items() if word not in place], np.float32)
            at, frequencies = np.array(known, np.intp).T
            weighted = (1 + np.log(frequencies.astype(np.float32))) * self.weights[at]
            beside = (1 + np.log(unknown)) * rare
            whole = np.sqrt((weighted**2).sum() + (beside**2).sum())
            row[:] = weighted / whole @ self.directions[at]
        return rows

    def save(self, folder: Path) -> None:
        (folder / _WORDS).write_text(json.dumps(self.words), encoding="utf-8")
        np.savez(folder / _ARRAYS, weights=self.weights, directions=self.directions)

    @staticmethod
    def is_in(folder: Path) -> bool:
        """Whether one was saved there."""
        return (folder / _ARRAYS).is_file()

    @classmethod
    def load(cls, folder: Path) -> Lsa:
        words = json.loads((folder / _WORDS).read_text(encoding="utf-8"))
        with np.load(folder / _ARRAYS, allow_pickle=False) as arrays:
            return cls(tuple(words), arrays["weights"], arrays["directions"])
