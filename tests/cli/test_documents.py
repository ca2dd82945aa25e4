"""`stepladder index` and `stepladder find`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from commands import Ran


@pytest.fixture
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "a.md").write_text("# The red lamp\nIt weighs 3 kilos.\n# The coat\nIt is blue.\n")
    (folder / "b.jsonl").write_text("broken\n")
    (tmp_path / "empty").mkdir()
    (tmp_path / "binary.txt").write_bytes(bytes(range(256)))
    with (tmp_path / "huge.txt").open("wb") as handle:
        handle.truncate(2**31)
    return folder


def test_index_says_what_it_made_and_what_could_not_be_read(
    run: Callable[..., Ran], notes: Path
) -> None:
    done = run("index", "notes", "--by", "bm25")
    assert done.code == 0
    assert done.out.startswith("2 passages of 1 document, found by BM25 alone; not read: 1 (")
    assert "; documents read anew: 2" in done.out
    assert done.err == "not read: notes/b.jsonl row 1: not JSON\n"
    assert "; documents read anew: 0" in run("index", "notes", "--by", "bm25").out


def test_index_counts_files_of_other_kinds(run: Callable[..., Ran], notes: Path) -> None:
    (notes / "b.jsonl").unlink()
    (notes / "picture.png").write_text("no document")
    said = "2 passages of 1 document, found by BM25 alone; files of other kinds, passed over: 1; "
    assert run("index", "notes", "--by", "bm25").out.startswith(said)


def test_find_shows_passages_with_their_place(run: Callable[..., Ran], notes: Path) -> None:
    done = run("find", "notes", "What does the lamp weigh?", "--k", "1", "--by", "bm25")
    first, second = done.out.splitlines()
    assert first.startswith("[1] ") and first.endswith("notes/a.md # The red lamp [0:18]")
    assert second.strip() == "The red lamp. It weighs 3 kilos."


def test_a_question_without_any_known_word_finds_nothing(
    run: Callable[..., Ran], notes: Path
) -> None:
    for question in ("zebra", "?!"):
        done = run("find", "notes", question, "--by", "bm25")
        assert (done.code, done.out) == (0, "No passage has anything of the question in it.\n")


def test_more_passages_than_there_are(run: Callable[..., Ran], notes: Path) -> None:
    done = run("find", "notes", "What does the lamp weigh?", "--k", "99", "--by", "bm25")
    assert done.out.count("notes/a.md") == 2
    assert done.err.endswith("All of the documents: 2 passages; --k is 99.\n")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["index", "empty"], "knowledge: empty: no document in it; put files of the kinds"),
        (["index", "binary.txt"], "of 1 document none can be read (binary.txt: not UTF-8 text"),
        (["index", "huge.txt"], "(huge.txt: has 2,147 MB, and up to 100 are read; split it"),
        (["find", "notes", " "], "the question is empty; say what is looked for"),
        (["index", "nowhere"], "knowledge: nowhere: no such file or folder"),
        (["find", "notes", "x", "--k", "0"], "--k is 0; give 1 or more"),
        (["find", "notes", "x", "--by", "./nowhere"], "encoder './nowhere': no config.json there"),
        (["index", "notes", "--merge", "best"], "merge is 'best'; give rank or score"),
        (["index", "notes", "--size", "2"], "size is 2; give passages 8 tokens or more"),
    ],
)
def test_a_mistake_is_one_line(
    arguments: list[str], told: str, run: Callable[..., Ran], notes: Path
) -> None:
    done = run(*arguments)
    assert done.code == 2
    assert told in done.err
    assert done.err.count("\n") <= 2  # what could not be read may stand before it


@pytest.fixture
def task(notes: Path) -> Callable[..., str]:
    """A task file of a few questions, one of them without a word, with these documents."""
    questions = ["?!", *(f"How heavy is the red lamp, the {i}th time?" for i in range(1, 9))]
    rows = "".join(json.dumps({"q": q, "a": "3 kilos"}) + "\n" for q in questions)
    for split in ("train", "test"):
        (notes.parent / f"{split}.jsonl").write_text(rows)

    def write(rung: str, knowledge: str = "notes") -> str:
        said = {
            "data": {"train": "train.jsonl", "test": "test.jsonl"},
            "input": "q",
            "references": "a",
            "metrics": ["token_f1"],
            "sampling": {"max_new_tokens": 8},
            "knowledge": knowledge,
            "rungs": [rung],
        }
        (notes.parent / "task.yaml").write_text(json.dumps(said))  # JSON is YAML
        return "task.yaml"

    return write


@pytest.mark.parametrize("command", ["check", "climb"])
@pytest.mark.parametrize(
    ("rung", "knowledge", "told"),
    [
        ("rag(by=bm25)", "empty", "knowledge: empty: no document in it; put files of the kinds"),
        ("rag(by=bm25)", "binary.txt", "none can be read (binary.txt: not UTF-8 text"),
        ("rag(by=bm25)", "huge.txt", "(huge.txt: has 2,147 MB, and up to 100 are read; split it"),
        ("rag(by=./nowhere)", "notes", "encoder './nowhere': no config.json there; give the"),
    ],
)
def test_check_and_climb_refuse_what_index_refuses(
    command: str,
    rung: str,
    knowledge: str,
    told: str,
    run: Callable[..., Ran],
    task: Callable[..., str],
) -> None:
    done = run(command, task(rung, knowledge))
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert told in done.err


def test_check_names_what_could_not_be_read(
    run: Callable[..., Ran], task: Callable[..., str]
) -> None:
    done = run("check", task("rag(k=99, by=bm25)"))
    assert done.code == 0, done.err
    assert "not read: notes/b.jsonl row 1: not JSON" in done.out


def test_a_climb_shows_all_passages_where_more_are_asked_for(
    run: Callable[..., Ran], task: Callable[..., str]
) -> None:
    done = run("climb", task("rag(k=99, by=bm25)"), "--name", "s", "--json", "out.json")
    assert done.code in (0, 3), done.err
    said = " ".join(done.out.split())
    assert "not read: 1 (notes/b.jsonl row 1: not JSON); k is 99, which is more than" in said
    (rung,) = json.loads(Path("out.json").read_text())["rungs"]
    assert rung["metrics"]["token_f1"]["n"] == 9
    assert rung["failures"] == {}


@pytest.mark.parametrize(("command", "code"), [("check", 2), ("climb", 3)])
def test_evidence_that_fills_the_context(
    command: str, code: int, run: Callable[..., Ran], task: Callable[..., str], notes: Path
) -> None:
    (notes / "long.txt").write_text("How heavy the red lamp is, nobody can say. " * 500)
    done = run(command, task("rag(k=1, by=bm25, size=9000)"))
    assert done.code == code
    assert "the evidence leaves no room for the question in a context of 1,024 tokens" in done.err
    assert "Token indices" not in done.err
