"""The verdict and the table of rungs in the terminal.

    print_table(summary)

Plain text of 100 columns when piped: rich leaves colours out by itself. What comes from data is
added as text, never as rich's markup, and cannot carry control characters.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from stepladder.report import units
from stepladder.report.evidence import KINDS, EvidenceView
from stepladder.report.seeds import SpreadView
from stepladder.report.view import MetricView, Row, View, look
from stepladder.study.summary import Summary

_WIDTH = 100
_RUNG = 22
"""Columns that long names get at least; metrics that would take them are left to the page."""
_METRIC = 11
_FIXED = 45
"""Columns of request, building, total and failures with what stands between them."""
_GUARD = 9
"""Columns of what the guards lost, where there are guards."""


def print_table(summary: Summary, console: Console | None = None) -> None:
    """Prints the verdict's sentence, a row a rung, and what there is to know about them, to the
    console (standard output where none is given).

    Values are on the scale of 0 to 100 with the 95 % interval below. Up to 100 columns are used.
    """
    if console is None:
        console = Console(width=None if sys.stdout.isatty() else _WIDTH)
    view = look(summary)
    width = min(console.width, _WIDTH)
    longest = max((cell_len(row.name) for row in view.rows), default=0)
    fixed = _FIXED + _GUARD * view.guarded
    room = max(1, (width - min(longest, _RUNG) - fixed) // _METRIC)
    console.print(Text(units.legible(summary.verdict.sentence), style="bold"), width=width)
    console.print()
    console.print(_table(view, view.metrics[:room], summary.requests), width=width)
    for line in _remarks(summary, view, view.metrics[room:]):
        console.print(Padding(line, (0, 0, 0, 2)), width=width)


def _table(view: View, metrics: tuple[MetricView, ...], requests: int) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("", no_wrap=True)
    table.add_column("rung", overflow="fold")
    for metric in metrics:
        table.add_column(Text(metric.name), justify="right", no_wrap=True)
    table.add_column("a request", justify="right", no_wrap=True)
    table.add_column("building", justify="right", no_wrap=True)
    table.add_column(Text(f"{requests:,}\nrequests"), justify="right", no_wrap=True)
    if view.guarded:
        table.add_column("guards", justify="right", no_wrap=True)
    table.add_column("failures", justify="right")
    for row in view.rows:
        table.add_row(
            *_cells(row, metrics, guarded=view.guarded), style="bold" if row.winner else ""
        )
    return table


def _cells(row: Row, metrics: tuple[MetricView, ...], *, guarded: bool) -> Iterator[Text]:
    yield Text(">" if row.winner else "")
    yield Text(row.name)
    if row.absence:
        yield Text("failed", style="red") if row.error else Text(row.absence.split(":")[0])
        yield from (Text("") for _ in range(len(metrics) + 3 + guarded))
        return
    for metric in metrics:
        score = row.scores.get(metric.name)
        cell = Text(score.text if score else units.DASH)
        if score:
            cell.append(f"\n{score.interval.replace(' to ', '-')}", style="dim not bold")
            if len(metric.ns) > 1:
                cell.append(f"\nn = {score.n:,}", style="dim not bold")
        yield cell
    yield from (Text(row.costs[name]) for name in ("seconds", "build", "total"))
    if guarded:
        yield _guards(row)
    failures = Text(f"{row.failed:,}")
    if row.missing:
        failures.append(f"\n{row.missing:,} missing", style="red")
    yield failures


def _guards(row: Row) -> Text:
    """What the guard task that lost most lost, and whether that was too much."""
    if row.forgetting is None:
        return Text("")
    cell = Text(row.forgetting.short.replace(" ", "\n"))
    if row.forgetting.refusal is not None:
        cell.append("\nrefused", style="red")
    return cell


def _remarks(summary: Summary, view: View, left_out: tuple[MetricView, ...]) -> Iterator[Text]:
    if view.sample != units.DASH:
        below = "below each value its 95 % interval"
        yield Text(f"n = {view.sample} test items; {below}; {units.DASH} is not known", style="dim")
    if left_out:
        names = ", ".join(metric.name for metric in left_out)
        yield Text(f"no room here for {names}: see the page or the JSON", style="dim")
    for row in view.rows:
        yield from _about(row)
    for line in view.race:
        yield Text(line)
    if view.spread is not None:
        yield from _spread(view.spread)
    for note in summary.verdict.notes:
        yield Text(units.legible(note))
    if summary.crossover:
        yield Text(units.legible(summary.crossover.sentence))


def _spread(spread: SpreadView) -> Iterator[Text]:
    """The rungs over the seeds, and what is to be said of it."""
    for row in spread.rows:
        values = zip(spread.seeds, row.values, strict=True)
        by_seed = ", ".join(f"seed {seed} {value}" for seed, value in values)
        yield Text(f"{row.name}: {by_seed}; mean {row.mean}, {row.range} (n = {row.items})")
    for line in spread.warnings:
        yield Text(line, style="yellow")
    for line in spread.sentences:
        yield Text(line)


def _evidence(evidence: EvidenceView) -> str:
    """Retrieval, answers and the split of the gain, on one line."""
    kinds = ", ".join(
        f"{share} {KINDS[kind]}" for kind, share in evidence.kinds.items() if share != "0.0 %"
    )
    found = evidence.found
    parts = [f"answers {kinds}"]
    if found is not None:
        passages = "1 passage" if found["k"] == "1" else f"{found['k']} passages"
        carrying = f"{found['carrying']} of the answers stand in the {passages} shown"
        known = f" (MRR {found['mrr']})" if found["mrr"] != units.DASH else ""
        parts = [f"{carrying}{known}", *parts]
    return "; ".join(filter(None, (*parts, evidence.worth)))


def _about(row: Row) -> Iterator[Text]:
    """What is said of one rung below the table."""
    if row.error is not None:
        yield Text(units.legible(f"{row.name} failed to build: {row.error}"), style="red")
    if row.failures:
        causes = ", ".join(f"{n:,} {cause}" for cause, n in row.failures)
        yield Text(units.legible(f"failures of {row.name}: {causes}"))
    if row.programs is not None:
        fates = ", ".join(f"{n} {fate}" for fate, n in row.programs.fates.items())
        yield Text(units.legible(f"programs of {row.name}: {fates}"))
    for line in row.forgetting.lines if row.forgetting else ():
        yield Text(units.legible(f"guard of {row.name}: {line.sentence}"))
    if row.evidence is not None:
        yield Text(units.legible(f"{row.name}: {_evidence(row.evidence)}"))
    for note in row.notes:
        yield Text(units.legible(f"{row.name}: {note}"))
