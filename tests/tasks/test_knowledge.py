"""Documents are found, hashed, and named in the task file."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from stepladder.errors import KnowledgeError, TaskError
from stepladder.tasks import Task
from stepladder.tasks.knowledge import find_knowledge

ROWS = [{"q": f"question {i}", "a": f"answer {i}", "note": f"note {i}"} for i in range(30)]


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    folder = tmp_path / "notes"
    (folder / "deep").mkdir(parents=True)
    (folder / "b.md").write_text("B")
    (folder / "deep" / "a.txt").write_text("A")
    (folder / "picture.png").write_text("no document")
    (folder / ".hidden.md").write_text("no")
    return folder


def task(knowledge: Any, rows: Any = ROWS) -> Task:
    return Task.from_rows(
        rows, input="q", references="a", metrics=["exact_match"], knowledge=knowledge
    )


def test_documents_of_a_folder_and_what_is_passed_over(notes: Path) -> None:
    found = find_knowledge(["notes"], notes.parent)
    assert [file.name for file in found.files] == ["notes/b.md", "notes/deep/a.txt"]
    assert found.passed_over == 1
    twice = find_knowledge(["notes", "notes/b.md"], notes.parent)
    assert [file.name for file in twice.files] == ["notes/b.md", "notes/deep/a.txt"]


def test_every_byte_and_what_is_said_of_it_counts(notes: Path) -> None:
    one = find_knowledge(["notes"], notes.parent).fingerprint
    assert find_knowledge(["notes"], notes.parent).fingerprint == one
    assert find_knowledge(["notes"], notes.parent, gold="note").fingerprint != one
    (notes / "b.md").write_text("C")
    assert find_knowledge(["notes"], notes.parent).fingerprint != one


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_a_file_that_cannot_be_read_stops_nothing(kind: str, notes: Path) -> None:
    """It is named where documents are read; a study on the others goes on."""
    one = find_knowledge(["notes"], notes.parent).fingerprint
    if kind == "link":
        (notes / "gone.txt").symlink_to(notes / "nowhere")
    else:
        os.mkfifo(notes / "gone.txt")
    found = find_knowledge(["notes"], notes.parent)
    assert [file.name for file in found.files][1:] == ["notes/deep/a.txt", "notes/gone.txt"]
    assert found.fingerprint != one


def test_a_folder_with_a_model_of_inference_is_looked_for_beside_the_task_file(
    notes: Path,
) -> None:
    (notes.parent / "nli").mkdir()
    (notes.parent / "rows.jsonl").write_text("\n".join(map(json.dumps, ROWS)))
    for given, found in (("nli", str(notes.parent / "nli")), ("org/model", "org/model")):
        (notes.parent / "t.yaml").write_text(
            "{name: t, data: rows.jsonl, input: q, references: a, metrics: [exact_match], "
            f"knowledge: {{files: notes, nli: {given}}}}}"
        )
        knowledge = Task.load(notes.parent / "t.yaml").knowledge
        assert knowledge is not None and knowledge.nli == found


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("nowhere", "nowhere: no such file or folder"),
        ("notes/picture.png", "the suffix '.png' is no document's; give .txt, .md"),
        ("empty", "empty: no document in it; put files"),
        ("pictures", r"no document in it \(files of other kinds: 1\)"),
    ],
)
def test_what_cannot_be_is_one_clear_line(path: str, told: str, notes: Path) -> None:
    (notes.parent / "empty").mkdir()
    (notes.parent / "pictures").mkdir()
    (notes.parent / "pictures" / "a.png").write_text("x")
    with pytest.raises(KnowledgeError, match=told):
        find_knowledge([path], notes.parent)


def test_a_task_names_its_knowledge(notes: Path) -> None:
    plain, known = task(None), task(str(notes))
    assert known.knowledge is not None
    assert known.fingerprint != plain.fingerprint
    assert known.split_fingerprint("test") == plain.split_fingerprint("test")
    gold = task({"files": [str(notes)], "gold": "note", "abstain": "not there"})
    assert gold.knowledge is not None
    assert (gold.knowledge.gold, gold.knowledge.abstain) == ("note", "not there")
    assert all(e.gold == (f"note {e.input.split()[1]}",) for e in gold.test)
    assert gold.split_fingerprint("test") != plain.split_fingerprint("test")


def test_other_documents_keep_what_the_task_says(notes: Path) -> None:
    own = task({"files": [str(notes)], "gold": "note", "abstain": "not there"})
    assert "knowledge: 2 documents; files of other kinds, passed over: 1" in own.notes
    other = own.with_knowledge([str(notes / "b.md")])
    assert other.knowledge is not None
    assert [file.name for file in other.knowledge.files] == ["b.md"]
    assert (other.knowledge.gold, other.knowledge.abstain) == ("note", "not there")
    assert [note for note in other.notes if "knowledge" in note] == ["knowledge: 1 document"]
    assert other.fingerprint != own.fingerprint
    known = task(None).with_knowledge([str(notes)]).knowledge
    assert known is not None and known.gold is None


@pytest.mark.parametrize(
    ("knowledge", "told"),
    [
        (
            {"gold": "note"},
            "knowledge: files: a folder, a document, or a list of these is expected",
        ),
        ({"files": ".", "golden": "x"}, "unknown key 'golden'"),
        (7, "knowledge: a list"),
    ],
)
def test_a_mistake_in_the_task_file_names_its_key(knowledge: Any, told: str, notes: Path) -> None:
    if isinstance(knowledge, dict) and "files" in knowledge:
        knowledge["files"] = str(notes)
    with pytest.raises(TaskError, match=told):
        task(knowledge)


def test_a_gold_field_that_no_row_has_is_named(notes: Path) -> None:
    with pytest.raises(TaskError, match=r"no field 'nots' \(named by 'knowledge: gold'\); did you"):
        task({"files": str(notes), "gold": "nots"})
