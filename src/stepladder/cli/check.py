"""`stepladder check`: everything that can be said before anything is spent."""

from __future__ import annotations

from stepladder import registry
from stepladder.cli.app import app
from stepladder.cli.options import (
    Knowledge,
    LedgerUrl,
    Models,
    Requests,
    Rungs,
    Seeds,
    TaskFile,
    load_task,
)


@app.command()
def check(
    task: TaskFile,
    model: Models = None,
    rungs: Rungs = None,
    knowledge: Knowledge = None,
    requests: Requests = 100_000,
    seeds: Seeds = None,
    ledger: LedgerUrl = "runs/ledger.db",
) -> None:
    """Validate a task, show prompts, find leakage, and foretell what a climb would cost.

    Loads no weights and leaves the ledger alone. An endpoint is asked for a token or three.
    """
    from rich.console import Console

    from stepladder.cli.foresight import print_foresight
    from stepladder.engines.opening import find_model
    from stepladder.study.check import foresee
    from stepladder.study.plan import make_plan

    loaded = load_task(task, knowledge, seeds)
    plan = make_plan(
        loaded,
        [find_model(m, loaded.sampling) for m in model or ["embedded"]],
        None if rungs is None else registry.split(rungs),
        requests=requests,
    )
    print_foresight(plan, foresee(plan, ledger), Console())
