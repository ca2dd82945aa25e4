"""Progress on the terminal: what is running, how far it is, how long is left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console, Group, RenderableType
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
from rich.table import Column, Table
from rich.text import Text

from stepladder.cli.app import leave
from stepladder.report import units
from stepladder.study.watch import Standing

if TYPE_CHECKING:
    from stepladder.study import Study, Summary

_LEFT = {
    "won": "decides the race",
    "missed": "out: misses the target",
    "worse": "out: worse",
    "refused": "refused: a guard",
    "hopeless": "out: cannot reach the target",
    "left out": "not needed",
    "over": "not needed any more",
}


class _Board(Progress):
    """The bars, and above them the partial table of the race."""

    standings: Sequence[Standing] = ()

    def get_renderables(self) -> Iterator[RenderableType]:
        if self.standings:
            yield _partial_table(self.standings)
        yield Group(*super().get_renderables())


def _partial_table(standings: Sequence[Standing]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("rung", overflow="fold")
    for heading in ("items", "so far"):
        table.add_column(heading, justify="right")
    table.add_column("")
    for row in standings:
        value = units.DASH if row.value is None else f"{row.value:.1f}"
        state = _LEFT[row.left] if row.left else ""
        name = Text(units.legible(row.rung))
        table.add_row(name, f"{row.items:,}/{row.of:,}", value, state)
    return table


class Bars:
    """A Watcher that draws a bar for each piece of work, on standard error."""

    def __init__(self) -> None:
        self._progress = _Board(
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
        self._asking: dict[str, TaskID] = {}

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
        self._progress.standings = ()  # the whole table is printed next
        self._progress.stop()

    def stage(self, rung: str, doing: str, total: int | None) -> None:
        """A rung that is asked again, in its turn of the race, goes on with its bar."""
        self._finish()
        known = self._asking.get(rung) if doing == "asking" else None
        if known is None:
            self._bar = self._progress.add_task(f"{rung}: {doing}", total=total, note="")
        else:
            self._bar = known
            self._progress.reset(known, total=total, completed=self._done(known))
        if doing == "asking":
            self._asking[rung] = self._bar

    def reach(self, done: int, total: int | None = None, note: str = "") -> None:
        if self._bar is not None:
            self._progress.update(self._bar, completed=done, note=note)
            if total is not None:
                self._progress.update(self._bar, total=total)

    def _finish(self) -> None:
        """A training that stopped early is done, though its bar is not full."""
        if self._bar is not None:
            self._progress.update(self._bar, total=self._done(self._bar))
            self._progress.stop_task(self._bar)
            self._bar = None

    def _done(self, bar: TaskID) -> int:
        return int(next(task.completed for task in self._progress.tasks if task.id == bar))

    def standings(self, standings: Sequence[Standing]) -> None:
        self._progress.standings = standings

    def say(self, line: str) -> None:
        self._progress.console.print(line, highlight=False, markup=False, soft_wrap=True)


def climbed(study: Study) -> Summary:
    """Climbs with bars. After Ctrl-C the process ends, and says that nothing is lost."""
    try:
        with Bars() as bars:
            return study.climb(bars)
    except KeyboardInterrupt:
        leave("stopped; all that was finished is kept: the same command goes on")
