"""Grading: what answers count for that the machine owes."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from stepladder.records import Generation
from stepladder.study.climb import Climbed
from stepladder.study.evidence import Measured
from stepladder.study.grade import Grader
from stepladder.study.plan import PlannedRung
from stepladder.tasks import OutputsRung, Task

SAID = "the cat {} sat on the mat and slept"


def task(metric: str, references: list[Any], **settings: Any) -> Task:
    rows = [{"id": str(i), "x": f"item {i}", "y": y} for i, y in enumerate(references)]
    given = {"name": "t", "id": "id", "input": "x", "references": "y", "metrics": [metric]}
    return Task.from_rows({"test": rows}, **(given | settings))


def measured(asked: Task, answers: Mapping[str, str]) -> Measured:
    grader = Grader(asked, requests=1)
    found = {
        id: Generation(id, "", answer, answer, 1, 1, 1.0, "end") for id, answer in answers.items()
    }
    planned = PlannedRung("r", None, OutputsRung.at(Path("none.jsonl")))
    return grader.measure(Climbed(planned, found), len(grader.items))


def score(asked: Task, answers: Mapping[str, str]) -> float:
    """Of answers that are all there, more being better."""
    metric = Grader(asked, requests=1).deciding
    value = metric.aggregate(measured(asked, answers).statistics)
    assert value is not None
    return value if metric.better == "higher" else -value


def ends(asked: Task, answers: Mapping[str, str]) -> tuple[float, float]:
    """At worst and at best."""
    metric = Grader(asked, requests=1).deciding
    found = measured(asked, answers)
    assert found.missing == len(asked.test) - len(answers)
    worst, best = (metric.aggregate(rows) for rows in (found.worst, found.best))
    assert worst is not None and best is not None
    return (worst, best) if metric.better == "higher" else (-worst, -best)


def test_no_label_that_is_owed_could_do_worse_than_the_worst() -> None:
    asked = task("macro_f1", ["a", "b"] * 10, labels=["a", "b"])
    known = {str(i): "ab"[i % 2] for i in range(16)}
    low, high = ends(asked, known)
    possible = [
        score(asked, known | dict(zip(("16", "17", "18", "19"), owed, strict=True)))
        for owed in product(["a", "b", "neither"], repeat=4)
    ]
    assert low <= min(possible) and max(possible) == high == 1.0


@pytest.mark.parametrize("metric", ["bleu", "chrf", "ter"])
def test_what_is_owed_may_be_as_bad_as_the_longest_answer(metric: str) -> None:
    """A rung that says too much loses little by saying nothing, and more by saying it again."""
    asked = task(metric, [SAID.format(i) for i in range(20)])
    long = ", and then it woke up, and a mouse was seen by nobody but the moon and me and you"
    known = {str(i): SAID.format(i) + long * (1 + (i == 3)) for i in range(15)}
    owed = [str(i) for i in range(15, 20)]
    low, high = ends(asked, known)
    assert low <= score(asked, known | dict.fromkeys(owed, known["3"]))
    assert low <= score(asked, known | dict.fromkeys(owed, ""))
    assert high == pytest.approx(score(asked, known | {i: SAID.format(i) for i in owed}))


def test_the_ends_of_a_mean_are_those_of_its_scale() -> None:
    """Against the mean of two references no single one of them has to be the best answer."""
    asked = task("rougeL(references=mean)", [["a red cat", "a red cat sat here"]] * 4)
    low, high = ends(asked, {"0": "a red cat", "1": "a red cat"})
    half = score(asked, dict.fromkeys("0123", "a red cat")) / 2
    assert (low, high) == (pytest.approx(half), pytest.approx(half + 0.5))
