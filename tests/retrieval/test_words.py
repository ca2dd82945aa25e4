"""Words counted by document and merged weigh what bm25s gives them over all documents at once."""

from __future__ import annotations

from pathlib import Path

import bm25s
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepladder.retrieval.nearest import Bm25Search, descending
from stepladder.retrieval.words import WordCounts, count_words, merged, words_of

TEXTS = st.lists(
    st.lists(st.sampled_from("the red lamp Lamp blue coat 7 år".split()), max_size=9).map(" ".join),
    max_size=5,
)


@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_it_is_the_matrix_that_bm25s_would_make(documents: list[list[str]]) -> None:
    texts = [text for document in documents for text in document]
    search = Bm25Search(merged([count_words(document) for document in documents]))
    if not any(words_of(text) for text in texts):
        assert search.scores("lamp").tolist() == [0] * len(texts)
        return
    plain = bm25s.BM25()
    plain.index([words_of(text) for text in texts], show_progress=False)
    for query in ("lamp", "the red red år", "7 coat"):
        words = [word for word in words_of(query) if word in plain.vocab_dict]
        expected = plain.get_scores(words) if words else np.zeros(len(texts))
        assert search.scores(query).astype(np.float32).tolist() == expected.tolist()


def test_words_that_no_passage_has_count_nothing() -> None:
    search = Bm25Search.of(["the red lamp", "a blue coat"])
    assert search.scores("zebra red").tolist() == search.scores("red").tolist()
    assert search.scores("zebra").tolist() == [0, 0]


def test_counts_are_kept_as_they_are(tmp_path: Path) -> None:
    counts = count_words(["the red lamp, the lamp", "", "a blue lamp"])
    counts.save(tmp_path / "counts.npy")
    found = WordCounts.load(tmp_path / "counts.npy")
    assert all(np.array_equal(*pair) for pair in zip(counts, found, strict=True))
    np.save(tmp_path / "counts.npy", np.load(tmp_path / "counts.npy")[:-1])
    with pytest.raises(ValueError, match="not whole"):
        WordCounts.load(tmp_path / "counts.npy")


@given(st.lists(st.integers(0, 4), max_size=30), st.integers(1, 12))
def test_the_first_k_are_those_of_the_whole_order(scores: list[int], k: int) -> None:
    values = np.array(scores, np.float64)
    assert descending(values, k) == descending(values)[:k]
