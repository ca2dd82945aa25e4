"""Prints what `check` found."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from stepladder.cli.unread import unread_lines
from stepladder.plurals import counted
from stepladder.records import Endpoint
from stepladder.report.units import DASH, size
from stepladder.report.units import seconds as duration
from stepladder.study.check import Foresight
from stepladder.study.draws import RepeatsForesight
from stepladder.study.guards import trains
from stepladder.study.plan import Plan
from stepladder.study.wording import listed

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
    for endpoint in foresight.endpoints:
        console.print(_about(endpoint), markup=False, highlight=False)
    for shown in foresight.examples:
        body = f"{escape(shown.prompt)}\n[dim]reference:[/] {escape(shown.reference)}"
        console.print(Panel(body, title=f"test item {escape(shown.id)}", title_align="left"))
    console.print(_sensitivity(plan, foresight))
    _print_leakage(foresight, console)
    for line in _guards(plan, foresight):
        console.print(line, markup=False, highlight=False)
    if foresight.repeats is not None:
        console.print(_repeats(plan, foresight.repeats), markup=False, highlight=False)
    console.print(
        "Predicted: tokens in and out, time, the memory of trainings; the total is at "
        f"{plan.requests:,} requests.",
        highlight=False,
    )
    console.print(_table(plan, foresight))
    for p in foresight.predictions:
        for note in p.notes:
            console.print(f"{p.name}: {note}", markup=False, highlight=False)
    console.print(_sources(foresight), markup=False, highlight=False)


def _sources(foresight: Foresight) -> str:
    """What the predictions rest on; an endpoint's have no seconds."""
    said = f"Predictions, not measurements. Tokens are counted {foresight.counted}"
    sources = {p.source for p in foresight.predictions} - {"unknown"}
    if not sources:
        return f"{said}."
    names = {
        "probed": "a probe of this machine as it is now",
        "measured": "rates measured in earlier climbs of this ledger",
        "given": "what is given",
        "default": "a default",
    }
    rests = " or ".join(name for source, name in names.items() if source in sources)
    probed = any(p.probed for p in foresight.predictions) and sources != {"probed"}
    trainings = "; those of trainings on a probe of this machine" if probed else ""
    return f"{said}; seconds of a request rest on {rests}{trainings}."


def _about(endpoint: Endpoint) -> str:
    """What was found out about an endpoint."""
    able = endpoint.capabilities
    called = f"answers as {endpoint.reported}" if endpoint.reported else "does not say its name"
    way = "chat completions" if able.chat else "plain completions"
    scores = "scores given answers" if able.scores else "scores no given answer"
    context = "does not say its context" if able.context is None else f"context {able.context:,}"
    return (
        f"{endpoint.name} {called}: {way}, {scores}, trains nothing, {context}; its weights cannot "
        "be known, and its time is not predicted."
    )


def _sensitivity(plan: Plan, foresight: Foresight) -> str:
    task, rungs = plan.task, len(plan.rungs)
    have = "has" if foresight.decided == 1 else "have"
    drawn = counted(foresight.decided, "verdict")
    before = f" {drawn} {have} been drawn from this test split already."
    seen = before if foresight.decided else ""
    if foresight.detectable is None:
        return (
            f"{task.deciding} is a corpus measure: what it can tell apart shows in a climb.{seen}"
        )
    among = f"With {counted(len(task.test), 'test item')} and {counted(rungs, 'rung')}"
    if foresight.detectable >= 1:
        return (
            f"{among}, no difference is sure to be shown: give more test items, unless answers "
            f"spread little.{seen}"
        )
    points = f"{100 * foresight.detectable:.0f} points of 100"
    if task.target is None and rungs == 1:
        return (
            f"{among}, its lower bound comes within {points} of its true score with a probability "
            f"of 80 %, at the widest spread a measure can have; nearer where answers spread "
            f"less.{seen}"
        )
    against = "from the target" if task.target else "between two rungs, beyond the margin,"
    return (
        f"{among}, a difference of {points} {against} is "
        f"shown with a probability of 80 %, at the widest spread a measure can have; smaller ones "
        f"where answers spread less.{seen}"
    )


def _guards(plan: Plan, foresight: Foresight) -> Iterator[str]:
    """What the guards can show, and what they will cost."""
    guard = plan.task.guard
    if guard is None:
        return
    rungs = [planned for planned in plan.rungs if trains(planned)]
    if not rungs:
        yield "Guards: no rung trains, so none is asked."
        return
    for each in foresight.guards:
        least = "nothing" if each.least is None else f"no drop below {each.least:.1f} points"
        allowed = "none is refused" if each.allowed is None else f"allowed {each.allowed:g}"
        yield (
            f"Guard {each.name}: {each.rung}, {counted(each.items, 'item')}, which can show "
            f"{least}; {allowed}."
        )
    items = sum(each.items for each in foresight.guards)
    bases = len({planned.checkpoint for planned in rungs})
    base = "the base" if bases == 1 else f"{bases} bases"
    text = f" and {counted(len(guard.text.pieces), 'piece')} of text" if guard.text else ""
    trainings = counted(len(rungs), "training")
    yield (
        f"Guards cost {counted(items, 'request')}{text} to {base} once and to each of "
        f"{trainings}: {items * (bases + len(rungs)):,} requests at most, beside those below."
    )


def _repeats(plan: Plan, repeats: RepeatsForesight) -> str:
    """What further seeds would cost at most; which rungs are repeated shows in the race."""
    parts = [counted(repeats.trainings, "training")] if repeats.trainings else []
    parts.append(counted(repeats.requests, "request"))
    time = "" if repeats.seconds is None else f", predicted to take {duration(repeats.seconds)}"
    still = (
        f"; another seed changes nothing in {listed(repeats.unmoved)}" if repeats.unmoved else ""
    )
    return (
        f"Seeds: {plan.task.seeds} builds of each rung that the verdict hangs on: at most "
        f"{' and '.join(parts)} more{time}, if it is all of {listed(repeats.rungs)}{still}."
    )


def _print_leakage(foresight: Foresight, console: Console) -> None:
    lines = foresight.leakage.lines() or ("No input stands in two splits, exactly or nearly.",)
    for line in lines:
        console.print(line, markup=False, highlight=False)
    copies = [p for p in foresight.leakage.pairs if p.kind != "numbers"]
    for pair in copies[:_SHOWN_LEAKS]:
        console.print(
            f"  {pair.kind}: {pair.split} {pair.id}, {pair.other} {pair.other_id} "
            f"({pair.similarity:.2f})",
            markup=False,
            highlight=False,
        )
    leak = foresight.knowledge_leak
    if leak is not None:
        console.print(leak.line(), markup=False, highlight=False)
        for id in leak.questions[:_SHOWN_LEAKS]:
            behind = ", with its answer" if id in leak.answered else ""
            console.print(f"  test {id}{behind}", markup=False, highlight=False)
        for line in unread_lines(leak.unread):
            console.print(line, markup=False, highlight=False)


def _table(plan: Plan, foresight: Foresight) -> Table:
    table = Table()
    table.add_column("rung", overflow="fold")
    for column in ("in", "out", "a request", "build", "memory", "total"):
        table.add_column(column, justify="right", no_wrap=True)
    for p in foresight.predictions:
        table.add_row(
            escape(p.name),
            DASH if p.tokens_in is None else f"{p.tokens_in:,.0f}",
            DASH if p.tokens_out is None else f"{p.tokens_out:,.0f}",
            duration(p.seconds),
            duration(p.build_seconds),
            size(p.memory),
            duration(p.total(plan.requests)),
        )
    return table
