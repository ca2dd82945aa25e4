"""Prints what `check` found."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from stepladder.report.units import DASH
from stepladder.report.units import seconds as duration
from stepladder.study.check import Foresight
from stepladder.study.plan import Plan

_SHOWN_LEAKS = 5


def print_foresight(plan: Plan, foresight: Foresight, console: Console) -> None:
    """Task, examples, what the items can tell apart, leakage, predicted costs."""
    task = plan.task
    console.print(
        f"[bold]{escape(task.name)}[/]: {len(task.train)} train, {len(task.dev)} dev, "
        f"{len(task.test)} test rows; decided by {task.deciding}"
    )
    for note in task.notes:
        console.print(f"  {escape(note)}")
    for shown in foresight.examples:
        body = f"{escape(shown.prompt)}\n[dim]reference:[/] {escape(shown.reference)}"
        console.print(Panel(body, title=f"test item {escape(shown.id)}", title_align="left"))
    console.print(_sensitivity(plan, foresight))
    _print_leakage(foresight, console)
    console.print(_table(plan, foresight))
    console.print(
        f"Predictions, not measurements; tokens counted {foresight.counted}. "
        "'default': no climb of a model of this size is in the ledger yet."
    )


def _sensitivity(plan: Plan, foresight: Foresight) -> str:
    task, rungs = plan.task, len(plan.rungs)
    before = f" {foresight.decided} verdicts have been drawn from this test split already."
    seen = before if foresight.decided else ""
    if foresight.detectable is None:
        return (
            f"{task.deciding} is a corpus measure: what it can tell apart shows in a climb.{seen}"
        )
    against = "from the target" if task.target else "between two rungs, beyond the margin"
    return (
        f"With {len(task.test)} test items and {rungs} rungs, a difference of "
        f"{100 * foresight.detectable:.0f} points of 100 {against} is shown with a probability of "
        f"80 %, at the widest spread a measure can have; smaller ones where answers spread less."
        f"{seen}"
    )


def _print_leakage(foresight: Foresight, console: Console) -> None:
    pairs = foresight.leakage.pairs
    if not pairs:
        console.print("No test input stands in train or dev, exactly or nearly.")
        return
    console.print(f"[bold]Leakage:[/] {len(pairs)} pairs of inputs over the splits are the same:")
    for pair in pairs[:_SHOWN_LEAKS]:
        console.print(
            f"  {pair.kind}: {escape(pair.split)} {escape(pair.id)} and "
            f"{escape(pair.other_split)} {escape(pair.other_id)} ({pair.similarity:.2f})"
        )
    if len(pairs) > _SHOWN_LEAKS:
        console.print(f"  and {len(pairs) - _SHOWN_LEAKS} more")


def _table(plan: Plan, foresight: Foresight) -> Table:
    table = Table(title=f"predicted, at {plan.requests:,} requests", title_justify="left")
    table.add_column("rung")
    for column in ("tokens in", "tokens out", "a request", "build", "total", "from rates"):
        table.add_column(column, justify="right")
    for p in foresight.predictions:
        table.add_row(
            escape(p.name),
            DASH if p.tokens_in is None else f"{p.tokens_in:,.0f}",
            DASH if p.tokens_out is None else f"{p.tokens_out:,.0f}",
            duration(p.seconds),
            duration(p.build_seconds),
            duration(p.total(plan.requests)),
            p.source,
        )
    return table
