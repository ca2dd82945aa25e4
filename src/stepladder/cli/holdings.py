"""What `stepladder ledger` shows, as text on standard output and as JSON in a file."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from stepladder.plurals import counted
from stepladder.report import units

if TYPE_CHECKING:
    from stepladder.ledger import Contents, Freed, StudyLine
    from stepladder.records import Json
    from stepladder.study.audit import Audit


def print_contents(contents: Contents) -> None:
    """A line on the file, a table by kind, a table of studies."""
    console = Console()
    console.print(Text(f"{contents.path}: {units.size(contents.size)}"), soft_wrap=True)
    kinds = Table(box=box.SIMPLE_HEAD)
    kinds.add_column("kind")
    for heading in ("rows", "bytes"):
        kinds.add_column(heading, justify="right")
    for kind in (*contents.kinds, contents.artifacts):
        name = f"{kind.name} (folders)" if kind is contents.artifacts else kind.name
        kinds.add_row(name, f"{kind.rows:,}", units.size(kind.size))
    console.print(kinds)
    studies = Table(box=box.SIMPLE_HEAD)
    studies.add_column("study", overflow="fold")
    for heading in ("started", "last event"):
        studies.add_column(heading, no_wrap=True)
    studies.add_column("events", justify="right")
    studies.add_column("verdict", overflow="fold")
    for line in contents.studies:
        times = (_minute(line.started), _minute(line.last))
        verdict = Text(units.legible(_verdict(line)))
        studies.add_row(Text(units.legible(line.name)), *times, f"{line.events:,}", verdict)
    console.print(studies)
    if contents.forgotten:
        console.print(f"forgotten studies: {contents.forgotten:,}")


def print_audit(found: Audit) -> None:
    """What was looked at, what could not be, and last what is wrong."""
    console = Console()
    looked = ", ".join(f"{count:,} {what}" for what, count in found.checked.items())
    console.print(Text(f"looked at: {looked}"), soft_wrap=True)
    for note in found.notes:
        console.print(Text(units.legible(f"note: {note}")), soft_wrap=True)
    for fault in found.faults:
        console.print(Text(units.legible(f"WRONG {fault}"), style="red"), soft_wrap=True)
    wrong = len(found.faults)
    console.print(f"faults: {wrong:,}" if wrong else "the ledger is whole")


def print_freed(freed: Freed, *, dry_run: bool) -> None:
    """What went, or would go."""
    went = "would go" if dry_run else "gone"
    line = (
        f"{went}: {counted(freed.studies, 'study', 'studies')} ({counted(freed.events, 'event')}), "
        f"{counted(freed.answers, 'answer')} "
        f"and {counted(freed.builds, 'build')} ({units.size(freed.row_bytes)}), "
        f"{counted(freed.folders, 'folder')} "
        f"({units.size(freed.folder_bytes)})"
    )
    console = Console()
    console.print(Text(line), soft_wrap=True)
    if freed.shared_with:
        console.print(
            Text(f"no folder was looked at: {freed.shared_with} keeps its own in the same place"),
            soft_wrap=True,
        )


def write(path: Path, contents: Contents, found: Audit | None, freed: Freed | None) -> None:
    """The same as JSON: the contents, and under `verify` or `prune` what was done."""
    from stepladder.report.files import write_json_file

    data: Json = contents.as_json()
    if found is not None:
        data["verify"] = found.as_json()
    if freed is not None:
        data["prune"] = asdict(freed)
    write_json_file(data, path)


def _minute(time: str | None) -> str:
    """`2026-11-24 09:30`, UTC."""
    return units.DASH if time is None else time[:16].replace("T", " ")


def _verdict(line: StudyLine) -> str:
    if line.verdict is None:
        return "not finished"
    return f"{line.verdict}: {line.rung}" if line.rung else line.verdict
