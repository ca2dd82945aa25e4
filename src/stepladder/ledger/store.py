"""Answers and builds under the hash of their recipe, shared by every study of a ledger.

store.keep_answers({"9f2c...": {"text": "Anna is late.", "tokens": [17, 4]}})
store.answers(["9f2c...", "07aa..."])          # {"9f2c...": {...}}; the other is to be asked

Whatever a study reads or keeps here is noted as used by it, in the same transaction: pruning takes
nothing from under a study that runs.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from sqlalchemy import Connection, select
from sqlalchemy.dialects.sqlite import insert

from stepladder.errors import LedgerError
from stepladder.ledger.database import Database, compact_json, digest, explained
from stepladder.ledger.schema import answers, builds, now, uses
from stepladder.records import Json

_AT_ONCE = 500  # SQLite before 3.32 takes at most 999 values in a statement
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class Store:
    """What is worth keeping beyond one study, as one study sees it."""

    def __init__(self, database: Database, artifacts: Path, study: int) -> None:
        self._database = database
        self._id = study
        self.artifacts = artifacts
        """The folder for files too large for the ledger, such as weights; beside the file."""

    def answers(self, addresses: Sequence[str]) -> dict[str, Json]:
        """Those of the addressed answers that the ledger has."""
        with self._database.read() as connection:
            found = _answers_at(connection, addresses)
        if not found:
            return found
        with self._database.write() as connection:
            # Claimed, then read again: in between another process may have pruned them.
            self._use(connection, "answer", found)
            return _answers_at(connection, list(found))

    def keep_answers(
        self, rows: Mapping[str, Json], recipes: Mapping[str, Json] | None = None
    ) -> None:
        """Keeps a shard of answers: all of it, or on an error nothing. An address that is there
        already keeps its first answer. `recipes` says by address what it is the hash of (under
        `parts`) and what else it takes to ask again."""
        if not rows:
            return
        time = now()
        values = [
            {
                "address": address,
                "payload": payload,
                "time": time,
                "recipe": pack(recipes[address]) if recipes else None,
                "digest": digest(payload),
            }
            for address, payload in rows.items()
        ]
        with self._database.write() as connection:
            connection.execute(insert(answers).on_conflict_do_nothing(), values)
            self._use(connection, "answer", rows)

    def build(self, key: str) -> Json | None:
        """The record of the build with this recipe, or None. Either way the study is noted as its
        user: where there is none, it will make it."""
        with self._database.write() as connection:
            self._use(connection, "build", [key])
            payload: Json | None = connection.execute(
                select(builds.c.payload).where(builds.c.key == key)
            ).scalar()
        return payload

    def keep_build(self, key: str, payload: Json) -> None:
        """Records a build. One that was made again, say because its files were deleted, takes the
        place of the former record."""
        row = insert(builds).values(key=key, payload=payload, time=now(), digest=digest(payload))
        new = {name: row.excluded[name] for name in ("payload", "time", "digest")}
        with self._database.write() as connection:
            connection.execute(row.on_conflict_do_update(index_elements=["key"], set_=new))
            self._use(connection, "build", [key])

    def artifact_folder(self, key: str) -> Path:
        """The folder for the files of one build, made if need be."""
        if not _KEY.fullmatch(key):
            raise LedgerError(
                f"'{key}' cannot name a folder of artifacts; use letters, digits, '.', '_' or '-'"
            )
        with self._database.write() as connection:
            self._use(connection, "build", [key])
        folder = self.artifacts / key
        with explained(folder):
            folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _use(self, connection: Connection, kind: str, keys: Iterable[str]) -> None:
        rows = [{"kind": kind, "key": key, "study": self._id} for key in keys]
        connection.execute(insert(uses).on_conflict_do_nothing(), rows)


def pack(recipe: Json) -> bytes:
    """A recipe as it is kept: compressed, since a prompt may stand in it as text, as turns and as
    rendered."""
    return zlib.compress(compact_json(recipe).encode("utf-8"))


def unpack(recipe: bytes) -> Json:
    """The inverse. Raises zlib.error or ValueError for anything else."""
    found: Json = json.loads(zlib.decompress(recipe))
    return found


def _answers_at(connection: Connection, addresses: Sequence[str]) -> dict[str, Json]:
    wanted = list(dict.fromkeys(addresses))
    found: dict[str, Json] = {}
    for start in range(0, len(wanted), _AT_ONCE):
        query = select(answers.c.address, answers.c.payload).where(
            answers.c.address.in_(wanted[start : start + _AT_ONCE])
        )
        found.update((row.address, row.payload) for row in connection.execute(query))
    return found
