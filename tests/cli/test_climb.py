"""The climb as a user has it: a task file, the bundled model, every wrong input as one line."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from commands import Ran

SAMPLE = Path(__file__).parents[2] / "src/stepladder/samples/support-notes"


def task_file(folder: Path, **changes: object) -> Path:
    """A small version of the bundled task, with changes; None leaves a key out."""
    for split, count in (("train", 40), ("dev", 8), ("test", 24)):
        lines = (SAMPLE / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
        (folder / f"{split}.jsonl").write_text("\n".join(lines[:count]) + "\n", encoding="utf-8")
    task = yaml.safe_load((SAMPLE / "task.yaml").read_text(encoding="utf-8"))
    task |= {"rungs": ["zero-shot", "one-shot"], **changes}
    path = folder / "task.yaml"
    path.write_text(yaml.safe_dump({k: v for k, v in task.items() if v is not None}))
    return path


def test_climb_report_export_ask(run: Callable[..., Ran], tmp_path: Path) -> None:
    task = task_file(tmp_path, target=None, margin=0.9, sampling={"max_new_tokens": 16})
    first = run("climb", str(task), "--name", "s", "--all", "--json", "out.json")
    assert first.code in (0, 3), first.err
    said = json.loads((tmp_path / "out.json").read_text())
    assert [r["name"] for r in said["rungs"]] == ["zero-shot", "one-shot"]
    for rung in said["rungs"]:
        assert rung.keys() >= {"name", "metrics", "costs", "failures"}
        assert rung["costs"]["seconds"] > 0
        assert rung["metrics"]["rougeL"]["n"] == 24
    assert said["verdict"]["sentence"].split()[0] in first.out
    page = (tmp_path / "runs/s/report.html").read_text()
    assert "zero-shot" in page
    assert "one-shot" in page

    second = run("climb", str(task), "--name", "s", "--all", "--json", "again.json")
    assert second.code == first.code
    assert "; this run: 0 requests, 0 trainings" in second.err
    again = json.loads((tmp_path / "again.json").read_text())
    assert again["provenance"]["work in the last run"]["requests asked"] == 0
    assert again["rungs"] == said["rungs"]

    assert run("report", "s", "--html", "other.html").code == 0
    assert (tmp_path / "other.html").is_file()
    exported = run("export", "s", "winner", "--rung", "one-shot")
    assert exported.code == 0, exported.err
    query = json.loads((tmp_path / "test.jsonl").read_text().splitlines()[0])["dialogue"]
    asked = run("ask", "winner", query)
    assert asked.code == 0, asked.err
    with sqlite3.connect(tmp_path / "runs/ledger.db") as ledger:
        rows = ledger.execute("select payload from events where kind = 'generation'").fetchall()
    ids = {(p["rung"], p["id"]): p["answer"] for p in map(json.loads, (r[0] for r in rows))}
    assert asked.out.strip() == ids["one-shot", "test-001"]
    assert run("export", "s", "winner").code == 2


def test_an_export_without_a_winner_names_what_can_be_exported(
    run: Callable[..., Ran], tmp_path: Path
) -> None:
    (tmp_path / "theirs.jsonl").write_text('{"id": "test-001", "output": "x"}\n')
    target = {"metric": "rougeL", "at_least": 1.0}
    task = task_file(tmp_path, target=target, rungs=["zero-shot", "outputs: theirs.jsonl"])
    assert run("climb", str(task), "--name", "s").code == 0
    said = run("export", "s", "winner").err
    why = "study 's' has no rung that reaches the target, so it has no winner"
    assert f"{why}; choose with --rung: zero-shot\n" in said


def test_check_counts_only_the_demonstrations_that_will_be_shown(
    run: Callable[..., Ran], tmp_path: Path
) -> None:
    sampling = {"max_new_tokens": 600}
    task = task_file(tmp_path, rungs=["zero-shot", "few-shot(9)"], sampling=sampling)
    ran = run("check", str(task))
    assert ran.code == 0, ran.err
    said = " ".join(ran.out.split())
    assert "of 9 demonstrations: more do not fit the context of 1,024 tokens" in said
    (row,) = [line for line in ran.out.splitlines() if line.startswith("│ few-shot(9)")]
    assert int(row.split("│")[2]) <= 1024 - 600
    assert "no difference is sure" not in ran.out
    few = run(
        "check", str(task_file(tmp_path, rungs=["zero-shot", "one-shot"], sample={"test": 3}))
    )
    assert "With 3 test items and 2 rungs, no difference is sure to be shown" in " ".join(
        few.out.split()
    )


@pytest.mark.parametrize(
    ("changes", "arguments", "says"),
    [
        ({}, ["--rungs", "few-shots(2)"], "did you mean 'few-shot'"),
        ({}, ["--rungs", "zero-shot + one-shot"], "both fill"),
        ({}, ["--rungs", "lora + lora"], "full, lora and prompt-tuning, each once at most"),
        ({}, ["--rungs", "lora(rank=0)"], "rank is 0; give 1 or more"),
        ({}, ["--rungs", "prompt-tuning(1024)"], "the context of embedded is 1024 tokens; take"),
        ({}, ["--rungs", "full(replay=1.2)"], "replay is 1.2; give the share"),
        ({}, ["--rungs", "full(replay=0.2)"], "the task names no other data"),
        (
            {"replay": ["till-sums"]},
            ["--rungs", "lora(replay=0.99)"],
            "the task's replay has 400; name more",
        ),
        ({"replay": ["nowhere.txt"]}, [], "replay: nowhere.txt: no such file"),
        ({"guard": {"tasks": ["nowhere.yaml"]}}, [], "guard: tasks: nowhere.yaml: no such file"),
        ({"guard": {"tasks": ["till-sums"], "max_drop": 5}}, ["--rungs", "lora"], "write 0.05"),
        ({}, ["--model", "no/such/folder"], "there is no folder"),
        ({}, ["--requests", "0"], "requests is 0"),
        ({}, ["--seeds", "0"], "seeds is 0; give how many builds"),
        ({}, ["--seeds", "2", "--rungs", "zero-shot"], "or draws its demonstrations (zero-shot)"),
        ({"seeds": 0}, [], "seeds: a whole number of 1 or more is expected, '0' came"),
        ({"seeds": "three"}, [], "seeds: a whole number of 1 or more is expected, 'three' came"),
        ({}, ["--rungs", ","], "no rung is named"),
        ({}, ["--rungs", "zero-shot, outputs: nowhere.jsonl"], "nowhere.jsonl: no such file"),
        ({}, ["--name", "../elsewhere"], "a study cannot be named '../elsewhere'"),
        ({}, ["--dtype", "int3"], "float32, bfloat16, float16"),
        ({}, ["--html", "/proc/nowhere/report.html"], "cannot write"),
        ({"metrics": ["rogueL"], "target": None}, [], "did you mean 'rouge"),
        ({"metrics": ["accuracy"], "target": None}, [], "label"),
        ({"target": {"metric": "rougeL", "at_least": 80}}, [], "write 0.8"),
        ({"target": {"metric": "rougeL", "at_most": 0.2}}, [], "write at_least"),
        ({"metric": "rougeL"}, [], "did you mean 'metrics'"),
        ({"input": "dialog"}, [], "dialog"),
        ({"labels": ["yes", "no"], "metrics": ["accuracy"], "target": None}, [], "label"),
        ({"sampling": {"temperature": -1}}, [], "temperature is -1"),
        ({"data": {"train": "nowhere.jsonl"}}, [], "nowhere.jsonl"),
        ({"rungs": [{"outputs": "nowhere.jsonl"}]}, [], "nowhere.jsonl"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(
    run: Callable[..., Ran],
    tmp_path: Path,
    changes: dict[str, object],
    arguments: list[str],
    says: str,
) -> None:
    task = task_file(tmp_path, **changes)
    before = sorted(tmp_path.rglob("*"))
    ran = run("climb", str(task), *arguments)
    assert ran.code == 2
    assert says in ran.err
    assert "Traceback" not in ran.err
    assert len(ran.err.strip().splitlines()) == 1
    assert sorted(tmp_path.rglob("*")) == before


def test_check_names_the_layers_that_are_there(run: Callable[..., Ran], tmp_path: Path) -> None:
    ran = run("check", str(task_file(tmp_path, rungs=["lora(targets=w_proj)"])))
    assert ran.code == 2
    assert "no linear layer 'w_proj'; it has down_proj, gate_proj, k_proj" in ran.err
    assert len(ran.err.strip().splitlines()) == 1


def test_check_shows_what_is_to_come_loads_no_weights_and_writes_nothing(
    run: Callable[..., Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("weights were loaded")

    monkeypatch.setattr("stepladder.engines.hf.load", refuse)
    monkeypatch.setattr("transformers.PreTrainedModel.from_pretrained", refuse)
    task = task_file(tmp_path, rungs=["zero-shot", "few-shot(2, nearest=bm25)", "lora"])
    before = sorted(tmp_path.rglob("*"))
    ran = run("check", str(task))
    assert ran.code == 0, ran.err
    for expected in ("24 test", "Write the note", "few-shot(2, nearest=bm25)", "points of 100"):
        assert expected in ran.out
    (row,) = [line for line in ran.out.splitlines() if line.startswith("│ lora ")]
    assert re.search(r"\d (K|M)iB │", row)  # the memory of its training
    assert sorted(tmp_path.rglob("*")) == before


def test_a_raced_climb_says_what_it_saved_and_a_stopped_one_shows_what_it_has(
    run: Callable[..., Ran], tmp_path: Path
) -> None:
    task = task_file(tmp_path, target=None, margin=0.9, sampling={"max_new_tokens": 4})
    raced = run("climb", str(task), "--name", "s", "--json", "out.json")
    assert raced.code == 0, raced.err
    race = json.loads((tmp_path / "out.json").read_text())["race"]
    assert race["requests"] + race["requests_saved"] == 48 and race["requests_saved"] > 0
    shown = " ".join(raced.out.split())
    assert race["saved"] in shown
    assert race["saved"] in " ".join((tmp_path / "runs/s/report.html").read_text().split())
    with sqlite3.connect(tmp_path / "runs/ledger.db") as ledger:
        ledger.execute("drop trigger events_are_not_deleted")
        ledger.execute("delete from events where kind = 'summary'")
    unfinished = run("report", "s", "--html", "partial.html")
    assert unfinished.code == 0
    assert "Not finished: partial results" in unfinished.out
    assert run("export", "s", "winner").code == 2


def test_check_counts_further_seeds_and_a_climb_shows_their_spread(
    run: Callable[..., Ran], tmp_path: Path
) -> None:
    task = task_file(tmp_path, target=None, margin=0.9, seeds=2, sampling={"max_new_tokens": 4})
    checked = " ".join(run("check", str(task)).out.split())
    assert "2 builds of each rung that the verdict hangs on: at most 24 requests more" in checked
    assert "if it is all of one-shot; another seed changes nothing in zero-shot." in checked
    assert "Seeds:" not in run("check", str(task), "--seeds", "1").out
    ran = run("climb", str(task), "--name", "s", "--json", "out.json", "--all", "--seeds", "3")
    assert ran.code in (0, 3), ran.err
    spread = json.loads((tmp_path / "out.json").read_text())["spread"]
    assert spread["seeds"] == [0, 1, 2] and spread["requests"] == 48
    (row,) = spread["rungs"]
    assert (row["rung"], len(row["values"])) == ("one-shot", 3)
    said = " ".join(ran.out.split())
    assert "one-shot: seed 0" in said and "no interval of the population" in said
    assert "took 48 requests" in said and "on no rung's bill" in said
    assert "Over seeds" in (tmp_path / "runs/s/report.html").read_text()
    wrong = run("climb", str(task), "--seeds", "three")
    assert wrong.code == 2 and "Invalid value for '--seeds'" in wrong.err


@pytest.mark.slow
def test_ctrl_c_inside_a_training_step_ends_within_two_seconds_and_loses_nothing(
    tmp_path: Path,
) -> None:
    task = task_file(tmp_path, rungs=["zero-shot", "lora(epochs=15)"], target=None)
    command = [sys.executable, "-c", "from stepladder.cli import main; main()", "climb", str(task)]
    climb = subprocess.Popen(
        command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    give_up = time.monotonic() + 240
    while not list(tmp_path.glob("runs/artifacts/*/progress.jsonl")):
        assert climb.poll() is None, climb.stderr.read() if climb.stderr else ""
        assert time.monotonic() < give_up
        time.sleep(0.1)
    time.sleep(1)
    sent = time.monotonic()
    os.kill(climb.pid, signal.SIGINT)
    _, said = climb.communicate(timeout=30)
    assert time.monotonic() - sent < 2
    assert climb.returncode == 130
    assert "goes on" in said
    with sqlite3.connect(tmp_path / "runs/ledger.db") as ledger:
        assert ledger.execute("pragma integrity_check").fetchone() == ("ok",)
        kept = ledger.execute("select count(*) from events where kind = 'generation'").fetchone()
    assert kept == (24,)
