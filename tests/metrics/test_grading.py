"""Building metrics for a task, and scoring outputs by id."""

from __future__ import annotations

import numpy as np
import pytest

from stepladder import registry
from stepladder.errors import MetricError
from stepladder.metrics import build_metrics, grade, score
from stepladder.metrics.sacre import Bleu
from stepladder.records import Example

EXAMPLES = [Example(str(i), f"question {i}", (f"the answer {i}",)) for i in range(8)]
REFERENCES = [example.references for example in EXAMPLES]


def test_builds_in_order_with_settings() -> None:
    metrics = build_metrics(["rougeL(stem=no)", "bleu", "rougeL"], None, REFERENCES)
    assert [m.name for m in metrics] == ["rougeL(stem=False)", "bleu", "rougeL"]
    assert "|nrefs:1|" in metrics[1].signature
    varied = build_metrics(["bleu"], None, [["a"], ["a", "b"]])
    assert "|nrefs:var|" in varied[0].signature
    assert "nrefs" not in build_metrics(["bleu"], None, [])[0].signature


def test_what_the_caller_fills_in_is_no_setting() -> None:
    assert registry.build("metrics", "bleu(intl)") == Bleu(tokenize="intl")
    with pytest.raises(MetricError, match="unknown setting 'nrefs'"):
        registry.build("metrics", "bleu(nrefs=2)")


@pytest.mark.parametrize(
    ("specs", "message"),
    [
        ([], "no metric is named"),
        (["rougel"], "did you mean 'rougeL'"),
        (["rougeL", "rougeL(stem=yes)"], "'rougeL' is named twice"),
        (["rougeL(stemming=no)"], "unknown setting 'stemming'; did you mean 'stem'"),
        (["rougeL(references=worst)"], "'worst' is not one of best, mean"),
        (["bleu(nrefs=2)"], "unknown setting 'nrefs'"),
        (["accuracy(labels=a)"], "unknown setting 'labels'"),
        (["rougeL(stem=no"], "cannot read"),
    ],
)
def test_refuses(specs: list[str], message: str) -> None:
    with pytest.raises(MetricError, match=message.replace("(", r"\(")):
        build_metrics(specs, None, REFERENCES)


def test_scores_by_id_whatever_the_order() -> None:
    outputs = {e.id: e.references[0] for e in reversed(EXAMPLES)}
    graded = grade(EXAMPLES, outputs, build_metrics(["exact_match"], None, REFERENCES))
    found = graded.scores["exact_match"]
    eight_of_eight = pytest.approx(0.025 ** (1 / 8))  # Clopper and Pearson
    assert (found.value, found.low, found.high, found.n) == (1, eight_of_eight, 1, 8)
    assert graded.missing == graded.unknown == ()


def test_missing_outputs_count_as_empty_and_unknown_ones_not_at_all() -> None:
    outputs = {"0": "the answer 0", "2": "The answer 2.", "x": "the answer 1", "9": ""}
    graded = grade(EXAMPLES, outputs, build_metrics(["exact_match"], None, REFERENCES))
    assert graded.scores["exact_match"].value == 2 / 8
    assert graded.missing == ("1", "3", "4", "5", "6", "7")
    assert graded.unknown == ("x", "9")


@pytest.mark.parametrize("outputs", [{}, {"a": "the answer 1"}])
def test_outputs_of_something_else_are_refused(outputs: dict[str, str]) -> None:
    with pytest.raises(MetricError, match="no output belongs to any of the 8 examples"):
        grade(EXAMPLES, outputs, build_metrics(["exact_match"], None, REFERENCES))


def test_intervals_widen_where_examples_come_in_groups() -> None:
    [exact] = build_metrics(["exact_match"], None, REFERENCES)
    rows = np.repeat([[1.0], [0.0], [1.0], [1.0], [0.0], [1.0], [0.0], [1.0]], 6, axis=0)
    alone = score(exact, rows)
    grouped = score(exact, rows, [f"g{i // 6}" for i in range(48)])
    assert alone.value == grouped.value == 5 / 8
    assert alone.low is not None and alone.high is not None
    assert grouped.low is not None and grouped.high is not None
    assert grouped.high - grouped.low > 1.5 * (alone.high - alone.low)
    examples = [Example(str(i), "q", ("yes",), f"g{i // 6}") for i in range(48)]
    outputs = {str(i): "yes" if row[0] else "no" for i, row in enumerate(rows)}
    found = grade(examples, outputs, [exact]).scores["exact_match"]
    assert (found.low, found.high) == (grouped.low, grouped.high)


def test_a_seed_gives_the_same_interval_and_one_row_gives_none() -> None:
    [rouge] = build_metrics(["rouge1"], None, REFERENCES)
    rows = rouge.statistics(["the answer", "no", "an 2", "", "4", "5", "", ""], REFERENCES)
    assert score(rouge, rows, seed=3) == score(rouge, rows, seed=3)
    single = score(rouge, rows[:1])
    assert single.value is not None and single.low is None and single.high is None


def test_precision_and_recall_are_kept() -> None:
    [rouge] = build_metrics(["rouge1"], None, REFERENCES)
    answers = ["the answer 0 and more words"] + ["the"] * 7
    found = score(rouge, rouge.statistics(answers, REFERENCES))
    assert found.details["precision"] == pytest.approx((0.5 + 7) / 8)
    assert found.details["recall"] == pytest.approx((1 + 7 / 3) / 8)
