"""`stepladder check`: everything that can be said before anything is spent."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stepladder import registry
from stepladder.cli.app import app


@app.command()
def check(
    task: Annotated[Path, typer.Argument(help="The task file (YAML).")],
    model: Annotated[
        list[str] | None,
        typer.Option(help="Hub id, folder, or 'embedded'; may be given several times."),
    ] = None,
    rungs: Annotated[
        str | None, typer.Option(help='Instead of the task\'s own: "zero-shot, lora(rank=4)".')
    ] = None,
    requests: Annotated[
        int, typer.Option(help="Traffic that the cost of building is spread over.")
    ] = 100_000,
    ledger: Annotated[str, typer.Option(help="Path or URL of the ledger.")] = "runs/ledger.db",
) -> None:
    """Validate a task, show prompts, find leakage, and foretell what a climb would cost.

    Loads no weights and writes nothing.
    """
    from rich.console import Console

    from stepladder.checkpoints import resolve
    from stepladder.cli.foresight import print_foresight
    from stepladder.study.check import foresee
    from stepladder.study.plan import make_plan
    from stepladder.tasks import Task

    plan = make_plan(
        Task.load(task),
        [resolve(m) for m in model or ["embedded"]],
        registry.split(rungs) if rungs else None,
        requests=requests,
    )
    print_foresight(plan, foresee(plan, ledger), Console())
