"""`stepladder ledger`: what a ledger holds, whether it is whole, and what can go."""

from __future__ import annotations

from typing import Annotated

import typer

from stepladder.cli.app import app
from stepladder.cli.options import JsonFile
from stepladder.cli.outputs import refuse_unwritable

Ledgers = Annotated[str, typer.Argument(help="Path or URL of the ledger.")]


@app.command()
def ledger(
    ledger: Ledgers = "runs/ledger.db",
    verify: Annotated[
        bool, typer.Option("--verify", help="Recompute every hash, and ask a sample again.")
    ] = False,
    sample: Annotated[int, typer.Option(min=0, help="With --verify: answers asked again.")] = 20,
    seed: Annotated[int, typer.Option(help="With --verify: draws the sample.")] = 0,
    prune: Annotated[
        bool, typer.Option("--prune", help="Take out what no study refers to.")
    ] = False,
    forget: Annotated[
        list[str] | None,
        typer.Option(help="Prune this study too, with what it alone uses; may be given again."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what pruning would take out.")
    ] = False,
    json: JsonFile = None,
) -> None:
    """Show what a ledger holds; verify it, or prune it.

    A forgotten study's verdicts still count among those that its test split has
    decided. Exit code 1: --verify found something wrong.
    """
    from stepladder.cli.holdings import print_audit, print_contents, print_freed, write
    from stepladder.errors import LedgerError
    from stepladder.ledger import Ledger
    from stepladder.study.audit import audit

    pruning = prune or bool(forget)
    if verify and pruning:
        raise LedgerError("--verify and --prune are two things; run one after the other")
    if dry_run and not pruning:
        raise LedgerError("--dry-run says what --prune or --forget would do; give one of them")
    refuse_unwritable(json)
    with Ledger.open(ledger, create=False) as opened:
        freed = opened.prune(forget or (), dry_run=dry_run) if pruning else None
        found = audit(opened, sample, seed) if verify else None
        contents = opened.contents()
    if freed is not None:
        print_freed(freed, dry_run=dry_run)
    print_contents(contents)
    if found is not None:
        print_audit(found)
    if json is not None:
        write(json, contents, found, freed)
    if found is not None and found.faults:
        raise typer.Exit(1)
