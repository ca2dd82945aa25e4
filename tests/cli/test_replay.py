"""`stepladder replay`: the search on the bundled model, and what cannot be searched as one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from commands import Ran

SAMPLES = Path(__file__).parents[2] / "src/stepladder/samples"
METHOD = "full(epochs=1, lr=1e-5, batch_size=4)"
"""So low a rate that nothing is forgotten, nor learned."""


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    """A small part of a bundled task, guarded by a small part of another."""

    def part(sample: str, name: str, test: int, **more: object) -> str:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        for split, count in (("train", 12), ("dev", 3), ("test", test)):
            lines = (SAMPLES / sample / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
            (folder / f"{split}.jsonl").write_text("\n".join(lines[:count]) + "\n", "utf-8")
        settings = yaml.safe_load((SAMPLES / sample / "task.yaml").read_text(encoding="utf-8"))
        settings = {key: v for key, v in (settings | more).items() if v is not None}
        (folder / "task.yaml").write_text(yaml.safe_dump(settings | {"name": name}))
        return str(folder / "task.yaml")

    def written(**more: object) -> str:
        other = part("inbox-labels", "other", 40)
        guard = {"tasks": [{"task": other, "max_drop": 0.5}]}
        return part("phrasebook", "mine", 8, **({"guard": guard, "replay": [other]} | more))

    return written


def test_the_smallest_share_is_printed_drawn_and_written(
    run: Callable[..., Ran], write: Callable[..., str], tmp_path: Path
) -> None:
    wanted = ("--method", METHOD, "--shares", "0,0.2", "--seeds", "1", "--json", "r.json")
    ran = run("replay", write(), *wanted)
    assert ran.code == 0, ran.err
    found = json.loads((tmp_path / "r.json").read_text())
    assert [share["standing"] for share in found["shares"]] == ["within", "not tried"]
    assert found["verdict"]["kind"] == "not-needed"
    assert found["verdict"]["sentence"] in " ".join(ran.out.split())
    assert "<svg" in (tmp_path / "runs/mine/replay.html").read_text()
    again = run("replay", write(), *wanted)
    assert again.out == ran.out


def test_too_few_items_leave_it_undecided_with_its_own_exit_code(
    run: Callable[..., Ran], write: Callable[..., str]
) -> None:
    path = write()
    other = str(Path(path).parents[1] / "other/task.yaml")
    guard = {"tasks": [{"task": other, "max_drop": 0.01}]}
    ran = run("replay", write(guard=guard), "--method", METHOD, "--shares", "0", "--seeds", "1")
    assert ran.code == 3, ran.err
    assert "Undecided: no share is shown" in ran.out


@pytest.mark.parametrize(
    ("arguments", "changed", "said"),
    [
        (("--shares", "0,x"), {}, "--shares is '0,x'; give numbers by commas"),
        (("--shares", "1.2"), {}, "replay is 1.2; give the share of other data"),
        (("--shares", "0,nan"), {}, "replay is nan"),
        (("--shares", "0.9"), {}, "replay=0.9 beside 12 rows takes 108 rows"),
        (("--method", "few-shot(2)"), {}, "'few-shot(2)' trains nothing"),
        ((), {"guard": None}, "has no guard task with a max_drop"),
        ((), {"replay": None}, "the task names no other data"),
        (("--seeds", "0"), {}, "Invalid value for '--seeds'"),
    ],
)
def test_what_cannot_be_searched_is_one_line(
    run: Callable[..., Ran],
    write: Callable[..., str],
    tmp_path: Path,
    arguments: tuple[str, ...],
    changed: dict[str, object],
    said: str,
) -> None:
    ran = run("replay", write(**changed), *arguments)
    assert ran.code == 2
    assert said in " ".join(ran.err.split())
    assert not (tmp_path / "runs").exists()
