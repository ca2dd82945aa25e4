from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from stepladder.errors import MetricError, RungError
from stepladder.records import Checkpoint
from stepladder.study.plan import make_plan
from stepladder.tasks import Task


def test_a_rung_says_its_model_where_there_are_several_a_folder_by_its_name(
    make_task: Callable[..., Task], checkpoint: Checkpoint
) -> None:
    one, two = (replace(checkpoint, name=f"/data/nets/width-{n}") for n in (64, 224))
    plan = make_plan(make_task(), [one, two], ["zero-shot"])
    assert [planned.name for planned in plan.rungs] == [
        "width-64: zero-shot",
        "width-224: zero-shot",
    ]
    alike = replace(two, name="/data/old/width-64")
    plan = make_plan(make_task(), [one, alike], ["zero-shot"])
    assert [planned.name for planned in plan.rungs] == [
        "nets/width-64: zero-shot",
        "old/width-64: zero-shot",
    ]
    plan = make_plan(make_task(), [one], ["zero-shot"])
    assert [planned.name for planned in plan.rungs] == ["zero-shot"]


def test_a_rung_in_other_words_is_the_same_rung(
    make_task: Callable[..., Task], checkpoint: Checkpoint
) -> None:
    with pytest.raises(
        RungError, match=r"rung 'few-shot\(k=4\)' is 'few-shot\(4\)' in other words"
    ):
        make_plan(make_task(), [checkpoint], ["few-shot(4)", "zero-shot", "few-shot(k=4)"])
    two = [checkpoint, replace(checkpoint, name="other")]
    assert len(make_plan(make_task(), two, ["few-shot(4)", "few-shot(4, seed=1)"]).rungs) == 4


def test_dev_rows_that_the_metric_does_not_fit_are_told_before_a_rung_is_tried_on_them(
    checkpoint: Checkpoint,
) -> None:
    def rows(split: str, answer: str) -> list[dict[str, str]]:
        return [{"x": f"{split} {i}", "y": answer} for i in range(3)]

    splits = {"dev": rows("dev", "none"), "test": rows("test", "3")}
    task = Task.from_rows(splits, name="t", input="x", references="y", metrics=["number"])
    with pytest.raises(MetricError, match="rung 'decoding' tries settings on dev: number does not"):
        make_plan(task, [checkpoint], ["zero-shot", "decoding"])
    assert make_plan(task, [checkpoint], ["zero-shot"])
