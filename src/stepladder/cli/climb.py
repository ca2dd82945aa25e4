"""`stepladder climb`: from a task and models to a verdict."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stepladder import registry
from stepladder.cli.app import app
from stepladder.cli.options import (
    AllowPickle,
    Dtype,
    JsonFile,
    Knowledge,
    LedgerUrl,
    Models,
    Requests,
    Rungs,
    Seeds,
    TaskFile,
    load_task,
)
from stepladder.cli.outputs import refuse_unwritable
from stepladder.cli.progress import climbed
from stepladder.plurals import counted


@app.command()
def climb(
    task: TaskFile,
    model: Models = None,
    rungs: Rungs = None,
    knowledge: Knowledge = None,
    name: Annotated[str | None, typer.Option(help="The study's name in the ledger.")] = None,
    requests: Requests = 100_000,
    seeds: Seeds = None,
    go_on: Annotated[
        bool, typer.Option("--all", help="Ask every rung everything, whatever is decided.")
    ] = False,
    dtype: Dtype = "float32",
    ledger: LedgerUrl = "runs/ledger.db",
    json: JsonFile = None,
    html: Annotated[
        Path | None, typer.Option(help="Write the page here; default runs/NAME/report.html.")
    ] = None,
    allow_pickle: AllowPickle = False,
) -> None:
    """Climb the ladder for a task and say which rung is the cheapest that is good enough.

    Interrupted or killed, the same command goes on from where it was. Exit code 3: undecided.
    """
    from stepladder.engines.opening import find_model
    from stepladder.report import print_table, write_html, write_json
    from stepladder.study import Study

    loaded = load_task(task, knowledge, seeds)
    study = Study(
        loaded,
        [find_model(m, loaded.sampling, allow_pickle=allow_pickle) for m in model or ["embedded"]],
        None if rungs is None else registry.split(rungs),
        name=name,
        requests=requests,
        go_on=go_on,
        dtype=dtype,
        ledger=ledger,
    )
    page = html or Path("runs") / study.name / "report.html"
    refuse_unwritable(page, json)
    summary = climbed(study)
    print_table(summary)
    write_html(summary, page)
    if json is not None:
        write_json(summary, json)
    work = summary.provenance["work in the last run"]
    typer.echo(
        f"study {study.name}; this run: {counted(work['requests asked'], 'request')}, "
        f"{counted(work['trainings'], 'training')}, "
        f"{work['seconds']:,.0f} s; report: {page}",
        err=True,
    )
    if summary.verdict.kind == "undecided":
        raise typer.Exit(3)
