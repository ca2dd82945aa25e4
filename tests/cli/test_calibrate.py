from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from typer.testing import CliRunner

from stepladder.cli import COMMANDS, calibrate  # noqa: F401
from stepladder.cli.app import app
from stepladder.errors import TaskError
from stepladder.statistics import share_limit
from stepladder.study.calibration import Tally, cases, outcome

run: Callable = lambda *arguments: CliRunner().invoke(app, ["calibrate", *arguments])  # noqa: E731


def test_a_case_is_simulated_and_held_to_its_limit() -> None:
    few = run("--studies", "3", "--only", "2 rungs, grouped items: equal")
    assert few.exit_code == 0
    assert few.stdout.splitlines() == [  # nothing wrong in 3 leaves a limit of 0.63
        "open 2 rungs, grouped items: equal, called different: 0/3 = 0.0000, at most 0.6316",
        "1 of 1 are open; more --studies would tell",
    ]
    power = run("--studies", "3", "--only", "power: 0.6, 0.8 of 1,000 items, target")
    assert power.exit_code == 0 and "3/3 = 1.0000, median" in power.stdout


def test_real_outputs_are_drawn_from(tmp_path: Path) -> None:
    rows = [{"id": str(i), "q": f"say {i}", "a": f"the word {i} is said"} for i in range(120)]
    for split in ("train", "test"):
        text = "\n".join(
            json.dumps(row) for row in rows if (int(row["id"]) < 60) == (split == "test")
        )
        (tmp_path / f"{split}.jsonl").write_text(text)
    (tmp_path / "task.yaml").write_text(
        "name: t\ndata: {train: train.jsonl, test: test.jsonl}\nid: id\ninput: q\n"
        "references: a\ninstruction: Say it.\nmetrics: [bleu]\n"
    )
    said = [
        {"id": row["id"], "output": row["a"].replace("word", "wo rd"[i % 5 :])}
        for i, row in enumerate(rows)
    ]
    (tmp_path / "out.jsonl").write_text("\n".join(json.dumps(row) for row in said))
    task, outputs = str(tmp_path / "task.yaml"), str(tmp_path / "out.jsonl")
    drawn = run("--studies", "2", "--only", "real", "--task", task, "--outputs", outputs)
    assert drawn.stdout.count("2 rungs, bleu of real outputs") == 2
    assert "/2 = " in drawn.stdout
    none = run("--studies", "1", "--only", "nothing")
    assert isinstance(none.exception, TaskError) and "no case has 'nothing'" in str(none.exception)
    alone = run("--studies", "1", "--outputs", outputs)
    assert isinstance(alone.exception, TaskError) and "belong together" in str(alone.exception)


def test_a_case_fails_where_its_lower_limit_is_above_the_tolerated_share() -> None:
    case = next(c for c in cases() if not c.power)
    power = next(c for c in cases() if c.power)
    of = lambda wrong, items=0.0: Tally(wrong, 100, share_limit(wrong, 100), items, 0.0)  # noqa: E731
    assert [outcome(case, of(wrong)) for wrong in (1, 6, 12)] == ["ok", "open", "FAIL"]
    assert outcome(power, of(100, power.reach)) == "ok"
    assert outcome(power, of(100, power.reach + 10)) == "FAIL"
