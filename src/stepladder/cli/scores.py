"""Scores as a table on standard output and as JSON in a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from stepladder.report.files import write_json_file

if TYPE_CHECKING:
    from stepladder.metrics import Graded
    from stepladder.records import Score


def print_scores(scores: Sequence[Score], details: bool) -> None:
    """A row a metric, times what shows it on a scale of 0 to 100, and below the table a line with
    the settings that decide each value; with `details` its parts too, on their own scale."""
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("metric")
    for heading in ("score", "95 % interval", "n"):
        table.add_column(heading, justify="right")
    for one in scores:
        name = one.metric if one.better == "higher" else f"{one.metric} (lower is better)"
        interval = f"{_shown(one.low, one.times)} to {_shown(one.high, one.times)}"
        table.add_row(Text(name), _shown(one.value, one.times), interval, f"{one.n:,}")
    console = Console()
    console.print(table)
    for one in scores:
        console.print(Text(one.signature), soft_wrap=True)
        if details and one.details:
            parts = ", ".join(f"{name} {value:.6g}" for name, value in one.details.items())
            console.print(Text(f"  {parts}"), soft_wrap=True)


def write_scores(path: Path, graded: Graded) -> None:
    """The scores by metric, and the ids that were missing or unknown. Raises OutputError."""
    found = {
        "metrics": {name: asdict(one) for name, one in graded.scores.items()},
        "missing": graded.missing,
        "unknown": graded.unknown,
    }
    write_json_file(found, path)


def some(ids: Sequence[str]) -> str:
    """How many ids, and the first of them.

    >>> some(["a", "b", "c", "d"])
    "4 ids ('a', 'b', 'c', ...)"
    """
    shown = ", ".join(map(repr, ids[:3])) + (", ..." if len(ids) > 3 else "")
    return f"{len(ids):,} {'id' if len(ids) == 1 else 'ids'} ({shown})"


def _shown(value: float | None, times: float) -> str:
    return "unknown" if value is None else f"{value * times:.2f}"
