"""What an adaptation must not forget, as the section `guard` of a task file names it.

    guard:
      tasks: [inbox-labels, {task: phrasebook.yaml, max_drop: 5, rung: few-shot(4)}]
      max_drop: 0.05          # on the scale of each guard task's deciding metric, as a target is
      text: held-out.txt

`guard: general`, or `general` among the tasks, names a set that comes with the package: small tasks
that the embedded model knows, and a text, which is taken where no other is named.

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
from stepladder.tasks.elsewhere import (
    GENERAL,
    NamedFile,
    PlainText,
    find_file,
    general_tasks,
    general_text,
    is_general,
)
from stepladder.tasks.section import Section

if TYPE_CHECKING:
    from stepladder.tasks.task import Task

GENERAL_RUNG = "few-shot(4)"
"""How the tasks of the bundled set are asked, so that any model knows the form of an answer."""


@dataclass(frozen=True, slots=True)
class GuardEntry:
    """A guard task before it is read."""

    file: NamedFile
    max_drop: float | None
    rung: str
    bundled: bool = False
    """Of the bundled set: left out where it is the task itself."""


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


def read_guard(task: Section, folder: Path) -> GuardSpec | None:
    """The checked section `guard` of a task file; None where there is none. Raises TaskError."""
    given = task.get("guard")
    if given == GENERAL:
        return GuardSpec(_general(None, None), general_text())
    if isinstance(given, str):
        raise task.error("guard", f"a mapping ({{name: value}}) or the word {GENERAL}")
    section = task.section("guard")
    if section is None:
        return None
    most = section.number("max_drop", above=0)
    entries = tuple(
        entry for item in section.items("tasks") for entry in _entries(item, section, folder, most)
    )
    named = section.text("text")
    section.finish()
    if not entries and named is None:
        raise TaskError(f"{section.where}: names neither tasks nor text; give one of them")
    if most is not None and not entries:
        raise TaskError(f"{section.where}: max_drop is about guard tasks; name them under tasks")
    text = None
    if named is not None:
        text = NamedFile(named, folder / Path(named).expanduser())
    elif any(entry.bundled for entry in entries):
        text = general_text()
    return GuardSpec(entries, text)


def _entries(
    item: object, section: Section, folder: Path, most: float | None
) -> tuple[GuardEntry, ...]:
    rung = None
    if isinstance(item, Mapping):
        own = Section(item, f"{section.where}: tasks")
        name = own.text("task")
        if name is None:
            raise own.error("task", "a task file or a sample's name")
        most = own.number("max_drop", above=0) or most
        rung = own.text("rung")
        own.finish()
    elif isinstance(item, str) and item.strip():
        name = item.strip()
    else:
        raise TaskError(
            f"{section.where}: tasks: a task file, a sample's name, {GENERAL}, or {{task: ..., "
            "max_drop: ..., rung: ...} is expected"
        )
    if is_general(name, folder):
        return _general(most, rung)
    file = find_file(name, folder, f"{section.where}: tasks")
    return (GuardEntry(file, most, rung or "zero-shot"),)


def _general(most: float | None, rung: str | None) -> tuple[GuardEntry, ...]:
    rung = rung or GENERAL_RUNG
    return tuple(GuardEntry(file, most, rung, bundled=True) for file in general_tasks())
