"""`stepladder score`: from two files to a table and JSON, and each mistake as one line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import stepladder.cli.score  # noqa: F401  (adds the command)
from stepladder.cli.app import app
from stepladder.errors import StepladderError

TASK = """
name: capitals
data: {train: train.jsonl, dev: dev.jsonl, test: test.jsonl}
id: id
input: question
references: answer
instruction: Name the capital.
metrics: [exact_match, token_f1]
"""
CAPITALS = {"Sweden": "Stockholm", "France": "Paris", "Chad": "N'Djamena", "Peru": "Lima"}


def write_rows(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def task(tmp_path: Path) -> Path:
    for split in ("train", "dev", "test"):
        rows: list[dict[str, object]] = [
            {"id": f"{split}-{land}", "question": f"{land}, {split}?", "answer": city}
            for land, city in CAPITALS.items()
        ]
        write_rows(tmp_path / f"{split}.jsonl", rows)
    file = tmp_path / "task.yaml"
    file.write_text(TASK, encoding="utf-8")
    return file


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    rows: list[dict[str, object]] = [
        {"id": f"test-{land}", "output": city} for land, city in CAPITALS.items()
    ]
    rows[1]["output"] = "Lyon"
    return write_rows(tmp_path / "outputs.jsonl", rows)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["score", *map(str, arguments)])


def refusal(*arguments: object) -> str:
    """The one line that the user's mistake ends in."""
    result = run(*arguments)
    assert isinstance(result.exception, StepladderError), result.output
    assert result.exception.exit_code == 2
    assert result.stdout == "" and "\n" not in str(result.exception)
    return str(result.exception)


def test_table_and_json_say_the_same(task: Path, outputs: Path, tmp_path: Path) -> None:
    file = tmp_path / "new" / "scores.json"
    result = run(task, outputs, "--json", file)
    assert result.exit_code == 0 and result.stderr == ""
    row = next(line for line in result.stdout.splitlines() if "exact_match " in line)
    assert row.split()[:2] == ["exact_match", "75.00"] and row.split()[-1] == "4"
    found = json.loads(file.read_text("utf-8"))
    assert list(found["metrics"]) == ["exact_match", "token_f1"]
    exact = found["metrics"]["exact_match"]
    assert exact["value"] == 0.75 and exact["low"] < 0.75 < exact["high"] and exact["n"] == 4
    assert exact["signature"] in result.stdout
    assert found["missing"] == found["unknown"] == []


def test_other_metrics_and_their_parts(task: Path, outputs: Path) -> None:
    result = run(task, outputs, "--metrics", "bleu(tokenize=char, lowercase=yes), ter", "--details")
    assert result.exit_code == 0
    assert "ter (lower is better)" in result.stdout
    assert "brevity penalty" in result.stdout and "precision 4" in result.stdout
    assert "exact_match" not in result.stdout


