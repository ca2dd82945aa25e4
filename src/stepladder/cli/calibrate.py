"""`stepladder calibrate`: how often the verdicts of simulated studies are wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stepladder.cli.app import app

if TYPE_CHECKING:
    from stepladder.study.calibration import Case


@app.command()
def calibrate(
    studies: Annotated[
        int, typer.Option(min=1, help="Simulated studies a case; 2,000 take half an hour or more.")
    ] = 200,
    only: Annotated[str, typer.Option(help="Cases whose name contains this.")] = "",
    task: Annotated[
        Path | None, typer.Option(help="With --outputs: the task that they answer.")
    ] = None,
    outputs: Annotated[
        Path | None, typer.Option(help="Real outputs (JSONL) to draw from with replacement.")
    ] = None,
    metric: Annotated[str, typer.Option(help="With --outputs: how they are graded.")] = "bleu",
) -> None:
    """Race simulated studies and count wrong claims, with their 95 % upper limit.

    A case is ok where that limit is at most 0.06, and fails where the lower limit
    is above it, or where a decision takes more items than it should. Between the
    two it is open: more studies would tell. Exit code 1: a case failed.
    """
    from stepladder.errors import TaskError
    from stepladder.study.calibration import cases, outcome, tally

    if (task is None) != (outputs is None):
        raise TaskError("--task and --outputs belong together; give both or neither")
    chosen = list(cases())
    if task is not None and outputs is not None:
        chosen += _real(task, outputs, metric)
    named = [case for case in chosen if only in case.name]
    if not named:
        first = "'; '".join(case.name for case in chosen[:3])
        raise TaskError(f"no case has '{only}' in its name; they are '{first}' and so on")
    outcomes = []
    for case in named:
        found = tally(case, studies)
        outcomes.append(outcome(case, found))
        typer.echo(f"{outcomes[-1]:4} {case.name}: {found.describe(case.power)}")
    if count := outcomes.count("open"):
        typer.echo(f"{count} of {len(outcomes)} are open; more --studies would tell")
    if "FAIL" in outcomes:
        raise typer.Exit(1)


def _real(task: Path, outputs: Path, metric: str) -> Iterator[Case]:
    from stepladder.metrics import build_metrics
    from stepladder.study.calibration import resampled
    from stepladder.tasks import Task, read_outputs

    loaded, answers = Task.load(task), read_outputs(outputs)
    references = [example.references for example in loaded.test]
    (built,) = build_metrics([metric], loaded.labels, references)
    rows = built.statistics([answers.get(e.id, "") for e in loaded.test], references)
    yield from resampled(built, rows)
