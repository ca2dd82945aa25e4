"""Looks whether a ledger is whole: the file, the references in it, and every hash.

    found = ledger.examine()
    found.faults        # ("answer 9f2c...: its text is not what was written",)
    found.checked       # {"events": 412, "answers": 340, "builds": 2, "addresses": 340, "keys": 2}

Rows of an older Stepladder have no digest, and its answers no recipe; `unchecked` counts them.
What it does not find: a row that is gone, and one that was changed together with its digest.
"""

from __future__ import annotations

import json
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from sqlalchemy import Row

from stepladder.errors import LedgerError
from stepladder.ledger.database import Database, text_digest
from stepladder.ledger.store import unpack
from stepladder.records import content_hash

_PAGE = 500
_ROWS = {
    "events": "SELECT sequence AS key, CAST(payload AS TEXT) AS text, digest, NULL AS recipe "
    "FROM events WHERE sequence > ? ORDER BY sequence LIMIT ?",
    "answers": "SELECT address AS key, CAST(payload AS TEXT) AS text, digest, recipe "
    "FROM answers WHERE address > ? ORDER BY address LIMIT ?",
    "builds": "SELECT key, CAST(payload AS TEXT) AS text, digest, NULL AS recipe "
    "FROM builds WHERE key > ? ORDER BY key LIMIT ?",
}
_ONE = {"events": "event", "answers": "answer", "builds": "build"}


class Soundness(NamedTuple):
    """What was looked at, and what is wrong."""

    faults: tuple[str, ...]
    checked: Mapping[str, int]
    unchecked: Mapping[str, int]


def examine(database: Database) -> Soundness:
    """Reads the whole file. Where SQLite itself finds it damaged, rows are not looked at."""
    checked, unchecked = Counter[str](), Counter[str]()
    faults: list[str] = []
    try:
        faults += _damage(database)
        if not faults:
            for table in _ROWS:
                for row in _rows(database, table):
                    faults += _row_faults(table, row, checked, unchecked)
    except LedgerError as error:  # a page that cannot be read at all
        faults.append(str(error))
    return Soundness(tuple(faults), dict(checked), dict(unchecked))


def _damage(database: Database) -> list[str]:
    with database.read() as connection:
        said = connection.exec_driver_sql("PRAGMA integrity_check").scalars().all()
        if said != ["ok"]:
            return [f"the file is damaged: {line}" for line in said]
        orphans = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    return [
        f"row {row[1]} of {row[0]} belongs to a row of {row[2]} that is not there"
        for row in orphans
    ]


def _rows(database: Database, table: str) -> Iterator[Row[Any]]:
    last: Any = 0 if table == "events" else ""
    while True:
        with database.read() as connection:
            rows = connection.exec_driver_sql(_ROWS[table], (last, _PAGE)).all()
        yield from rows
        if len(rows) < _PAGE:
            return
        last = rows[-1].key


def _row_faults(
    table: str, row: Row[Any], checked: Counter[str], unchecked: Counter[str]
) -> Iterator[str]:
    name = f"{_ONE[table]} {row.key}"
    if row.digest is None:
        unchecked[table] += 1
    elif text_digest(row.text) != row.digest:
        yield f"{name}: its text is not what was written"
        return
    else:
        checked[table] += 1
    if row.recipe is not None:
        checked["addresses"] += 1
        if _address(row.recipe) != row.key:
            yield f"{name}: its recipe has another address"
    if table == "builds":
        checked["keys"] += 1
        if content_hash(json.loads(row.text).get("recipe")) != row.key:
            yield f"{name}: its recipe has another key"


def _address(recipe: bytes) -> str | None:
    """None where the recipe cannot be read."""
    try:
        return content_hash(unpack(recipe)["parts"])
    except (zlib.error, ValueError, KeyError):
        return None
