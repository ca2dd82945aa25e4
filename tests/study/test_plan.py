from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

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