def test_names_and_counts_missing_and_unknown_ids(task: Path, tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [{"id": f"x{i}", "output": "Lima"} for i in range(5)]
    rows.append({"id": "test-Peru", "output": "Lima"})
    result = run(task, write_rows(tmp_path / "o.jsonl", rows), "--json", tmp_path / "s.json")
    assert result.exit_code == 0
    assert "3 ids ('test-Sweden', 'test-France', 'test-Chad') without an output" in result.stderr
    assert "5 ids ('x0', 'x1', 'x2', ...) not in the task's test split" in result.stderr
    found = json.loads((tmp_path / "s.json").read_text("utf-8"))
    assert found["metrics"]["exact_match"]["value"] == 0.25
    assert len(found["missing"]) == 3 and len(found["unknown"]) == 5


def test_warns_where_letters_are_lost(task: Path, outputs: Path) -> None:
    text = (task.parent / "test.jsonl").read_text("utf-8").replace("Paris", "Århus på ön")
    (task.parent / "test.jsonl").write_text(text, encoding="utf-8")
    result = run(task, outputs, "--metrics", "rouge1, rougeL")
    assert result.exit_code == 0
    assert result.stderr.count("letters=all") == 1


def test_outputs_that_are_no_label_are_counted(task: Path, outputs: Path) -> None:
    labels = f"labels: [{', '.join(CAPITALS.values())}]\nmetrics: [accuracy]"
    text = task.read_text("utf-8").replace("metrics: [exact_match, token_f1]", labels)
    task.write_text(text, encoding="utf-8")
    result = run(task, outputs)
    assert result.exit_code == 0
    said = "1 of 4 outputs is none of the task's labels (first: 'Lyon'), and so no right one\n"
    assert result.stderr == said
    outputs.write_text(outputs.read_text("utf-8").replace("Lyon", "paris."), encoding="utf-8")
    assert run(task, outputs).stderr == ""


def test_mistakes(task: Path, outputs: Path, tmp_path: Path) -> None:
    assert "no.yaml" in refusal(tmp_path / "no.yaml", outputs)
    assert "no.jsonl" in refusal(task, tmp_path / "no.jsonl")
    assert "did you mean 'exact_match'" in refusal(task, outputs, "--metrics", "exactmatch")
    assert "no metric is named" in refusal(task, outputs, "--metrics", " ")
    assert "the task has no labels" in refusal(task, outputs, "--metrics", "accuracy")
    assert "example 1 holds none" in refusal(task, outputs, "--metrics", "number")
    other = write_rows(tmp_path / "other.jsonl", [{"id": "a", "output": "b"}])
    said = refusal(task, other)
    assert "no output belongs to any of the 4 examples" in said and "'id: FIELD'" in said
    bare = write_rows(tmp_path / "bare.jsonl", [{"output": "b"}])
    assert "no field 'id' to say which test row an output answers" in refusal(task, bare)
    (tmp_path / "broken.jsonl").write_text(outputs.read_text("utf-8") + '{"id": "a"\n', "utf-8")
    assert "row 5" in refusal(task, tmp_path / "broken.jsonl")


def test_an_unwritable_output_is_refused_before_scoring(task: Path, outputs: Path) -> None:
    assert "cannot write" in refusal(task, outputs, "--json", task.parent)
    assert "cannot write" in refusal(task, outputs, "--json", outputs / "scores.json")


def test_from_a_shell_without_torch(task: Path, outputs: Path) -> None:
    code = (
        "import sys; from stepladder.cli import main\n"
        "try: main()\n"
        "finally: print('torch' in sys.modules, file=sys.stderr)"
    )
    command = [sys.executable, "-c", code, "score", str(task)]
    good = subprocess.run([*command, str(outputs)], capture_output=True, text=True, check=False)
    assert good.returncode == 0 and good.stderr == "False\n" and "75.00" in good.stdout
    bad = subprocess.run([*command, "nowhere.jsonl"], capture_output=True, text=True, check=False)
    assert bad.returncode == 2 and bad.stdout == ""
    assert "Traceback" not in bad.stderr
    assert len(bad.stderr.splitlines()) == 2 and bad.stderr.startswith("stepladder: ")


def test_bart_on_dialogsum(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "dialogsum"
    task = tmp_path / "dialogsum.yaml"
    task.write_text(
        f"""
name: dialogsum
data:
  train: {folder / "dialogsum.train.jsonl.gz"}
  dev: {folder / "dialogsum.dev.jsonl"}
  test: {folder / "dialogsum.test.jsonl"}
id: fname
input: dialogue
references: {{train: summary, dev: summary, test: summary1}}
instruction: Summarize the following conversation.
metrics: [rougeL]
""",
        encoding="utf-8",
    )
    ids = [json.loads(line)["fname"] for line in (folder / "dialogsum.test.jsonl").open()]
    texts = (folder / "baseline_bart_test_output.txt").read_text("utf-8").splitlines()
    rows: list[dict[str, object]] = [
        {"id": i, "output": t} for i, t in zip(ids, texts, strict=True)
    ]
    outputs = write_rows(tmp_path / "bart.jsonl", rows)
    result = run(task, outputs, "--metrics", "rouge1,rouge2,rougeL", "--json", tmp_path / "s.json")
    assert result.exit_code == 0, result.exception
    found = json.loads((tmp_path / "s.json").read_text("utf-8"))["metrics"]
    shown = {name: round(100 * one["value"], 2) for name, one in found.items()}
    # README of the data: the stored outputs against the first reference.
    assert shown == {"rouge1": 45.91, "rouge2": 21.32, "rougeL": 38.71}
    assert all(f"{value:.2f}" in result.stdout for value in shown.values())
