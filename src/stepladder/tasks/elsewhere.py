"""Tasks and plain texts that a task file names: what it guards, and what a training replays.

task_file("inbox-labels", folder, where)    # a path relative to the folder, or a bundled sample
read_text(TaskFile("held-out.txt", path), where).pieces
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from stepladder.errors import TaskError
from stepladder.tasks.samples import samples

PIECE = 1000
"""Characters of a piece of text at most, where its lines allow it."""
TASK_SUFFIXES = (".yaml", ".yml")
GENERAL = "general"
"""The name of the bundled guard set."""
_GENERAL = Path(__file__).resolve().parents[1] / GENERAL


class NamedFile(NamedTuple):
    """A file that a task file names."""

    name: str
    """As the user wrote it."""
    path: Path

    @property
    def is_task(self) -> bool:
        """Whether it is a task file; plain text otherwise."""
        return self.path.suffix.lower() in TASK_SUFFIXES


@dataclass(frozen=True, slots=True)
class PlainText:
    """A file of plain text, in pieces of whole lines."""

    name: str
    pieces: tuple[str, ...]


def find_file(name: str, folder: Path, where: str) -> NamedFile:
    """The file behind a name: a path, relative to `folder`, or a bundled sample's. Raises
    TaskError."""
    path = folder / Path(name).expanduser()
    if path.is_file():
        return NamedFile(name, path)
    known = {sample.name: sample.folder / "task.yaml" for sample in samples()}
    if name not in known:
        raise TaskError(
            f"{where}: {name}: no such file (looked for {path}), nor a sample; samples are "
            f"{', '.join(known)}"
        )
    return NamedFile(name, known[name])


def general_tasks() -> tuple[NamedFile, ...]:
    """The tasks of the bundled guard set."""
    files = sorted(_GENERAL.glob("*/task.yaml"))
    return tuple(NamedFile(f"{GENERAL}/{file.parent.name}", file) for file in files)


def general_text() -> NamedFile:
    """Its held-out text."""
    return NamedFile(f"{GENERAL}/held-out.txt", _GENERAL / "held-out.txt")


def is_general(name: str, folder: Path) -> bool:
    """Whether a name means the bundled set, and no file of the user's."""
    return name == GENERAL and not (folder / name).is_file()


def read_text(file: NamedFile, where: str) -> PlainText:
    """A file of UTF-8 text in pieces. Raises TaskError where it cannot be read or is blank."""
    try:
        text = file.path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = "no UTF-8 text" if isinstance(error, UnicodeDecodeError) else error.strerror
        raise TaskError(f"{where}: {file.name}: cannot be read ({reason})") from None
    pieces = pieces_of(text)
    if not pieces:
        raise TaskError(f"{where}: {file.name}: holds no text; give a file that does")
    return PlainText(file.name, pieces)


def pieces_of(text: str) -> tuple[str, ...]:
    """Whole lines, together as many as `PIECE` characters hold; a longer line is a piece. Pieces
    are stripped, and none is empty."""
    pieces = [""]
    for line in text.splitlines(keepends=True):
        if pieces[-1] and len(pieces[-1]) + len(line) > PIECE:
            pieces.append("")
        pieces[-1] += line
    return tuple(piece.strip() for piece in pieces if piece.strip())
