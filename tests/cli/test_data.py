"""`stepladder data`: what of the wish cannot be is said before anything is asked."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from commands import Ran

SAMPLE = Path(__file__).parents[2] / "src/stepladder/samples/inbox-labels"


@pytest.fixture
def task(tmp_path: Path) -> str:
    """A small part of a bundled task."""
    for split, count in (("train", 24), ("dev", 4), ("test", 6)):
        lines = (SAMPLE / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
        (tmp_path / f"{split}.jsonl").write_text("\n".join(lines[:count]) + "\n", encoding="utf-8")
    settings = yaml.safe_load((SAMPLE / "task.yaml").read_text(encoding="utf-8"))
    (tmp_path / "task.yaml").write_text(yaml.safe_dump(settings))
    return str(tmp_path / "task.yaml")


def test_rows_beyond_all_are_left_out_and_said_to_be(
    run: Callable[..., Ran], task: str, tmp_path: Path
) -> None:
    ran = run(
        "data", task, "--rows", "0,9999", "--shots", "0,1", "--seeds", "1", "--json", "data.json"
    )
    assert ran.code == 0, ran.err
    found = json.loads((tmp_path / "data.json").read_text())
    (note,) = found["notes"]
    assert note.startswith("9,999 rows are more than the 24 training rows of ")
    assert ran.err.splitlines()[0] == note
    assert all(sentence in " ".join(ran.out.split()) for sentence in found["sentences"])


def test_nothing_but_rows_beyond_all_is_refused(
    run: Callable[..., Ran], task: str, tmp_path: Path
) -> None:
    ran = run("data", task, "--rows", "500,9999")
    assert ran.code == 2
    assert "500 and 9,999 rows are more than the 24 training rows of" in ran.err
    assert "give numbers up to 24, or all" in ran.err
    assert not (tmp_path / "runs").exists()
