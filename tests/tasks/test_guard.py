"""The section `guard`: what it names, and one clear line for what it cannot be."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from stepladder.errors import TaskError
from stepladder.tasks import Task
from stepladder.tasks.elsewhere import PIECE, pieces_of

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a task file with its rows, and gives its path."""

    def written(name: str = "task", **settings: object) -> Path:
        rows = [{"question": f"{name} {i}", "answer": f"yes {i}"} for i in range(30)]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
        task = {"name": name, "data": f"{name}.jsonl", "input": "question"}
        task |= {"references": "answer", "metrics": ["exact_match"]}
        given = {key: value for key, value in (task | settings).items() if value is not None}
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump(given))
        return path

    return written


def test_tasks_by_file_and_by_sample_with_one_allowance_or_their_own(
    write: Write, tmp_path: Path
) -> None:
    write("other")
    (tmp_path / "plain.txt").write_text("One line.\n\nAnother line.\n")
    own = {"task": "phrasebook", "max_drop": 5, "rung": "few-shot(4)"}
    guard = {"tasks": ["other.yaml", "inbox-labels", own], "max_drop": 0.1, "text": "plain.txt"}
    found = Task.load(write(guard=guard)).guard
    assert found is not None
    assert [(g.task.name, g.max_drop, g.rung) for g in found.tasks] == [
        ("other", 0.1, "zero-shot"),
        ("inbox-labels", 0.1, "zero-shot"),
        ("phrasebook", 5.0, "few-shot(4)"),
    ]
    assert len(found.tasks[1].task.test) == 300
    assert found.text is not None
    assert found.text.pieces == ("One line.\n\nAnother line.",)


def test_guards_make_another_task_and_none_the_same_as_ever(write: Write) -> None:
    write("other")
    plain = Task.load(write()).fingerprint
    prints = {
        Task.load(write(guard={"tasks": ["other.yaml"], "max_drop": most})).fingerprint
        for most in (0.1, 0.2)
    }
    assert len({plain, *prints}) == 3
    assert Task.load(write()).fingerprint == plain


def test_two_tasks_may_guard_each_other(write: Write) -> None:
    write("other", guard={"tasks": ["task.yaml"]})
    found = Task.load(write(guard={"tasks": ["other.yaml"]})).guard
    assert found is not None
    assert found.tasks[0].task.guard is None


NAMES = ["general-labels", "general-reading", "general-rewriting", "general-translation"]


@pytest.mark.parametrize(
    ("guard", "most", "rung"),
    [
        ("general", None, "few-shot(4)"),
        ({"tasks": ["general"]}, None, "few-shot(4)"),
        ({"tasks": ["general"], "max_drop": 0.05}, 0.05, "few-shot(4)"),
        ({"tasks": [{"task": "general", "max_drop": 0.1}], "max_drop": 0.05}, 0.1, "few-shot(4)"),
        ({"tasks": [{"task": "general", "rung": "zero-shot"}]}, None, "zero-shot"),
    ],
)
def test_general_is_the_bundled_set_and_its_text(
    write: Write, guard: object, most: float | None, rung: str
) -> None:
    found = Task.load(write(guard=guard)).guard
    assert found is not None
    assert [g.task.name for g in found.tasks] == NAMES
    assert {(g.max_drop, g.rung, len(g.task.test)) for g in found.tasks} == {(most, rung, 300)}
    assert found.text is not None
    assert found.text.name == "general/held-out.txt"
    assert len(found.text.pieces) >= 15


def test_general_stands_beside_others_and_a_text_of_the_user_s(
    write: Write, tmp_path: Path
) -> None:
    write("other")
    (tmp_path / "plain.txt").write_text("One line.\n")
    guard = {"tasks": ["other.yaml", "general"], "text": "plain.txt"}
    found = Task.load(write(guard=guard)).guard
    assert found is not None
    assert [g.task.name for g in found.tasks] == ["other", *NAMES]
    assert found.text is not None
    assert found.text.name == "plain.txt"


def test_a_task_of_the_set_does_not_guard_itself_and_says_so(tmp_path: Path) -> None:
    from stepladder.tasks.elsewhere import general_tasks

    (labels,) = (file for file in general_tasks() if file.name == "general/labels")
    settings = yaml.safe_load(labels.path.read_text(encoding="utf-8"))
    settings["data"] = {k: str(labels.path.parent / v) for k, v in settings["data"].items()}
    changed = settings | {"name": "mine", "sample": {"test": 200}, "guard": "general"}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(changed))
    task = Task.load(tmp_path / "mine.yaml")
    assert task.guard is not None
    assert [g.task.name for g in task.guard.tasks] == NAMES[1:]
    assert "guard: general/labels is this very task, and is left out" in task.notes


def test_a_file_of_that_name_comes_first(write: Write, tmp_path: Path) -> None:
    write("other").rename(tmp_path / "general")
    found = Task.load(write(guard={"tasks": ["general"]})).guard
    assert found is not None
    assert [g.task.name for g in found.tasks] == ["other"]


def test_the_train_rows_of_the_set_may_be_replayed(write: Write) -> None:
    sources = Task.load(write(replay=["general"])).replay
    assert [source.name for source in sources] == NAMES
    assert all(isinstance(source, Task) and len(source.train) > 80 for source in sources)


@pytest.mark.parametrize(
    ("guard", "message"),
    [
        ({"tasks": ["nowhere.yaml"]}, "guard: tasks: nowhere.yaml: no such file .* nor a sample"),
        ({"tasks": ["other.yaml"], "max_drop": -1}, "max_drop: a number above 0 is expected"),
        ({"max_drop": 0.1, "text": "task.yaml"}, "max_drop is about guard tasks"),
        ({"tasks": []}, "names neither tasks nor text"),
        ({"tasks": [3]}, "tasks: a task file, a sample's name, general, or"),
        ({"tasks": [{"max_drop": 1}]}, "task: a task file or a sample's name is expected"),
        ({"tasks": ["other.yaml", "other.yaml"]}, "two tasks are named 'other'"),
        ({"text": "nowhere.txt"}, "guard: text: nowhere.txt: cannot be read"),
        ({"task": ["other.yaml"]}, "unknown key 'task'; did you mean 'tasks'"),
        ("other.yaml", "guard: a mapping .* or the word general is expected, 'other.yaml' came"),
        ({"tasks": [{"task": "general", "max_drop": 0}]}, "max_drop: a number above 0"),
    ],
)
def test_what_it_cannot_be_is_one_line(write: Write, guard: object, message: str) -> None:
    write("other")
    with pytest.raises(TaskError, match=message) as caught:
        Task.load(write(guard=guard))
    assert "\n" not in str(caught.value)


def test_a_guard_task_without_references_is_named_with_the_task_that_it_guards(
    write: Write,
) -> None:
    write("other", references=None)
    with pytest.raises(TaskError, match=r"task\.yaml: guard: other\.yaml: .*references: a field"):
        Task.load(write(guard={"tasks": ["other.yaml"]}))
    write("other", references="missing")
    with pytest.raises(TaskError, match=r"guard: other\.yaml: .*no field 'missing'"):
        Task.load(write(guard={"tasks": ["other.yaml"]}))


def test_text_is_cut_at_line_ends_and_nothing_is_lost() -> None:
    lines = [f"line {i} " + "x" * 90 for i in range(40)]
    pieces = pieces_of("\n".join(lines) + "\n" + "y" * (PIECE + 7) + "\n\n \n")
    assert all(len(piece) <= PIECE for piece in pieces[:-1])
    assert pieces[-1] == "y" * (PIECE + 7)
    assert "\n".join(pieces).split("\n")[:-1] == lines
