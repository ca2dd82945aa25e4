"""Which rows of other data a training may mix in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from stepladder.errors import RungError, TaskError
from stepladder.records import Capabilities, Checkpoint
from stepladder.study import Study
from stepladder.study.predict import TRAINING_START, predict
from stepladder.study.replay import EMPTY, replay_rows
from stepladder.tasks import Guard, GuardTask, PlainText, Task

Make = Callable[..., Task]


def other(name: str, words: list[str]) -> Task:
    return Task.from_rows(
        {
            "train": [{"word": w, "same": w} for w in words],
            "dev": [{"word": "d", "same": "d"}],
            "test": [{"word": "t", "same": "t"}],
        },
        name=name,
        input="word",
        references="same",
        instruction=f"Say {name}.",
        metrics=["exact_match"],
    )


def test_each_row_stands_once_under_its_own_instruction(make_task: Make) -> None:
    text = PlainText("plain.txt", ("A line.", "Another line.", "A line."))
    words = [f"w{i}" for i in range(9)]
    task = replace(make_task(), replay=(other("one", words), other("two", words), text))
    rows = replay_rows(task)
    assert len(rows) == len({(r.prompt.text, r.answer) for r in rows}) == 9 + 9 + 2
    for row in rows:
        if row.source == "plain.txt":
            assert row.prompt == EMPTY
        else:
            assert row.prompt.text.startswith(f"Say {row.source}.")
            assert row.prompt.text.endswith(f"Input: {row.answer}\nOutput:")
    assert [r.source for r in rows] != sorted(r.source for r in rows)  # a draw over all of them
    assert replay_rows(task) == rows
    assert replay_rows(replace(task, seed=1)) != rows


def test_every_beginning_of_the_rows_holds_the_weights(make_task: Make) -> None:
    many, few = [f"m{i}" for i in range(90)], [f"f{i}" for i in range(10)]
    task = replace(
        make_task(), replay=(other("many", many), other("few", few)), replay_weights=(1.0, 3.0)
    )
    rows = replay_rows(task)
    for end in (4, 8, 12):
        assert sum(row.source == "few" for row in rows[:end]) == 3 * end // 4
    # Another row would be one of the ten, which are used up.
    assert len(rows) == len({(r.prompt.text, r.answer) for r in rows}) == 13
    assert sum(row.source == "few" for row in rows) == 10
    assert replay_rows(replace(task, seed=1)) != rows
    assert task.fingerprint != replace(task, replay_weights=(1.0, 2.0)).fingerprint


def test_a_source_with_a_weight_and_no_row_is_refused(make_task: Make) -> None:
    task = make_task()
    sources = (other("asked", [task.test[0].input]), other("few", ["f"]))
    task = replace(task, replay=sources, replay_weights=(1.0, 3.0))
    with pytest.raises(TaskError, match=r"replay: asked has a weight of 1 and no row"):
        replay_rows(task)


def test_nothing_that_the_study_asks_is_replayed(make_task: Make) -> None:
    task = make_task()
    asked = task.test[0].input
    guard = other("guard", ["x"])
    task = replace(
        task,
        replay=(other("one", [asked, task.train[0].input, "t", "new"]), PlainText("p", ("a", "b"))),
        guard=Guard((GuardTask(guard, None),), PlainText("held", ("b",))),
    )
    assert {row.answer for row in replay_rows(task)} == {"new", "a"}


@pytest.fixture
def checkpoint(tmp_path: Path) -> Checkpoint:
    (tmp_path / "config.json").write_text('{"hidden_size": 64}')
    return Checkpoint("fake", tmp_path, "0" * 64, Capabilities(trains=True), parameters=1000)


def test_too_few_rows_are_told_before_anything_is_spent(
    make_task: Make, checkpoint: Checkpoint, tmp_path: Path
) -> None:
    task = replace(make_task(), replay=(other("one", ["a", "b", "c"]),))
    with pytest.raises(RungError, match=r"replay=0\.5 beside 20 rows takes 20 .* has 3"):
        Study(task, [checkpoint], ["full(replay=0.5)"], ledger=tmp_path / "l.db")
    assert not (tmp_path / "l.db").exists()
    study = Study(task, [checkpoint], ["full(replay=0.13)"], ledger=tmp_path / "l.db")
    plain = Study(make_task(), [checkpoint], ["full"], ledger=tmp_path / "l.db")
    assert study.plan.task.fingerprint != plain.plan.task.fingerprint


def test_a_mixture_is_predicted_to_take_longer(make_task: Make, checkpoint: Checkpoint) -> None:
    task = replace(make_task(), replay=(other("one", ["a", "b", "c"]),))
    plan = Study(task, [checkpoint], ["full", "full(replay=0.13)"]).plan
    plain, mixed = (predict(planned, task, []).build_seconds for planned in plan.rungs)
    assert plain is not None
    assert mixed is not None
    assert (mixed - TRAINING_START) / (plain - TRAINING_START) == pytest.approx(23 / 20)


def test_a_file_names_samples_tasks_and_texts(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text("\n".join(f'{{"q": "{i}", "a": "{i}"}}' for i in range(9)))
    (tmp_path / "plain.txt").write_text("A line.\n")
    task = {"data": "rows.jsonl", "input": "q", "references": "a", "metrics": ["exact_match"]}

    def load(**settings: object) -> Task:
        (tmp_path / "task.yaml").write_text(yaml.safe_dump(task | settings))
        return Task.load(tmp_path / "task.yaml")

    found = load(replay=["till-sums", "plain.txt"])
    sums, text = found.replay
    assert isinstance(sums, Task)
    assert (sums.name, text) == ("till-sums", PlainText("plain.txt", ("A line.",)))
    assert load().fingerprint != found.fingerprint
    weighted = load(replay=["till-sums", {"from": "plain.txt", "weight": 2.5}])
    assert (found.replay_weights, weighted.replay_weights) == ((), (1.0, 2.5))
    assert load(replay=[{"from": "general", "weight": 2}]).replay_weights == (0.5,) * 4
    for bad, told in (
        ([{"from": "till-sums", "weight": 0}], "replay: weight: a number above 0 is expected"),
        ([{"weight": 2}], "replay: from: a task file, a plain text or a sample's name is expected"),
        ([{"from": "till-sums", "wight": 2}], "replay: unknown key 'wight'"),
        ([["till-sums"]], r"\{from: \.\.\., weight: \.\.\.\} is expected"),
        (["till-sums", "till-sums"], "replay: 'till-sums' is listed twice"),
    ):
        with pytest.raises(TaskError, match=told):
            load(replay=bad)
    with pytest.raises(TaskError, match=r"replay: plain\.txt: is the held-out text of guard"):
        load(replay=["plain.txt"], guard={"text": "plain.txt"})
    with pytest.raises(TaskError, match=r"replay: nowhere: no such file"):
        load(replay=["nowhere"])
