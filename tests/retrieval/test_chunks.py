"""Passages: within their section, within their length, and exactly what stands in the document."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepladder.errors import KnowledgeError
from stepladder.retrieval.chunks import Cut, cut
from stepladder.retrieval.documents import Document, Section


def in_words(texts: Sequence[str]) -> list[int]:
    return [len(text.split()) for text in texts]


def one_section(text: str, heading: str = "") -> Document:
    return Document("a.txt", text, (Section(heading, 0, len(text)),))


SENTENCES = st.lists(
    st.lists(st.sampled_from("red lamp blue coat 7".split()), min_size=1, max_size=14), max_size=30
).map(lambda rows: "\n\n".join(f"{' '.join(row)}." for row in rows))


@given(SENTENCES, st.integers(8, 20), st.integers(0, 7))
def test_nothing_is_lost_and_nothing_is_too_long(text: str, size: int, overlap: int) -> None:
    passages = cut(one_section(text), Cut(size, overlap), in_words)
    covered: set[int] = set()
    for passage in passages:
        assert text[passage.start : passage.end] == passage.body
        assert len(passage.body.split()) <= size
        covered.update(range(passage.start, passage.end))
    assert all(text[at].isspace() for at in set(range(len(text))) - covered)
    assert [p.start for p in passages] == sorted({p.start for p in passages})


def test_the_next_passage_begins_with_the_end_of_the_last() -> None:
    text = "One two three. Four five six. Seven eight nine. Ten eleven twelve."
    passages = cut(one_section(text), Cut(size=9, overlap=3), in_words)
    assert [p.body for p in passages] == [
        "One two three. Four five six. Seven eight nine.",
        "Seven eight nine. Ten eleven twelve.",
    ]


def test_a_long_sentence_is_cut_at_a_space() -> None:
    text = " ".join(f"word{i}" for i in range(20))
    passages = cut(one_section(text), Cut(size=8, overlap=0), in_words)
    assert " ".join(p.body for p in passages) == text


def test_what_is_very_long_is_never_counted_in_one_piece() -> None:
    """A tokenizer makes an object for each token of what it is given."""
    given: list[int] = []

    def count(texts: Sequence[str]) -> list[int]:
        given.append(sum(map(len, texts)))
        return in_words(texts)

    for text in ("word " * 50_000, "word. " * 50_000):
        passages = cut(one_section(text), Cut(size=8, overlap=0), count)
        assert " ".join(p.body for p in passages) == text.strip()
    assert max(given) <= 4096 * len("word.")


def test_a_passage_stays_under_its_heading_and_shows_it() -> None:
    document = Document(
        "a.md", "It is red.\n\nIt is blue.", (Section("Lamp", 0, 10), Section("Why?", 12, 23))
    )
    assert [p.text for p in cut(document, Cut(), in_words)] == [
        "Lamp. It is red.",
        "Why? It is blue.",
    ]
    assert cut(document, Cut(), in_words)[1].place == "a.md # Why? [12:23]"


@pytest.mark.parametrize(
    ("size", "overlap", "told"),
    [(7, 0, "size is 7; give passages 8"), (8, 8, "overlap is 8"), (8, -1, "overlap is -1")],
)
def test_what_cannot_be_cut_is_refused(size: int, overlap: int, told: str) -> None:
    with pytest.raises(KnowledgeError, match=told):
        Cut(size, overlap)
