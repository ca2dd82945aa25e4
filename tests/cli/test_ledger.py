"""`stepladder ledger` as a user has it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from commands import Ran

from stepladder.ledger import Ledger
from stepladder.records import content_hash


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A ledger of two studies, an answer each and one that both use."""
    path = tmp_path / "runs/ledger.db"
    with Ledger.open(path) as ledger:
        for name, texts in (("first", ("own", "shared")), ("second", ("shared",))):
            log = ledger.start(name, {})
            parts = [["engine", text, {"temperature": 0.5}] for text in texts]
            recipes = {content_hash(p): {"parts": p, "prompt": {}} for p in parts}
            known = log.answers(list(recipes))
            rest = {a: {"text": "x", "finish": "end"} for a in recipes if a not in known}
            log.keep_answers(rest, recipes)
        log = ledger.study("first")
        log.append("verdict", {"kind": "reached", "rung": "lora", "sentence": "lora reaches it."})
    return path


def test_it_shows_sizes_studies_verdicts_and_dates(run: Callable[..., Ran], path: Path) -> None:
    ran = run("ledger", "--json", "out.json")
    assert ran.code == 0, ran.err
    assert ran.out.startswith("runs/ledger.db: ")
    assert "reached: lora" in ran.out and "not finished" in ran.out
    with Ledger.open(path) as ledger:
        assert ledger.studies()[0].started[:16].replace("T", " ") in ran.out
    said = json.loads(Path("out.json").read_text())
    assert said["kinds"]["answers"]["rows"] == 2
    assert [s["verdict"] for s in said["studies"]] == ["reached", None]
    assert said["size"] >= path.stat().st_size
    assert run("ledger", f"sqlite:///{path}").code == 0


def test_verify_says_whole_and_then_what_is_wrong(run: Callable[..., Ran], path: Path) -> None:
    whole = run("ledger", "--verify", "--json", "out.json")
    assert whole.code == 0, whole.err
    assert "the ledger is whole" in whole.out
    assert json.loads(Path("out.json").read_text())["verify"]["faults"] == []
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE answers SET payload = replace(payload, 'x', 'y')")
    wrong = run("ledger", "--verify", "--sample", "0", "--json", "out.json")
    assert wrong.code == 1
    assert wrong.out.count("WRONG answer ") == 2
    assert "faults: 2" in wrong.out
    assert len(json.loads(Path("out.json").read_text())["verify"]["faults"]) == 2


def test_pruning_shows_first_and_then_does(run: Callable[..., Ran], path: Path) -> None:
    first = run("ledger", "--forget", "first", "--dry-run", "--json", "out.json")
    assert first.code == 0, first.err
    assert "would go: 1 study (1 event), 1 answer and 0 builds" in first.out
    assert "first" in first.out.split("verdict", 1)[1]
    planned = json.loads(Path("out.json").read_text())["prune"]
    done = run("ledger", "--forget", "first", "--json", "out.json")
    assert "gone: 1 study (1 event), 1 answer" in done.out
    assert json.loads(Path("out.json").read_text())["prune"] == planned
    assert "forgotten studies: 1" in done.out
    assert "gone: 0 studies (0 events), 0 answers" in run("ledger", "--prune").out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["elsewhere.db"], "no ledger there"),
        (["--forget", "frist"], "no study 'frist' to forget; did you mean 'first'?"),
        (["--dry-run"], "give one of them"),
        (["--verify", "--prune"], "two things"),
        (["--json", "/proc/nowhere/x.json"], "cannot write"),
    ],
)
def test_bad_input_is_one_line(
    run: Callable[..., Ran], path: Path, arguments: list[str], says: str
) -> None:
    before = path.read_bytes()
    ran = run("ledger", *arguments)
    assert (ran.code, len(ran.err.strip().splitlines())) == (2, 1)
    assert says in ran.err
    assert path.read_bytes() == before
