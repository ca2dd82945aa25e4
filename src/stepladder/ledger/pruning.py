"""Takes out of a ledger what no study rests on.

    freed = ledger.prune(forget=["first try"], dry_run=True)     # only counts
    freed.answers, freed.folder_bytes

Safe beside a study that runs: what a study reads or keeps it first claims (`store`), and both
claims and pruning are transactions that wait for each other. Folders are moved aside inside of the
transaction and deleted after it, so that a pruning that fails has changed nothing. Killed in
between, it may leave a build without its folder, which is then trained anew.

What it does not do: it takes no folder where another ledger stands beside this one, since both keep
their artifacts in one place; and a study that is forgotten while it runs ends with an error.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, delete, insert, select

from stepladder.errors import LedgerError, nearest_name
from stepladder.ledger.contents import artifact_folders, folder_size
from stepladder.ledger.database import Database, explained
from stepladder.ledger.schema import APPLICATION_ID, events, forgotten, now, studies

_ASIDE = ".pruned-"
_OLDER = "EXISTS (SELECT 1 FROM uses WHERE kind = 'older')"
_UNUSED = {
    "answers": f"""NOT EXISTS (SELECT 1 FROM uses WHERE kind = 'answer' AND key = address)
        AND (digest IS NOT NULL OR NOT {_OLDER})""",
    "builds": f"""NOT EXISTS (SELECT 1 FROM uses WHERE kind = 'build' AND uses.key = builds.key)
        AND (digest IS NOT NULL OR NOT {_OLDER})""",
}
_SIZES = {
    "answers": "length(CAST(payload AS BLOB)) + length(address) + coalesce(length(recipe), 0)",
    "builds": "length(CAST(payload AS BLOB)) + length(key)",
}


@dataclass(frozen=True, slots=True)
class Freed:
    """What a pruning took out, or would."""

    studies: int
    events: int
    answers: int
    builds: int
    row_bytes: int
    """Of answers and builds."""
    folders: int
    folder_bytes: int
    shared_with: str | None
    """Another ledger that keeps its artifacts in the same folder: then none were touched."""


class _Rehearsed(Exception):
    """Undoes the transaction of a dry run."""


def prune(
    database: Database, artifacts: Path, forget: Sequence[str] = (), *, dry_run: bool = False
) -> Freed:
    """Lets go of the studies named in `forget` and takes out what no other study uses; a dry run
    changes nothing. Raises LedgerError for a study that is not there."""
    shared_with = _neighbour(database.path)
    aside, moved = artifacts / f"{_ASIDE}{os.getpid()}", list[str]()
    freed: Freed | None = None
    try:
        with database.write() as connection:
            gone = sum(_forget(connection, name, database.path) for name in dict.fromkeys(forget))
            counts = {table: _take(connection, table) for table in _UNUSED}
            folders = [] if shared_with else _unused_folders(connection, artifacts)
            freed = Freed(
                studies=len(set(forget)),
                events=gone,
                answers=counts["answers"][0],
                builds=counts["builds"][0],
                row_bytes=sum(size for _, size in counts.values()),
                folders=len(folders),
                folder_bytes=sum(map(folder_size, folders)),
                shared_with=shared_with,
            )
            if dry_run:
                raise _Rehearsed
            with explained(artifacts):
                _move(folders, aside, moved)
    except _Rehearsed:
        assert freed is not None
        return freed
    except BaseException:
        for name in moved:
            os.replace(aside / name, artifacts / name)
        raise
    for leftover in artifacts.glob(f"{_ASIDE}*"):  # of a pruning that was killed too
        shutil.rmtree(leftover, ignore_errors=True)
    database.compact()
    return freed


def _forget(connection: Connection, name: str, path: Path) -> int:
    """How many events went with the study."""
    known = {row.name: row.id for row in connection.execute(select(studies.c.name, studies.c.id))}
    if name not in known:
        hint = nearest_name(name, known) if known else "it has no study"
        raise LedgerError(f"{path}: no study '{name}' to forget; {hint}")
    own = events.c.study == known[name]
    verdicts = connection.execute(select(events.c.payload).where(own, events.c.kind == "verdict"))
    drawn = {payload.get("test_fingerprint") for payload in verdicts.scalars()} - {None}
    connection.execute(
        insert(forgotten).values(
            study=known[name], name=name, time=now(), test_fingerprints=sorted(drawn)
        )
    )
    went = connection.execute(delete(events).where(own)).rowcount
    connection.execute(delete(studies).where(studies.c.id == known[name]))  # its uses go with it
    return int(went)


def _take(connection: Connection, table: str) -> tuple[int, int]:
    """Deletes the unused rows of a table; how many, and their bytes."""
    query = f"SELECT count(*), sum({_SIZES[table]}) FROM {table} WHERE {_UNUSED[table]}"
    rows, size = connection.exec_driver_sql(query).one()
    connection.exec_driver_sql(f"DELETE FROM {table} WHERE {_UNUSED[table]}")
    return rows, size or 0


def _unused_folders(connection: Connection, artifacts: Path) -> list[Path]:
    """After the unused rows are gone. A training that is not finished has no row, but a user; one
    that an older Stepladder began may have neither."""
    query = "SELECT key FROM uses WHERE kind = 'build' UNION SELECT key FROM builds"
    used = set(connection.exec_driver_sql(query).scalars())
    if connection.exec_driver_sql(f"SELECT {_OLDER}").scalar_one():
        return []
    return [folder for folder in artifact_folders(artifacts) if folder.name not in used]


def _move(folders: Sequence[Path], aside: Path, moved: list[str]) -> None:
    for folder in folders:
        aside.mkdir(exist_ok=True)
        os.replace(folder, aside / folder.name)
        moved.append(folder.name)


def _neighbour(path: Path) -> str | None:
    """Another ledger in the same folder, by the mark in its header (SQLite file format, 1.3)."""
    mark = APPLICATION_ID.to_bytes(4, "big")
    for other in sorted(path.absolute().parent.iterdir()):
        if other.is_file() and not other.samefile(path):
            with explained(other), other.open("rb") as file:
                header = file.read(72)
            if header.startswith(b"SQLite format 3\0") and header[68:] == mark:
                return other.name
    return None
