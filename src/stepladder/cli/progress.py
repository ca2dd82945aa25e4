"""Progress on the terminal: what is running, how far it is, how long is left."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column


class Bars:
    """A Watcher that draws a bar for each piece of work, on standard error."""

    def __init__(self) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            # Only what is running gives way on a narrow terminal, never how long is left.
            TextColumn("{task.description}", table_column=Column(ratio=1, no_wrap=True)),
            BarColumn(bar_width=10),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=Console(stderr=True),
            expand=True,
        )
        self._bar: TaskID | None = None

    def __enter__(self) -> Bars:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._finish()
        self._progress.stop()

    def stage(self, rung: str, doing: str, total: int | None) -> None:
        self._finish()
        self._bar = self._progress.add_task(f"{rung}: {doing}", total=total, note="")

    def reach(self, done: int, total: int | None = None, note: str = "") -> None:
        if self._bar is not None:
            self._progress.update(self._bar, completed=done, note=note)
            if total is not None:
                self._progress.update(self._bar, total=total)

    def _finish(self) -> None:
        """A training that stopped early is done, though its bar is not full."""
        if self._bar is not None:
            done = self._progress.tasks[self._bar].completed
            self._progress.update(self._bar, total=done)
            self._progress.stop_task(self._bar)
            self._bar = None

    def say(self, line: str) -> None:
        self._progress.console.print(line, highlight=False, markup=False, soft_wrap=True)
