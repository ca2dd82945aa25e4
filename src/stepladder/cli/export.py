"""`stepladder export`: the winner as a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stepladder.cli.app import app
from stepladder.cli.options import LedgerUrl


@app.command()
def export(
    study: Annotated[str, typer.Argument(help="A finished study.")],
    folder: Annotated[Path, typer.Argument(help="A folder that is not there yet, or empty.")],
    rung: Annotated[str | None, typer.Option(help="Another rung than the winner.")] = None,
    merged: Annotated[
        bool, typer.Option("--merged", help="Add an adapter into its base's weights.")
    ] = False,
    ledger: LedgerUrl = "runs/ledger.db",
) -> None:
    """Write a rung's weights, prompter and reader to a folder that `ask` and `climb` take.

    The weights are in peft's or transformers' own format; README.md is the model
    card. What is written is asked prompts of the study again, and must answer as
    it did.
    """
    from stepladder.checkpoints import short_name
    from stepladder.study.card import sameness_line
    from stepladder.study.export import export as write

    row, forms = write(ledger, study, folder, rung, merged=merged)
    for form in forms:
        typer.echo(sameness_line(form), err=True)
    typer.echo(f"{row.name} on {short_name(row.model)} is in {folder}", err=True)
    typer.echo(f'try: stepladder ask {folder} "..."', err=True)
