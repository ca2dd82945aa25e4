"""What an adaptation must not forget, as the section `guard` of a task file names it.

    guard:
      tasks: [inbox-labels, {task: phrasebook.yaml, max_drop: 5, rung: few-shot(4)}]
      max_drop: 0.05          # on the scale of each guard task's deciding metric, as a target is
      text: held-out.txt

A guard task is a task like any other, by its file or the name of a bundled sample; its test rows
are asked with its own instruction. Its own guards are not looked at, so that two tasks may guard
each other. The study does the asking.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stepladder.errors import TaskError
from stepladder.records import content_hash
from stepladder.tasks.elsewhere import NamedFile, PlainText, find_file
from stepladder.tasks.section import Section

if TYPE_CHECKING:
    from stepladder.tasks.task import Task


@dataclass(frozen=True, slots=True)
class GuardEntry:
    """A guard task before it is read."""

    file: NamedFile
    max_drop: float | None
    rung: str


@dataclass(frozen=True, slots=True)
class GuardSpec:
    """The section, checked; nothing of what it names has been read."""

    entries: tuple[GuardEntry, ...]
    text: NamedFile | None


@dataclass(frozen=True, slots=True)
class GuardTask:
    """A task that is asked before and after every training."""

    task: Task
    max_drop: float | None
    """So much worse it may become, on its deciding metric's own scale; None: only measured."""
    rung: str = "zero-shot"
    """How it is asked: prompting methods over its own rows."""


@dataclass(frozen=True, slots=True)
class Guard:
    """Everything that is held against forgetting."""

    tasks: tuple[GuardTask, ...] = ()
    text: PlainText | None = None

    @property
    def fingerprint(self) -> str:
        """Content hash of what decides the outcome."""
        tasks = [[g.task.fingerprint, g.max_drop, g.rung] for g in self.tasks]
        return content_hash([tasks, self.text.pieces if self.text else None])


def read_guard(section: Section | None, folder: Path) -> GuardSpec | None:
    """The checked section `guard`; None where there is none. Raises TaskError."""
    if section is None:
        return None
    most = section.number("max_drop", above=0)
    entries = tuple(_entry(item, section, folder, most) for item in section.items("tasks"))
    text = section.text("text")
    section.finish()
    if not entries and text is None:
        raise TaskError(f"{section.where}: names neither tasks nor text; give one of them")
    if most is not None and not entries:
        raise TaskError(f"{section.where}: max_drop is about guard tasks; name them under tasks")
    return GuardSpec(
        entries, None if text is None else NamedFile(text, folder / Path(text).expanduser())
    )


def _entry(item: object, section: Section, folder: Path, most: float | None) -> GuardEntry:
    if isinstance(item, Mapping):
        own = Section(item, f"{section.where}: tasks")
        name = own.text("task")
        if name is None:
            raise own.error("task", "a task file or a sample's name")
        most = own.number("max_drop", above=0) or most
        rung = own.text("rung") or "zero-shot"
        own.finish()
    elif isinstance(item, str) and item.strip():
        name, rung = item.strip(), "zero-shot"
    else:
        raise TaskError(
            f"{section.where}: tasks: a task file, a sample's name, or {{task: ..., max_drop: ..., "
            "rung: ...} is expected"
        )
    return GuardEntry(find_file(name, folder, f"{section.where}: tasks"), most, rung)
