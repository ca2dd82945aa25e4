"""An index of passages: BM25 and vectors, each exact, merged.

    index = HybridIndex(passages, Bm25Search.of(texts), EncoderSearch(lsa, lsa.encode(texts)))
    index.search("where is the warm axe?", k=3)[0].passage.place

What is behind `Index` may be exchanged: nothing else is relied on.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple, Protocol

import numpy as np

from stepladder.contracts import Floats
from stepladder.retrieval.chunks import Passage
from stepladder.retrieval.nearest import Bm25Search, EncoderSearch, descending

Merge = Literal["rank", "score"]
"""`rank`: reciprocal rank fusion. `score`: the mean of both scores, each brought to 0 to 1 between
the lowest and the highest of the query; but for LSA's, which are on a scale of their own."""

RANK_CONSTANT = 60
"""Of Cormack, Clarke and Büttcher, "Reciprocal Rank Fusion" (SIGIR 2009), section 2."""
_REMEMBERED = 100_000


class Hit(NamedTuple):
    """A passage that was found."""

    at: int
    """Its position in the index."""
    passage: Passage
    score: float
    """Comparable within one search alone."""


class Index(Protocol):
    """What finds passages."""

    @property
    def passages(self) -> Sequence[Passage]: ...

    def search(self, query: str, k: int) -> list[Hit]:
        """The k passages nearest to the query, the nearest first; fewer where there are fewer, and
        none where none has anything of it. Equal ones keep the order of the passages."""
        ...

    def took(self, query: str, k: int) -> float:
        """Seconds that this search took when it was made."""
        ...


@dataclass(frozen=True)
class HybridIndex:
    """Implements `Index` by scoring every passage."""

    passages: Sequence[Passage]
    words: Bm25Search
    vectors: EncoderSearch | None
    """None: by words alone."""
    merge: Merge = "rank"

    def __post_init__(self) -> None:
        # A prompt is rendered several times (to count, to fit, to ask) and asks the same each time.
        object.__setattr__(self, "_found", lru_cache(_REMEMBERED)(self._search))

    def search(self, query: str, k: int) -> list[Hit]:
        hits, _ = self.__dict__["_found"](query, k)
        return list(hits)

    def took(self, query: str, k: int) -> float:
        _, seconds = self.__dict__["_found"](query, k)
        return float(seconds)

    def _search(self, query: str, k: int) -> tuple[list[Hit], float]:
        begun = time.perf_counter()
        scores = self.words.scores(query)
        if self.vectors is not None:
            others = self.vectors.scores(query)
            if self.merge == "rank":
                scores = _by_rank(scores, others)
            else:
                others = others if self.vectors.absolute else _spread(others)
                scores = (_spread(scores) + others) / 2
        best = descending(scores, k) if scores.any() else []
        hits = [Hit(at, self.passages[at], float(scores[at])) for at in best]
        return hits, time.perf_counter() - begun


def _by_rank(*lists: Floats) -> Floats:
    """Reciprocal ranks, summed; a passage without any score in a list has no rank in it."""
    total = np.zeros(len(lists[0]))
    for scores in lists:
        places = np.empty(len(scores))
        places[np.argsort(-scores, kind="stable")] = np.arange(1, len(scores) + 1)
        total += np.where(scores > 0, 1 / (RANK_CONSTANT + places), 0)
    return total


def _spread(scores: Floats) -> Floats:
    """Brought to 0 to 1, between the lowest and the highest, and 0."""
    low, high = scores.min(initial=0.0), scores.max(initial=0.0)
    spread: Floats = (scores - low) / (high - low or 1.0)
    return spread
