"""What a ledger holds: rows and bytes by kind, and its studies with their verdicts.

contents = ledger.contents()
contents.kinds[0]        # Kind(name="answers", rows=340, size=81_220)
contents.studies[0].verdict, contents.studies[0].rung
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

from stepladder.ledger.database import Database
from stepladder.records import Json

_KINDS = {
    "answers": """SELECT count(*), sum(length(CAST(payload AS BLOB)) + length(address)
        + coalesce(length(recipe), 0)) FROM answers""",
    "builds": "SELECT count(*), sum(length(CAST(payload AS BLOB)) + length(key)) FROM builds",
    "events": "SELECT count(*), sum(length(CAST(payload AS BLOB)) + length(kind)) FROM events",
    "uses": "SELECT count(*), sum(length(kind) + length(key)) FROM uses",
}
_STUDIES = """
    SELECT name, started,
        (SELECT max(time) FROM events WHERE study = studies.id),
        (SELECT count(*) FROM events WHERE study = studies.id),
        (SELECT payload FROM events WHERE study = studies.id AND kind = 'verdict'
            ORDER BY sequence DESC LIMIT 1)
    FROM studies ORDER BY id"""


class Kind(NamedTuple):
    """Rows of one kind."""

    name: str
    rows: int
    size: int
    """Bytes of what the rows hold; what SQLite needs around them is left out."""


@dataclass(frozen=True, slots=True)
class StudyLine:
    """A study with what came of it."""

    name: str
    started: str
    """UTC, ISO 8601; `last` too."""
    last: str | None
    """When its newest event was written."""
    events: int
    verdict: str | None
    """The kind of its latest verdict; None: it is not finished."""
    rung: str | None
    sentence: str | None


@dataclass(frozen=True, slots=True)
class Contents:
    """A ledger at a glance."""

    path: str
    size: int
    """Bytes of the file, with what is not folded into it yet."""
    kinds: tuple[Kind, ...]
    artifacts: Kind
    """Folders beside the file, and their bytes."""
    studies: tuple[StudyLine, ...]
    forgotten: int
    """Studies that were let go of."""

    def as_json(self) -> Json:
        data = asdict(self)
        data["kinds"] = {kind.name: {"rows": kind.rows, "bytes": kind.size} for kind in self.kinds}
        data["artifacts"] = {"folders": self.artifacts.rows, "bytes": self.artifacts.size}
        return data


def look_into(database: Database, artifacts: Path) -> Contents:
    """Reads every table once."""
    with database.read() as connection:
        kinds = []
        for name, query in _KINDS.items():
            rows, size = connection.exec_driver_sql(query).one()
            kinds.append(Kind(name, rows, size or 0))
        studies = tuple(_line(*row) for row in connection.exec_driver_sql(_STUDIES))
        forgotten = connection.exec_driver_sql("SELECT count(*) FROM forgotten").scalar_one()
    folders = list(artifact_folders(artifacts))
    return Contents(
        path=str(database.path),
        size=file_size(database.path),
        kinds=tuple(kinds),
        artifacts=Kind("artifacts", len(folders), sum(map(folder_size, folders))),
        studies=studies,
        forgotten=forgotten,
    )


def artifact_folders(artifacts: Path) -> Iterator[Path]:
    """The folders of builds and of trainings that are not finished."""
    for path in sorted(artifacts.iterdir()) if artifacts.is_dir() else ():
        if path.is_dir() and not path.name.startswith("."):
            yield path


def folder_size(folder: Path) -> int:
    """Bytes of its files. One that goes while they are counted counts nothing."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.lstat().st_size if path.is_file() else 0
        except FileNotFoundError:
            continue
    return total


def file_size(path: Path) -> int:
    """Bytes of the file and of its write-ahead log."""
    beside = path.with_name(f"{path.name}-wal")
    return sum(part.stat().st_size for part in (path, beside) if part.is_file())


def _line(name: str, started: str, last: str | None, events: int, verdict: str | None) -> StudyLine:
    found: Json = json.loads(verdict) if verdict else {}
    kind, rung, sentence = (found.get(key) for key in ("kind", "rung", "sentence"))
    return StudyLine(name, started, last, events, kind, rung, sentence)
