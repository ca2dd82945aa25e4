"""Vectors without an encoder: latent semantic analysis of the passages themselves.

    lsa = Lsa.fit(("the red lamp", "a blue coat"))
    lsa.encode(["where is the lamp?"])        # shape (1, dimensions), unit vectors

Deerwester et al., "Indexing by Latent Semantic Analysis" (JASIS 1990): words weighted by tf-idf,
and the directions of the largest singular values. Words that stand together are near to each other,
which is all that it knows of meaning. scikit-learn finds the directions; what is kept are arrays.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from stepladder.errors import MissingExtraError
from stepladder.records import content_hash
from stepladder.retrieval.words import words_of

DIMENSIONS = 200
"""At most; fewer where there are fewer passages or words."""
FITTED = 10_000
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
    ARRAYS: ClassVar[str] = "lsa.npz"

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
            return cls(words, weights, np.ones((len(words), 1), np.float32))
        svd = TruncatedSVD(most, algorithm="arpack", random_state=0).fit(matrix)
        return cls(words, weights, svd.components_.T.astype(np.float32))

    @property
    def identity(self) -> str:
        digest = hashlib.sha256(self.weights.tobytes() + self.directions.tobytes())
        return content_hash(["lsa", self.words, digest.hexdigest()])

    @cached_property
    def _place(self) -> dict[str, int]:
        return {word: at for at, word in enumerate(self.words)}

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors, shape (texts, dimensions); zeros for a text without a known word."""
        place = self._place
        rows = np.zeros((len(texts), self.directions.shape[1]), np.float32)
        for row, text in zip(rows, texts, strict=True):
            counts = Counter(place[word] for word in words_of(text) if word in place)
            at = np.array(sorted(counts), dtype=np.intp)
            if len(at):
                frequencies = np.array([counts[int(i)] for i in at], np.float32)
                weighted = (1 + np.log(frequencies)) * self.weights[at]
                row[:] = weighted @ self.directions[at]
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        return np.asarray(rows / np.where(lengths > 0, lengths, 1), dtype=np.float32)

    def save(self, folder: Path) -> None:
        (folder / "words.json").write_text(json.dumps(self.words), encoding="utf-8")
        np.savez(folder / self.ARRAYS, weights=self.weights, directions=self.directions)

    @classmethod
    def load(cls, folder: Path) -> Lsa:
        words = json.loads((folder / "words.json").read_text(encoding="utf-8"))
        with np.load(folder / cls.ARRAYS, allow_pickle=False) as arrays:
            return cls(tuple(words), arrays["weights"], arrays["directions"])
