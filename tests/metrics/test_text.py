"""Exact match, token F1 and number, counted by hand; GSM8K's own verdicts on four systems."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepladder.errors import MetricError
from stepladder.metrics import build_metrics
from stepladder.metrics.numerals import last_number
from stepladder.metrics.text import ExactMatch, Number, TokenF1
from stepladder.metrics.words import answer_words, same_form, words


@pytest.mark.parametrize(
    ("answer", "reference", "same"),
    [
        (" The\n  answer. ", "the answer", True),
        ("STRASSE", "straße", True),
        ("caf\u00e9", "cafe\u0301", True),
        ("yes!?", "Yes", True),
        ("是。", "是", True),
        ("U.S.", "US", False),
        ("the answer", "answer", False),
        ("", "...", False),
        ("?", "?", True),
        ("?", "!", False),
    ],
)
def test_exact_match_after_normalisation(answer: str, reference: str, same: bool) -> None:
    assert ExactMatch().statistics([answer], [["something else", reference]])[0, 0] == same


def test_exact_match_can_keep_case_and_punctuation() -> None:
    assert ExactMatch(case=True).statistics(["a", "A."], [["A"], ["A"]])[:, 0].tolist() == [0, 1]
    strict = ExactMatch(punctuation=True)
    assert strict.statistics(["a", "A."], [["A"], ["A"]])[:, 0].tolist() == [1, 0]
    assert strict.signature == (
        "exact_match|unicode:NFC|space:collapsed|case:folded|final:kept|references:any|"
        "scale:0-1|version:1"
    )


@given(st.text())
def test_forms_are_stable(text: str) -> None:
    assert same_form(f"  {text}\n") == same_form(text)
    assert words(text) == words(text.strip())


@pytest.mark.parametrize(
    ("answer", "reference", "f", "precision", "recall"),
    [
        ("the U.S. army", "US Army", 1, 1, 1),
        ("a cat and a dog", "dog, cat", 4 / 5, 2 / 3, 1),
        ("dog dog", "dog", 2 / 3, 1 / 2, 1),
        ("$5 an hour", "5", 2 / 3, 1 / 2, 1),
        ("Det är får", "Är det får?", 1, 1, 1),
        ("för", "får", 0, 0, 0),
        ("北京市", "北京", 4 / 5, 2 / 3, 1),
        ("", "an answer", 0, 0, 0),
        ("", "The", 0, 0, 0),
        ("the", "The", 1, 1, 1),
    ],
)
def test_token_f1(answer: str, reference: str, f: float, precision: float, recall: float) -> None:
    row = TokenF1().statistics([answer], [[reference]])[0]
    assert row == pytest.approx([f, precision, recall])


def test_token_f1_of_several_references() -> None:
    accepted = [["red dog", "red cat sleeps", "bird"]]
    assert TokenF1().statistics(["red cat"], accepted)[0] == pytest.approx([4 / 5, 1, 2 / 3])
    mean = TokenF1(references="mean").statistics(["red cat"], accepted)[0]
    assert mean[0] == pytest.approx((1 / 2 + 4 / 5 + 0) / 3)
    assert answer_words("The cat", articles=True) == ["the", "cat"]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("He has 3 apples and eats 2.", 2),
        ("#### 18", 18),
        ("#### -1,234,567.5", -1234567.5),
        ("costs $1,234.50.", 1234.5),
        ("-$7", -7),
        ("$-7", -7),
        ("US$ 7", 7),
        ("minus \u22127", -7),
        ("x = -.5", -0.5),
        ("10-12", 12),
        ("3 - 5", 5),
        ("(3)-5", 5),
        ("3 -5", -5),
        ("about 18%", 18),
        ("5km", 5),
        ("H2O", None),
        ("Room A12", None),
        ("1.2e6 people", 1.2e6),
        ("1e999", None),
        ("4 of 1e999", 4),
        ("12:30", 30),
        ("1, 2,3", 3),
        ("**42**", 42),
        ("\\boxed{42}", 42),
        ("<<48/2=24>>24 clips", 24),
        ("v. 3.1.4", 4),
        ("three", None),
        ("", None),
        ("٣٫", 3),
    ],
)
def test_last_number(text: str, number: float | None) -> None:
    assert last_number(text) == number


@pytest.mark.parametrize(
    ("text", "number"),
    [("3/4", 0.75), ("-1 1/2 cups", -1.5), ("2 / 3 of 9", 9), ("5/0", 0), ("1/2/2020", 2020)],
)
def test_fractions(text: str, number: float) -> None:
    assert last_number(text, fractions=True) == number
    assert Number(fractions=True).statistics(["0.75"], [["3/4"]])[0, 0] == 1
    assert Number().statistics(["0.75"], [["3/4"]])[0, 0] == 0


@given(
    st.floats(allow_nan=False, allow_infinity=False, width=32), st.sampled_from(["", " km", "."])
)
def test_reads_back_any_number(value: float, behind: str) -> None:
    assert last_number(f"It is 4, no, {value:,.3f}{behind}") == float(f"{value:.3f}")


def test_tolerances() -> None:
    def right(metric: Number, answer: str, reference: str) -> bool:
        return bool(metric.statistics([answer], [[reference]])[0, 0])

    assert right(Number(), "1000000.5", "1,000,000")
    assert not right(Number(), "1000002", "1,000,000")
    assert not right(Number(), "0.0000001", "0")
    assert right(Number(), "-0", "0.00")
    assert right(Number(absolute=0.01), "3.14", "3.15")
    assert not right(Number(absolute=0.01), "3.14", "3.16")
    assert right(Number(relative=0.05), "96", "100") and not right(
        Number(relative=0.05), "94", "100"
    )
    for setting in ("relative=-1", "absolute=nan", "relative=inf"):
        with pytest.raises(MetricError, match=setting.partition("=")[0]):
            build_metrics([f"number({setting})"], None, [["1"]])


def test_number_counts_answers_without_one_and_takes_any_reference() -> None:
    number = Number()
    rows = number.statistics(["it is 5", "none", "6"], [["4", "5"], ["4"], ["4"]])
    assert rows.tolist() == [[1, 1], [0, 0], [0, 1]]
    assert number.details(rows) == {"with a number": pytest.approx(2 / 3)}


def test_a_reference_without_a_number_does_not_fit() -> None:
    with pytest.raises(MetricError, match=r"example 2 holds none \('seven'\)"):
        build_metrics(["number"], None, [["1"], ["seven"]])


@pytest.mark.parametrize(
    ("system", "published"),
    [
        ("6b_finetuning", 21.68),
        ("6b_verification", 39.04),
        ("175b_finetuning", 34.72),
        ("175b_verification", 56.25),
    ],
)
def test_gsm8k_systems(system: str, published: float, shared_data: Path) -> None:
    file = shared_data / "gsm8k" / "example_model_solutions.jsonl"
    lines = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    number = Number()
    rows = number.statistics(
        [line[system]["solution"] for line in lines], [[line["ground_truth"]] for line in lines]
    )
    assert round(100 * (number.aggregate(rows) or 0), 2) == published
    # Not only as many, but the same ones as the stored verdicts.
    assert np.array_equal(rows[:, 0], [line[system]["is_correct"] for line in lines])
