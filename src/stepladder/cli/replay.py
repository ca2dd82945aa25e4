"""`stepladder replay`: how much other data keeps a training from forgetting."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stepladder.cli.app import app
from stepladder.cli.options import JsonFile, LedgerUrl, OneModel, TaskFile, fractions
from stepladder.cli.outputs import refuse_unwritable
from stepladder.cli.progress import climbed


@app.command()
def replay(
    task: TaskFile,
    model: OneModel = "embedded",
    method: Annotated[str, typer.Option(help="The training, without replay.")] = "full",
    shares: Annotated[
        str, typer.Option(help="Shares of the mixture that is other data, several by commas.")
    ] = "0,0.05,0.1,0.2,0.4",
    seeds: Annotated[int, typer.Option(min=1, help="Trainings a share.")] = 3,
    go_on: Annotated[
        bool, typer.Option("--all", help="Try every share, whichever is enough.")
    ] = False,
    ledger: LedgerUrl = "runs/ledger.db",
    json: JsonFile = None,
    html: Annotated[
        Path | None, typer.Option(help="Write the page here; default runs/TASK/replay.html.")
    ] = None,
) -> None:
    """Find the smallest share of replay that keeps a training within its guards' max_drop.

    Shares are tried from the smallest on, each with all seeds; the page draws the
    task's gain against what is lost. Interrupted, the same command goes on. Exit
    code 3: undecided.
    """
    from rich.console import Console

    from stepladder.engines.opening import find_model
    from stepladder.report.shares import print_shares, write_shares
    from stepladder.study import Study
    from stepladder.study.shares import plan_shares, read_shares, search
    from stepladder.tasks import Task

    loaded = Task.load(task)
    plan = plan_shares(
        loaded,
        find_model(model, loaded.sampling),
        method=method,
        shares=fractions("--shares", shares),
        seeds=seeds,
        ledger=ledger,
    )
    page = html or Path("runs") / loaded.name / "replay.html"
    refuse_unwritable(page, json)

    def climb(study: Study) -> None:
        place = next(place for place in plan.places if place.study is study)
        typer.echo(f"{place.rung}, seed {place.seed}: {study.name}", err=True)
        climbed(study)

    search(plan, climb, go_on=go_on)
    found = read_shares(plan)
    print_shares(found, Console())
    write_shares(found, page, json)
    typer.echo(f"page: {page}", err=True)
    if found.verdict.kind == "undecided":
        raise typer.Exit(3)
