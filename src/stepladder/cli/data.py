"""`stepladder data`: how much data, and where to put it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stepladder.cli.app import app
from stepladder.cli.options import JsonFile, LedgerUrl, OneModel, TaskFile, numbers
from stepladder.cli.outputs import refuse_unwritable
from stepladder.cli.progress import climbed


@app.command()
def data(
    task: TaskFile,
    model: OneModel = "embedded",
    method: Annotated[str, typer.Option(help="The training.")] = "lora",
    rows: Annotated[
        str, typer.Option(help="Training rows, several by commas; 'all' is all there are.")
    ] = "0,32,128,512,all",
    shots: Annotated[str, typer.Option(help="Demonstrations a prompt, likewise.")] = "0,1,4",
    seeds: Annotated[
        int, typer.Option(min=1, help="Draws of rows and demonstrations, and trainings.")
    ] = 3,
    apart: Annotated[
        bool, typer.Option("--apart", help="Hold the rows that are shown apart from the training.")
    ] = False,
    ledger: LedgerUrl = "runs/ledger.db",
    json: JsonFile = None,
    html: Annotated[
        Path | None, typer.Option(help="Write the page here; default runs/TASK/data.html.")
    ] = None,
) -> None:
    """Find out how many training rows are needed, and what demonstrations spare of them.

    Every number of rows is trained on behind every number of demonstrations; the
    page draws lines of equal quality. Interrupted, the same command goes on.
    """
    from rich.console import Console

    from stepladder.engines.opening import find_model
    from stepladder.report.grid import print_grid, write_grid
    from stepladder.study.grid import plan_grid, read_grid
    from stepladder.tasks import Task

    loaded = Task.load(task)
    plan = plan_grid(
        loaded,
        find_model(model, loaded.sampling),
        method=method,
        rows=[
            None if part.strip() == "all" else numbers("--rows", part)[0]
            for part in rows.split(",")
        ],
        shots=numbers("--shots", shots),
        seeds=seeds,
        apart=apart,
        ledger=ledger,
    )
    page = html or Path("runs") / loaded.name / "data.html"
    refuse_unwritable(page, json)
    for note in plan.notes:
        typer.echo(note, err=True)
    for number, study in enumerate(plan.studies, 1):
        typer.echo(f"{number} of {len(plan.studies)}: {study.name}", err=True)
        climbed(study)
    found = read_grid(plan)
    print_grid(found, Console())
    write_grid(found, page, json)
    typer.echo(f"page: {page}", err=True)
