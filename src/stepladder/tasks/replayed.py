"""Other data that a training may mix in, as the key `replay` of a task file names them.

    replay: [till-sums, {from: phrasebook, weight: 3}, letters.txt]

Without a weight anywhere, rows are drawn from all sources alike, so that a large source gives more.
With one, sources give rows as 1 (where none is given) to their weights, whatever their sizes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from stepladder.errors import TaskError
from stepladder.tasks.elsewhere import NamedFile, find_file, general_tasks, is_general
from stepladder.tasks.section import Section


class Replayed(NamedTuple):
    """A task file or a plain text before it is read."""

    file: NamedFile
    weight: float | None


def read_replay(section: Section, folder: Path) -> tuple[Replayed, ...]:
    """The sources, in the order given; those of the bundled set share a weight. Raises
    TaskError."""
    where = f"{section.where}: replay"
    found = [each for item in section.items("replay") for each in _sources(item, folder, where)]
    paths = [each.file.path.resolve() for each in found]
    twice = next((e.file.name for e in found if paths.count(e.file.path.resolve()) > 1), None)
    if twice is not None:
        raise TaskError(f"{where}: '{twice}' is listed twice")
    return tuple(found)


def weights(sources: tuple[Replayed, ...]) -> tuple[float, ...]:
    """One a source; empty where none is given."""
    if all(source.weight is None for source in sources):
        return ()
    return tuple(1.0 if source.weight is None else source.weight for source in sources)


def _sources(item: object, folder: Path, where: str) -> tuple[Replayed, ...]:
    weight = None
    if isinstance(item, Mapping):
        own = Section(item, where)
        name = own.text("from")
        if name is None:
            raise own.error("from", "a task file, a plain text or a sample's name")
        weight = own.number("weight", above=0)
        own.finish()
    elif isinstance(item, str) and item.strip():
        name = item.strip()
    else:
        raise TaskError(
            f"{where}: a task file, a plain text, a sample's name or {{from: ..., weight: ...}} is "
            f"expected, '{item}' came"
        )
    if is_general(name, folder):
        files = general_tasks()
        each = None if weight is None else weight / len(files)
        return tuple(Replayed(file, each) for file in files)
    return (Replayed(find_file(name, folder, where), weight),)
