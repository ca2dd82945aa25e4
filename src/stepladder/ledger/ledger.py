"""Opening a ledger, and its studies by name."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from sqlalchemy import Connection, func, insert, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from stepladder.errors import LedgerError, nearest_name
from stepladder.ledger.contents import Contents, look_into
from stepladder.ledger.database import Database, compact_json, explained
from stepladder.ledger.log import Event, StudyLog, read_events
from stepladder.ledger.pruning import Freed, prune
from stepladder.ledger.schema import (
    answers,
    builds,
    events,
    forgotten,
    migrate,
    now,
    studies,
    uses,
)
from stepladder.ledger.soundness import Soundness, examine
from stepladder.ledger.store import unpack
from stepladder.records import Json

DEFAULT_LEDGER = "runs/ledger.db"
_PAGE = 500


class StudyEntry(NamedTuple):
    """A study as the ledger lists it."""

    name: str
    started: str
    """UTC, ISO 8601."""
    events: int


class KeptAnswer(NamedTuple):
    """An answer with what it takes to ask for it again."""

    address: str
    recipe: Json
    """`parts`: what the address is the hash of. The rest is the keeper's."""
    payload: Json


class Ledger:
    """All studies of one file. Use it as a context manager, or close it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        # Absolute, since studies keep these paths and may be exported from another folder.
        self.artifacts = path.absolute().parent / "artifacts"
        self._database = Database(path)

    @classmethod
    def open(cls, url: str | Path = DEFAULT_LEDGER, *, create: bool = True) -> Self:
        """Opens a ledger, by its path or as an SQLAlchemy URL of SQLite (`sqlite:///runs/x.db`).

        A file that is not there is made, or with `create=False` refused. An older schema is
        brought forwards. Raises LedgerError, saying what to do."""
        path = _path(url)
        if not path.is_file() and not create:
            raise LedgerError(
                f"{path}: no ledger there; `stepladder climb` makes one, or name another with "
                "--ledger"
            )
        with explained(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        ledger = cls(path)
        try:
            migrate(ledger._database)
        except BaseException:
            ledger.close()
            raise
        return ledger

    @staticmethod
    def is_there(url: str | Path) -> bool:
        """Whether `open` would find a file. Raises LedgerError for what can be no ledger's name."""
        return _path(url).is_file()

    def start(self, study: str, settings: Json) -> StudyLog:
        """A new study's log; or where the study is there with the same settings, its log to go on
        with. Raises LedgerError, naming what differs, where the settings are others."""
        wanted: Json = json.loads(compact_json(settings))  # as it reads back: tuples are lists
        with self._database.write() as connection:
            row = connection.execute(
                select(studies.c.id, studies.c.settings).where(studies.c.name == study)
            ).one_or_none()
            if row is None:
                identifier = _next_id(connection)
                connection.execute(
                    insert(studies).values(
                        id=identifier, name=study, settings=wanted, started=now()
                    )
                )
            else:
                _refuse_other_settings(study, row.settings, wanted)
                identifier = row.id
        return StudyLog(self._database, self.artifacts, study, identifier)

    def study(self, name: str) -> StudyLog:
        """The log of a study that is there. Raises LedgerError with the nearest name."""
        with self._database.read() as connection:
            known = {
                row.name: row.id for row in connection.execute(select(studies.c.name, studies.c.id))
            }
        if name not in known:
            hint = nearest_name(name, known) if known else "it has no study yet"
            raise LedgerError(f"{self.path}: no study '{name}'; {hint}")
        return StudyLog(self._database, self.artifacts, name, known[name])

    def studies(self) -> list[StudyEntry]:
        """All studies in the order of their start."""
        query = (
            select(studies.c.name, studies.c.started, func.count(events.c.sequence).label("number"))
            .join(events, events.c.study == studies.c.id, isouter=True)
            .group_by(studies.c.id)
            .order_by(studies.c.id)
        )
        with self._database.read() as connection:
            return [StudyEntry(r.name, r.started, r.number) for r in connection.execute(query)]

    def events(self, kind: str | None = None) -> Iterator[Event]:
        """The events of all studies in their order, of one kind or of all."""
        return read_events(self._database, kind)

    def decided(self, test_fingerprint: str) -> int:
        """How many studies have drawn a verdict from this test split: events of kind `verdict`
        whose payload has this `test_fingerprint`, a study counted once; also those that were
        forgotten since."""
        query = select(func.count(events.c.study.distinct())).where(
            events.c.kind == "verdict",
            events.c.payload["test_fingerprint"].as_string() == test_fingerprint,
        )
        with self._database.read() as connection:
            here = int(connection.execute(query).scalar_one())
            gone = connection.execute(select(forgotten.c.test_fingerprints)).scalars()
            return here + sum(test_fingerprint in drawn for drawn in gone)

    def answers(self, study: str | None = None) -> Iterator[KeptAnswer]:
        """All answers that have a recipe, in the order of their addresses; or those that a study
        rests on."""
        last = ""
        query = select(answers).where(answers.c.recipe.is_not(None)).order_by(answers.c.address)
        if study is not None:
            used = select(uses.c.key).join(studies, studies.c.id == uses.c.study)
            of_study = used.where(uses.c.kind == "answer", studies.c.name == study)
            query = query.where(answers.c.address.in_(of_study))
        while True:
            with self._database.read() as connection:
                after = query.where(answers.c.address > last).limit(_PAGE)
                rows = connection.execute(after).all()
            for row in rows:
                yield KeptAnswer(row.address, unpack(row.recipe), row.payload)
            if len(rows) < _PAGE:
                return
            last = rows[-1].address

    def builds(self) -> dict[str, Json]:
        """The records of all builds, by the hash of their recipe."""
        with self._database.read() as connection:
            rows = connection.execute(select(builds.c.key, builds.c.payload)).all()
        return {row.key: row.payload for row in rows}

    def contents(self) -> Contents:
        """Sizes by kind, and the studies with their verdicts."""
        return look_into(self._database, self.artifacts)

    def examine(self) -> Soundness:
        """Whether the file is whole and all hashes in it hold; see `soundness`."""
        return examine(self._database)

    def prune(self, forget: Sequence[str] = (), *, dry_run: bool = False) -> Freed:
        """Lets go of studies, and of what no other study uses; see `pruning`. Raises LedgerError
        for a study that is not there."""
        return prune(self._database, self.artifacts, forget, dry_run=dry_run)

    def close(self) -> None:
        """Closes the file; opened ledgers and logs are of no use afterwards."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _next_id(connection: Connection) -> int:
    """Above all that ever were: a process may still be writing for a study that was forgotten."""
    known = (studies.c.id, forgotten.c.study)
    highest = (connection.execute(select(func.max(column))).scalar() for column in known)
    return max(number or 0 for number in highest) + 1


def _path(url: str | Path) -> Path:
    """The file behind a path or URL."""
    if isinstance(url, Path) or "://" not in url:
        path = Path(url).expanduser()
    else:
        try:
            parsed = make_url(url)
        except ArgumentError as error:
            raise LedgerError(
                f"--ledger {url}: not a URL; give a path or sqlite:///PATH"
            ) from error
        if parsed.get_backend_name() != "sqlite" or parsed.database in (None, "", ":memory:"):
            shown = parsed.render_as_string(hide_password=True)
            raise LedgerError(
                f"--ledger {shown}: a ledger is an SQLite file; give a path or sqlite:///PATH"
            )
        path = Path(str(parsed.database)).expanduser()
    if path.is_dir():
        raise LedgerError(f"{path}: is a folder; name a file in it, such as {path / 'ledger.db'}")
    return path


def _refuse_other_settings(study: str, kept: Json, wanted: Json) -> None:
    if kept == wanted:
        return
    differing = sorted(
        key
        for key in kept.keys() | wanted.keys()
        if key not in kept or key not in wanted or kept[key] != wanted[key]
    )
    raise LedgerError(
        f"the study '{study}' exists with other settings ({', '.join(differing)}); give another "
        "--name, or the settings that it was started with"
    )
