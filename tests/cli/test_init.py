"""`stepladder init`: what is written loads, and says what was guessed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from stepladder.cli import init as _  # noqa: F401 - registers the command
from stepladder.cli.app import app
from stepladder.errors import OutputError, TaskError
from stepladder.tasks import Task

ODD_CSV = "Ärende;Kategori;nr\n" + "".join(
    f'"Hej, fråga {i}; om en sak";{("faktura", "leverans", "ja")[i % 3]};{i}\n' for i in range(60)
)


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["init", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_an_odd_csv(tmp_path: Path) -> None:
    (tmp_path / "ärenden.csv").write_text(ODD_CSV, encoding="utf-8-sig")
    out = tmp_path / "task.yaml"
    assert run(tmp_path / "ärenden.csv", "-o", out) == ""
    task = Task.load(out)
    assert task.labels == ("faktura", "ja", "leverans")
    assert task.metrics == ("accuracy", "macro_f1")
    assert task.train[0].input.startswith("Hej, fråga")
    assert "a guess: the longest text" in out.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("data", "metrics", "head"),
    [
        ("dialogsum", ("rougeL", "rouge1", "rouge2"), "Summarize"),
        ("tatoeba_en_sv", ("bleu", "chrf"), "Translate from English to Swedish."),
        ("gsm8k", ("number",), "Solve"),
        ("instruction_induction/train/sentiment.jsonl", ("accuracy", "macro_f1"), "Output whether"),
        ("instruction_induction/train/antonyms.jsonl", ("exact_match", "token_f1"), ""),
    ],
)
def test_real_data(
    shared_data: Path, tmp_path: Path, data: str, metrics: tuple[str, ...], head: str
) -> None:
    out = tmp_path / "task.yaml"
    run(shared_data / data, "-o", out)
    task = Task.load(out)
    assert task.metrics == metrics
    assert (task.instruction or "").startswith(head)
    assert task.train and task.dev and task.test
    if data == "dialogsum":
        assert len(task.test[0].references) == 3
        assert task.test[0].id == "test_0"


def test_a_column_of_one_value_is_no_guess(tmp_path: Path) -> None:
    rows = "".join(
        f"a line number {i} to read,out {i},always one and the same long text,x\n"
        for i in range(60)
    )
    (tmp_path / "d.csv").write_text("første,anden,note,flag\n" + rows, encoding="utf-8")
    written = run(tmp_path / "d.csv", "-o", "-")
    assert 'input: "første"' in written and "references: anden" in written


def test_questions_about_a_text_become_a_template(tmp_path: Path) -> None:
    rows = [{"context": f"C {i}.", "question": "Who?", "answers": [f"n {i}"]} for i in range(40)]
    path = tmp_path / "qa.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    run(path, "-o", tmp_path / "t.yaml")
    task = Task.load(tmp_path / "t.yaml")
    assert task.train[0].input.endswith(".\n\nWho?")


def test_standard_output_and_nothing_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("d.csv").write_text(ODD_CSV, encoding="utf-8")
    assert run("d.csv", "-o", "-").startswith("# Written by")
    assert not Path("task.yaml").exists()
    Path("task.yaml").write_text("mine")
    with pytest.raises(OutputError, match=r"task\.yaml: exists already"):
        run("d.csv")
    assert Path("task.yaml").read_text() == "mine"


def test_what_cannot_be_guessed_is_said(tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text("text\nhello\n")
    with pytest.raises(TaskError, match="need two fields"):
        run(tmp_path / "one.csv", "-o", "-")
    (tmp_path / "two.csv").write_text("a,b\n1,2\n")
    with pytest.raises(TaskError, match="no file is named train, dev"):
        run(tmp_path, "-o", "-")
    with pytest.raises(TaskError, match="no such file"):
        run(tmp_path / "none.csv", "-o", "-")
