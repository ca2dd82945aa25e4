"""What `check` found, in words."""

from __future__ import annotations

import io
from dataclasses import replace

from rich.console import Console

from stepladder.checkpoints import resolve
from stepladder.cli.foresight import print_foresight
from stepladder.study.check import Foresight
from stepladder.study.plan import make_plan
from stepladder.tasks import Guard, PlainText, Task, leakage


def said(*pieces: str, decided: int) -> str:
    """Of a training under a guard of so many pieces of text."""
    row = {"x": "a cat", "y": "a dog"}
    task = Task.from_rows(
        {"train": [{"x": "the cow", "y": "a cow"}], "test": [row]},
        name="t",
        input="x",
        references="y",
        metrics=["exact_match"],
    )
    task = replace(task, guard=Guard(text=PlainText("notes", pieces)))
    plan = make_plan(task, [resolve("embedded")], ["lora"])
    found = Foresight((), 0.1, (), leakage(task), None, decided, "somehow", ())
    out = io.StringIO()
    print_foresight(plan, found, Console(file=out, width=200))
    return " ".join(out.getvalue().split())


def test_one_of_a_thing_is_no_plural() -> None:
    one = said("One line.", decided=1)
    assert "0 requests and 1 piece of text to the base once and to each of 1 training:" in one
    # Of one rung without a target no difference is asked for, only what it is shown to score.
    assert "With 1 test item and 1 rung, its lower bound comes within 10 points of 100 of" in one
    assert "between two rungs" not in one
    assert "1 verdict has been drawn from this test split already" in one
    two = said("One line.", "Another line.", decided=2)
    assert "2 pieces of text" in two
    assert "2 verdicts have been drawn" in two
