"""`stepladder report`: a study as a table, a page and JSON, from the ledger alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stepladder.cli.app import app
from stepladder.cli.options import JsonFile, LedgerUrl
from stepladder.cli.outputs import refuse_unwritable


@app.command()
def report(
    study: Annotated[str, typer.Argument(help="The study's name in the ledger.")],
    ledger: LedgerUrl = "runs/ledger.db",
    html: Annotated[
        Path | None, typer.Option(help="Write the page here; default runs/STUDY/report.html.")
    ] = None,
    json: JsonFile = None,
) -> None:
    """Show what a study found, and write its report; nothing is asked or trained.

    Of a study that is not finished, the partial table is shown.
    """
    from stepladder.report import print_table, write_html, write_json
    from stepladder.study import load_summary

    page = html or Path("runs") / study / "report.html"
    refuse_unwritable(page, json)
    summary = load_summary(ledger, study, partial=True)
    print_table(summary)
    write_html(summary, page)
    if json is not None:
        write_json(summary, json)
    typer.echo(f"report: {page}", err=True)
