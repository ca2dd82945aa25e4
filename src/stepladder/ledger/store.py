"""Answers and builds under the hash of their recipe, shared by every study of a ledger.

store.keep_answers({"9f2c...": {"text": "Anna is late.", "tokens": [17, 4]}})
store.answers(["9f2c...", "07aa..."])          # {"9f2c...": {...}}; the other is to be asked
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.dialects.sqlite import insert

from stepladder.errors import LedgerError
from stepladder.ledger.database import Database, explained
from stepladder.ledger.schema import answers, builds, now
from stepladder.records import Json

_AT_ONCE = 500  # SQLite before 3.32 takes at most 999 values in a statement
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class Store:
    """What is worth keeping beyond one study."""

    def __init__(self, database: Database, artifacts: Path) -> None:
        self._database = database
        self.artifacts = artifacts
        """The folder for files too large for the ledger, such as weights; beside the file."""

    def answers(self, addresses: Sequence[str]) -> dict[str, Json]:
        """Those of the addressed answers that the ledger has."""
        wanted = list(dict.fromkeys(addresses))
        found: dict[str, Json] = {}
        with self._database.read() as connection:
            for start in range(0, len(wanted), _AT_ONCE):
                query = select(answers.c.address, answers.c.payload).where(
                    answers.c.address.in_(wanted[start : start + _AT_ONCE])
                )
                found.update((row.address, row.payload) for row in connection.execute(query))
        return found

    def keep_answers(self, rows: Mapping[str, Json]) -> None:
        """Keeps a shard of answers: all of it, or on an error nothing. An address that is there
        already keeps its first answer."""
        if not rows:
            return
        time = now()
        values = [
            {"address": address, "payload": payload, "time": time}
            for address, payload in rows.items()
        ]
        with self._database.write() as connection:
            connection.execute(insert(answers).on_conflict_do_nothing(), values)

    def build(self, key: str) -> Json | None:
        """The record of the build with this recipe, or None."""
        with self._database.read() as connection:
            payload: Json | None = connection.execute(
                select(builds.c.payload).where(builds.c.key == key)
            ).scalar()
        return payload

    def keep_build(self, key: str, payload: Json) -> None:
        """Records a build. One that was made again, say because its files were deleted, takes the
        place of the former record."""
        row = insert(builds).values(key=key, payload=payload, time=now())
        with self._database.write() as connection:
            connection.execute(
                row.on_conflict_do_update(
                    index_elements=["key"],
                    set_={"payload": row.excluded.payload, "time": row.excluded.time},
                )
            )

    def artifact_folder(self, key: str) -> Path:
        """The folder for the files of one build, made if need be."""
        if not _KEY.fullmatch(key):
            raise LedgerError(
                f"'{key}' cannot name a folder of artifacts; use letters, digits, '.', '_' or '-'"
            )
        folder = self.artifacts / key
        with explained(folder):
            folder.mkdir(parents=True, exist_ok=True)
        return folder
