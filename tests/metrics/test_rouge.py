"""rouge-score run beside ours, figures published for DialogSum, and other languages."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from rouge_score.rouge_scorer import RougeScorer

from stepladder.metrics import build_metrics, warnings
from stepladder.metrics.rouge import Rouge1, Rouge2, RougeL, RougeLsum

KINDS = [Rouge1, Rouge2, RougeL, RougeLsum]
ANSWERS = [
    "The quick brown dog jumps on the log.",
    "He was running late\nand missed his flights to Paris.",
    "",
    "Nothing in common whatsoever",
    "Café owners' children's toys, 3 of them",
]
REFERENCES = [
    ["The quick brown fox jumps over the lazy dog"],
    ["He ran late\nand missed the flight.", "He missed his flight to Paris\nas he was late."],
    ["An answer was expected.", "Something"],
    ["Different words entirely"],
    ["The toys of the child of the cafe owner", "3 toys", "Café"],
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stem", [True, False])
def test_best_reference_is_the_librarys_score_multi(kind: type[Rouge1], stem: bool) -> None:
    theirs = RougeScorer([kind.base], use_stemmer=stem)
    rows = kind(stem=stem).statistics(ANSWERS, REFERENCES)
    for row, answer, accepted in zip(rows, ANSWERS, REFERENCES, strict=True):
        expected = theirs.score_multi(accepted, answer)[kind.base]
        assert row.tolist() == [expected.fmeasure, expected.precision, expected.recall]


@pytest.mark.parametrize("kind", KINDS)
def test_mean_is_over_the_references_of_each_example(kind: type[Rouge1]) -> None:
    theirs = RougeScorer([kind.base], use_stemmer=True)
    rows = kind(references="mean").statistics(ANSWERS, REFERENCES)
    for row, answer, accepted in zip(rows, ANSWERS, REFERENCES, strict=True):
        scores = [theirs.score(reference, answer)[kind.base] for reference in accepted]
        expected = [(s.fmeasure, s.precision, s.recall) for s in scores]
        assert row == pytest.approx(np.mean(expected, axis=0))


def test_counted_by_hand() -> None:
    # Six of eight words are among the reference's nine; five stand in its order.
    unigram = Rouge1().statistics(ANSWERS[:1], REFERENCES[:1])[0]
    subsequence = RougeL().statistics(ANSWERS[:1], REFERENCES[:1])[0]
    assert unigram == pytest.approx([12 / 17, 6 / 8, 6 / 9])
    assert subsequence == pytest.approx([10 / 17, 5 / 8, 5 / 9])
    rouge = Rouge1()
    assert rouge.details(np.array([unigram])) == pytest.approx(
        {"precision": 6 / 8, "recall": 6 / 9}
    )


def test_signature() -> None:
    assert RougeL().signature == (
        "rougeL|F|stem:yes|tokens:a-z0-9|references:best|scale:0-1|rouge-score:0.1.2"
    )
    metric = build_metrics(["rougeLsum(stem=false, references=mean, letters=all)"], None, [])[0]
    assert metric.signature == (
        "rougeLsum|F|sentences:lines|stem:no|tokens:all|references:mean|scale:0-1|rouge-score:0.1.2"
    )


def test_the_same_words_in_english_with_all_letters() -> None:
    english = [a for a in ANSWERS if a.isascii()]
    references = [r for a, r in zip(ANSWERS, REFERENCES, strict=True) if a.isascii()]
    for kind in KINDS:
        own = kind().statistics(english, references)
        assert np.array_equal(kind(letters="all").statistics(english, references), own)


@pytest.mark.parametrize(
    ("answer", "reference", "own", "all_letters"),
    [
        ("Кошка спит на диване", "Кошка спит на диване", 0.0, 1.0),
        ("猫在垫子上", "猫在沙发上", 0.0, 3 / 5),
        # "får" and "för" are one token "f" and one "r" for the library, so all is in common.
        ("får", "för", 1.0, 0.0),
        ("बिल्ली सो रही है", "बिल्ली खा रही है", 0.0, 3 / 4),
        ("caf\u00e9", "cafe\u0301", 0.0, 1.0),
    ],
)
def test_letters_of_every_language(
    answer: str, reference: str, own: float, all_letters: float
) -> None:
    theirs = RougeScorer(["rouge1"]).score(reference, answer)["rouge1"].fmeasure
    assert Rouge1(stem=False).statistics([answer], [[reference]])[0, 0] == theirs
    assert theirs == pytest.approx(own)
    kept = Rouge1(stem=False, letters="all").statistics([answer], [[reference]])[0, 0]
    assert kept == pytest.approx(all_letters)


def test_warns_where_letters_are_lost_and_only_there() -> None:
    swedish = [["Får får får?", "Nej, inte får får får, får får lamm."]]
    [line] = warnings(RougeL(), swedish)
    assert "letters=all" in line
    share = 8 / sum(c.isalpha() for text in swedish[0] for c in text)
    assert f"{share:.1%}" in line
    assert warnings(RougeL(letters="all"), swedish) == []
    assert warnings(RougeL(), [["Plain English, as in 1999."]]) == []
    assert warnings(RougeL(), [["An Élan of one letter. " + "word " * 400]]) == []
    assert warnings(RougeL(), [["12345"]]) == []
    assert warnings(build_metrics(["exact_match"], None, swedish)[0], swedish) == []


@pytest.fixture(scope="module")
def dialogsum(shared_data: Path) -> list[list[str]]:
    """Three people's summaries of each of 500 dialogues."""
    lines = (shared_data / "dialogsum" / "dialogsum.test.jsonl").read_text("utf-8").splitlines()
    return [[json.loads(line)[f"summary{i}"] for i in (1, 2, 3)] for line in lines]


@pytest.mark.parametrize(("kind", "published"), [(Rouge1, 45.91), (Rouge2, 21.32), (RougeL, 38.71)])
def test_bart_on_dialogsum(
    kind: type[Rouge1], published: float, dialogsum: list[list[str]], shared_data: Path
) -> None:
    # The stored outputs of a BART-large against the first reference (README of the data).
    file = shared_data / "dialogsum" / "baseline_bart_test_output.txt"
    answers = file.read_text("utf-8").splitlines()
    rows = kind().statistics(answers, [accepted[:1] for accepted in dialogsum])
    assert round(100 * (kind().aggregate(rows) or 0), 2) == published


@pytest.mark.parametrize(("kind", "published"), [(Rouge1, 53.37), (Rouge2, 26.73), (RougeL, 44.99)])
def test_people_on_dialogsum(
    kind: type[Rouge1], published: float, dialogsum: list[list[str]]
) -> None:
    # Published with DialogSum (Chen et al. 2021): the mean over all ordered pairs of people.
    metric = kind(references="mean")
    values = []
    for who in range(3):
        others = [accepted[:who] + accepted[who + 1 :] for accepted in dialogsum]
        answers = [accepted[who] for accepted in dialogsum]
        values.append(metric.aggregate(metric.statistics(answers, others)) or 0)
    assert round(100 * float(np.mean(values)), 2) == published
