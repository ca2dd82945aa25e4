"""The event log of one study: appended to, never changed.

log.append("cost", {"rung": "lora", "build_seconds": 81.2})
for event in log.events("cost"):
    print(event.sequence, event.time, event.payload["rung"])
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import insert, select

from stepladder.ledger.database import Database, digest
from stepladder.ledger.schema import events, now, studies
from stepladder.ledger.store import Store
from stepladder.records import Json

_PAGE = 1000


class Event(NamedTuple):
    """One thing that happened."""

    sequence: int
    """Rises through the whole ledger; within a study too, though with gaps."""
    time: str
    """UTC, ISO 8601."""
    kind: str
    payload: Json
    study: str


class StudyLog(Store):
    """One study's events, with the answers and builds that all studies share."""

    def __init__(self, database: Database, artifacts: Path, study: str, identifier: int) -> None:
        super().__init__(database, artifacts, identifier)
        self.study = study

    @property
    def settings(self) -> Json:
        """What the study was started with."""
        with self._database.read() as connection:
            found: Json = connection.execute(
                select(studies.c.settings).where(studies.c.id == self._id)
            ).scalar_one()
        return found

    def append(self, kind: str, payload: Json) -> None:
        """Adds an event; on the disk when this returns."""
        self.append_many([(kind, payload)])

    def append_many(self, rows: Iterable[tuple[str, Json]]) -> None:
        """Adds events of (kind, payload) in one transaction: all of them, or on an error none."""
        time = now()
        values = [
            {
                "study": self._id,
                "time": time,
                "kind": kind,
                "payload": payload,
                "digest": digest(payload),
            }
            for kind, payload in rows
        ]
        if values:
            with self._database.write() as connection:
                connection.execute(insert(events), values)

    def events(self, kind: str | None = None) -> Iterator[Event]:
        """The study's events in their order, of one kind or of all."""
        return read_events(self._database, kind, self._id)

    def latest(self, kind: str) -> Json | None:
        """The payload of the study's last event of this kind, or None."""
        query = (
            select(events.c.payload)
            .where(events.c.study == self._id, events.c.kind == kind)
            .order_by(events.c.sequence.desc())
            .limit(1)
        )
        with self._database.read() as connection:
            payload: Json | None = connection.execute(query).scalar()
        return payload


def read_events(
    database: Database, kind: str | None = None, study: int | None = None
) -> Iterator[Event]:
    """Events in their order, of one kind or of all, of one study or of all.

    Read in pages, so that a slow reader holds no snapshot that would keep the file growing."""
    query = (
        select(events, studies.c.name)
        .join(studies, studies.c.id == events.c.study)
        .order_by(events.c.sequence)
        .limit(_PAGE)
    )
    if kind is not None:
        query = query.where(events.c.kind == kind)
    if study is not None:
        query = query.where(events.c.study == study)
    last = 0
    while True:
        with database.read() as connection:
            rows = connection.execute(query.where(events.c.sequence > last)).all()
        for row in rows:
            yield Event(row.sequence, row.time, row.kind, row.payload, row.name)
        if len(rows) < _PAGE:
            return
        last = rows[-1].sequence
