"""Accuracy and macro-F1, scikit-learn's own run beside them."""

from __future__ import annotations

import numpy as np
import pytest

from stepladder.errors import MetricError
from stepladder.metrics import build_metrics
from stepladder.metrics.labels import Accuracy, MacroF1

LABELS = ("positive", "negative", "neutral", "never seen")


def draw(seed: int, choices: tuple[str, ...]) -> tuple[list[str], list[str]]:
    rng = np.random.default_rng(seed)
    true = rng.choice(choices[:3], size=60, p=[0.7, 0.2, 0.1]).tolist()
    given = [t if rng.random() < 0.6 else str(rng.choice(choices)) for t in true]
    return given, true


@pytest.mark.parametrize("seed", range(4))
def test_equals_scikit_learn(seed: int) -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="comes with the extra 'hf'")
    given, true = draw(seed, LABELS[:3])
    accepted = [[label] for label in true]
    ours = MacroF1(labels=LABELS)
    rows = ours.statistics(given, accepted)
    assert ours.aggregate(rows) == pytest.approx(metrics.f1_score(true, given, average="macro"))
    each = metrics.f1_score(true, given, average=None, labels=list(LABELS[:3]))
    assert list(ours.details(rows).values()) == pytest.approx(each.tolist())
    accuracy = Accuracy(labels=LABELS)
    expected = metrics.accuracy_score(true, given)
    assert accuracy.aggregate(accuracy.statistics(given, accepted)) == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(4))
def test_what_is_no_label_misses_the_true_one_and_counts_for_none(seed: int) -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="comes with the extra 'hf'")
    given, true = draw(seed, (*LABELS[:3], "", "no idea"))
    ours = MacroF1(labels=LABELS)
    expected = metrics.f1_score(true, given, average="macro", labels=list(LABELS[:3]))
    rows = ours.statistics(given, [[label] for label in true])
    assert ours.aggregate(rows) == pytest.approx(expected)


def test_statistics_are_hits_false_alarms_and_misses_of_each_label() -> None:
    rows = MacroF1(labels=("a", "b")).statistics(
        ["A.", "b", "", "b"], [["a"], ["a"], ["b"], ["a", "b"]]
    )
    assert rows.tolist() == [
        [1, 0, 0, 0, 0, 0],
        [0, 0, 1, 0, 1, 0],
        [0, 0, 0, 0, 0, 1],
        [0, 0, 0, 1, 0, 0],
    ]


def test_accuracy_tells_how_many_answers_are_labels() -> None:
    accuracy = Accuracy(labels=LABELS)
    rows = accuracy.statistics(
        [" Positive.", "negative", "perhaps", ""], [["positive"], ["neutral", "negative"]] * 2
    )
    assert rows[:, 0].tolist() == [1, 1, 0, 0]
    assert accuracy.details(rows) == {"a label": 0.5}


@pytest.mark.parametrize("name", ["accuracy", "macro_f1"])
def test_what_does_not_fit(name: str) -> None:
    with pytest.raises(MetricError, match="the task has no labels.*exact_match"):
        build_metrics([name], None, [["positive"]])
    with pytest.raises(MetricError, match="the task has no labels"):
        build_metrics([name], (), [["positive"]])
    with pytest.raises(MetricError, match="example 2 is 'good', not one of positive, negative"):
        build_metrics([name], LABELS, [["positive"], ["good"]])
    with pytest.raises(MetricError, match=r"two of the labels are the same.*\(Yes, yes\.\)"):
        build_metrics([name], ("Yes", "yes."), [["yes"]])
