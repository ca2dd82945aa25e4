"""`stepladder shots`: the curve on the bundled model, and wrong numbers as one line."""

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
    for split, count in (("train", 20), ("dev", 4), ("test", 12)):
        lines = (SAMPLE / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
        (tmp_path / f"{split}.jsonl").write_text("\n".join(lines[:count]) + "\n", encoding="utf-8")
    settings = yaml.safe_load((SAMPLE / "task.yaml").read_text(encoding="utf-8"))
    (tmp_path / "task.yaml").write_text(yaml.safe_dump(settings))
    return str(tmp_path / "task.yaml")


def test_the_curve_is_printed_drawn_and_written(
    run: Callable[..., Ran], task: str, tmp_path: Path
) -> None:
    wanted = ("--numbers", "0,2", "--draws", "2", "--against", "none", "--json", "shots.json")
    ran = run("shots", task, *wanted)
    assert ran.code == 0, ran.err
    found = json.loads((tmp_path / "shots.json").read_text())
    (model,) = found["models"]
    assert [(shots["k"], len(shots["draws"])) for shots in model["shots"]] == [(0, 1), (2, 2)]
    assert all(sentence in " ".join(ran.out.split()) for sentence in found["sentences"])
    (page,) = tmp_path.glob("runs/*/shots.html")
    assert "<svg" in page.read_text()
    again = run("shots", task, *wanted)
    assert json.loads((tmp_path / "shots.json").read_text()) == found
    assert again.out == ran.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--numbers", "0,x"), "--numbers is '0,x'; give numbers by commas"),
        (("--numbers", "99"), "few-shot(99"),
        (("--against", "one-shot"), "'one-shot' trains nothing"),
        (("--draws", "0"), "Invalid value for '--draws'"),
    ],
)
def test_wrong_settings_are_one_line(
    run: Callable[..., Ran], task: str, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    ran = run("shots", task, *arguments)
    assert ran.code == 2
    assert said in ran.err
    assert not (tmp_path / "runs").exists()
