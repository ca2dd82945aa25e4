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
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stepladder.errors import MissingExtraError
from stepladder.retrieval.words import WordCounts, count_words, number_of, words_of

DIMENSIONS = 200
"""At most; fewer where there are fewer passages or words."""
_AT_ONCE = 128
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
    def _columns(self) -> tuple[NDArray[np.uint64], NDArray[np.intp]]:
        """The words' numbers, ascending, and their places; one number that no word has at the end,
        so that there is always one to compare with."""
        numbers = np.array([number_of(word) for word in self.words], np.uint64)
        order = np.argsort(numbers)
        return np.append(numbers[order], np.uint64(0)), np.append(order, 0)

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of length 0 to 1, shape (texts, dimensions); zeros for a text without a known
        word."""
        return self.vectors(count_words(texts))

    def vectors(self, counts: WordCounts) -> NDArray[np.float32]:
        """Of passages whose words are counted. Words that are not known count as rare ones do."""
        texts = len(counts.lengths)
        rows = np.zeros((texts, self.directions.shape[1]), np.float32)
        if not self.words:
            return rows
        numbers, places = self._columns
        at = np.searchsorted(numbers[:-1], counts.words)
        known = (numbers[at] == counts.words) & (at < len(self.words))
        column = places[at]
        weights = np.full(len(at), self.weights.max(), np.float32)
        weights[known] = self.weights[column[known]]
        words, passages, times = counts.occurrences()
        weighed = (1 + np.log(times)) * weights[words]
        whole = np.sqrt(np.bincount(passages, weighed**2, minlength=texts))
        said = weighed / whole[passages]
        order = np.argsort(passages[known[words]], kind="stable")
        words, passages, said = (each[known[words]][order] for each in (words, passages, said))
        for start in range(0, texts, _AT_ONCE):
            here = slice(*np.searchsorted(passages, [start, start + _AT_ONCE]))
            used, within = np.unique(words[here], return_inverse=True)
            block = rows[start : start + _AT_ONCE]
            weighted = np.zeros((len(block), len(used)), np.float32)
            weighted[passages[here] - start, within] = said[here]
            block[:] = weighted @ self.directions[column[used]]
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
