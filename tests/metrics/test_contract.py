"""What every metric promises, run over the registry: a new one inherits the suite."""

from __future__ import annotations

import dataclasses
import json
from typing import Any, Literal, get_args, get_origin, get_type_hints

import numpy as np
import pytest

from stepladder import registry
from stepladder.contracts import Metric
from stepladder.metrics import build_metrics, score

LABELS = ("positive", "negative", "neutral")
NAMES = sorted(registry.names("metrics"))
# Text with a number in each reference and of over four words, so that it fits the other metrics.
TEXTS = [
    ["The 3 old cats sat on the red mat.", "Three old cats were sitting on mat 3."],
    ["She sold 1,234.50 dollars of fresh duck eggs.", "Fresh eggs sold for $1,234.50 in all."],
    ["Nobody was at home before 7 that evening."],
    ["A train to Uppsala leaves every hour at 15.", "Trains to Uppsala leave hourly at 15."],
]
ANSWERS = ["The 3 old cats sat on a mat.", "Ägg såldes för 12 kr", "Nobody came home.", ""]


def references_for(metric: Metric) -> list[list[str]]:
    if hasattr(metric, "labels"):
        return [["positive"], ["negative"], ["neutral"], ["positive"]]
    return TEXTS


def answers_for(metric: Metric) -> list[str]:
    return ["Positive.", "neutral", "no label", ""] if hasattr(metric, "labels") else ANSWERS


def build(spec: str) -> Metric:
    labels = spec.partition("(")[0] in ("accuracy", "macro_f1")
    references = [["positive"]] if labels else TEXTS
    return build_metrics([spec], LABELS, references)[0]


@pytest.fixture(params=NAMES)
def metric(request: pytest.FixtureRequest) -> Metric:
    return build(request.param)


def settings_of(metric: Any) -> list[dataclasses.Field[Any]]:
    return [f for f in dataclasses.fields(metric) if not f.metadata.get("context")]


def other_values(metric: Any, field: dataclasses.Field[Any]) -> list[Any]:
    """Every other choice of a setting, or one other number."""
    hint = get_type_hints(type(metric))[field.name]
    value = getattr(metric, field.name)
    if hint is bool:
        return [not value]
    if get_origin(hint) is Literal:
        return [choice for choice in get_args(hint) if choice != value]
    return [value * 2 + 1]


def test_is_frozen_and_named_as_registered(metric: Any) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        metric.better = "lower"
    assert metric.name in NAMES
    assert metric.better in ("higher", "lower")
    assert metric.times in (1.0, 100.0)


def test_rows_are_examples_and_finite(metric: Metric) -> None:
    rows = metric.statistics(answers_for(metric), references_for(metric))
    assert rows.shape[0] == 4 and rows.ndim == 2 and rows.dtype == np.float64
    assert np.isfinite(rows).all()
    assert metric.statistics([], []).shape == (0, rows.shape[1])


def test_a_row_depends_on_its_example_alone(metric: Metric) -> None:
    answers, references = answers_for(metric), references_for(metric)
    rows = metric.statistics(answers, references)
    for i in range(4):
        alone = metric.statistics(answers[i : i + 1], references[i : i + 1])
        assert np.array_equal(alone[0], rows[i])


def test_answers_and_references_must_match_in_number(metric: Metric) -> None:
    with pytest.raises(ValueError):
        metric.statistics(answers_for(metric)[:3], references_for(metric))


def test_mean_measures_average_column_0(metric: Metric) -> None:
    rows = metric.statistics(answers_for(metric), references_for(metric))
    value = metric.aggregate(rows)
    assert value is not None
    if metric.mean:
        assert ((rows[:, 0] >= 0) & (rows[:, 0] <= 1)).all()
        assert value == pytest.approx(rows[:, 0].mean(), abs=1e-12)
        assert metric.aggregate(rows[:, :1]) == value


def test_order_and_repetition_do_not_matter(metric: Metric) -> None:
    rows = metric.statistics(answers_for(metric), references_for(metric))
    value = metric.aggregate(rows)
    assert metric.aggregate(rows[[2, 0, 3, 1]]) == pytest.approx(value, abs=1e-9)
    assert metric.aggregate(np.concatenate([rows, rows])) == pytest.approx(value, abs=1e-9)


def test_nothing_gives_none(metric: Metric) -> None:
    rows = metric.statistics(answers_for(metric), references_for(metric))
    assert metric.aggregate(rows[:0]) is None
    assert metric.details(rows[:0]) == {}
    assert score(metric, rows[:0]).value is None


@pytest.mark.parametrize("which", [0, -1])
def test_a_perfect_answer_is_best(metric: Metric, which: int) -> None:
    references = references_for(metric)
    rows = metric.statistics([accepted[which] for accepted in references], references)
    value = metric.aggregate(rows)
    assert value is not None
    best = 0.0 if metric.better == "lower" else 100.0
    assert value * metric.times == pytest.approx(best, abs=1e-6)


def test_empty_answers_are_legal_and_worth_nothing(metric: Metric) -> None:
    references = references_for(metric)
    rows = metric.statistics(["" for _ in references], references)
    value = metric.aggregate(rows)
    assert value is not None
    # An empty answer needs as many edits as the shortest reference has words, and is measured
    # against their mean: a little under 100.
    assert value == 0 if metric.better == "higher" else value > 90
    assert all(np.isfinite(part) for part in metric.details(rows).values())


def test_scoring_changes_no_signature(metric: Metric) -> None:
    before = metric.signature
    metric.statistics(answers_for(metric), references_for(metric))
    assert metric.signature == before == build(metric.name).signature
    assert f"scale:0-{'100' if metric.times == 1 else '1'}" in before


@pytest.mark.parametrize("name", NAMES)
def test_every_setting_is_in_the_signature_and_in_the_name(name: str) -> None:
    metric: Any = build(name)
    seen = {metric.signature}
    for field in settings_of(metric):
        for value in other_values(metric, field):
            changed = dataclasses.replace(metric, **{field.name: value})
            assert changed.signature not in seen, f"{field.name}={value} leaves no trace"
            seen.add(changed.signature)
            assert build(changed.name) == changed


def test_a_score_is_whole_and_fits_into_json(metric: Metric) -> None:
    rows = metric.statistics(answers_for(metric), references_for(metric))
    found = score(metric, rows)
    assert found.value is not None and found.low is not None and found.high is not None
    assert found.low <= found.value <= found.high
    assert found.n == 4 and found.better == metric.better and found.times == metric.times
    json.dumps(dataclasses.asdict(found), allow_nan=False)


def test_metrics_of_the_package_are_all_there() -> None:
    assert set(registry.BUILT_IN["metrics"]) <= set(NAMES)
    assert len(registry.BUILT_IN["metrics"]) >= 12
