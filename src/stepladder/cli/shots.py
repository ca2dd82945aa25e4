"""`stepladder shots`: how many demonstrations are worth it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stepladder.cli.app import app
from stepladder.cli.options import JsonFile, LedgerUrl, Models, Requests, TaskFile, numbers
from stepladder.cli.outputs import refuse_unwritable
from stepladder.cli.progress import climbed


@app.command()
def shots(
    task: TaskFile,
    model: Models = None,
    shown: Annotated[
        str, typer.Option("--numbers", help="Demonstrations a prompt, several by commas.")
    ] = "0,1,2,4,8,16",
    draws: Annotated[int, typer.Option(min=1, help="Draws of demonstrations a number.")] = 3,
    against: Annotated[
        str, typer.Option(help="The training they are held against; 'none' for none.")
    ] = "lora",
    requests: Requests = 100_000,
    ledger: LedgerUrl = "runs/ledger.db",
    json: JsonFile = None,
    html: Annotated[
        Path | None, typer.Option(help="Write the page here; default runs/STUDY/shots.html.")
    ] = None,
) -> None:
    """Show quality and cost over the number of demonstrations, and when to train instead.

    Every number is asked with several draws on the same test items, in one study,
    so the same command goes on from where it was.
    """
    from rich.console import Console

    from stepladder.report.shots import print_shots, write_shots
    from stepladder.study.shots import plan_shots, read_shots
    from stepladder.tasks import Task

    plan = plan_shots(
        Task.load(task),
        model or ["embedded"],
        shots=numbers("--numbers", shown),
        draws=draws,
        tuned=None if against == "none" else against,
        requests=requests,
        ledger=ledger,
    )
    page = html or Path("runs") / plan.study.name / "shots.html"
    refuse_unwritable(page, json)
    climbed(plan.study)
    found = read_shots(plan)
    print_shots(found, Console())
    write_shots(found, page, json)
    typer.echo(f"page: {page}", err=True)
