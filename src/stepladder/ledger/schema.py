"""The ledger's tables, and the one list of migrations that makes them.

The number in `PRAGMA user_version` says how many migrations a file has been through. A newer
Stepladder appends to `MIGRATIONS` and never edits an entry; opening an older file applies what it
lacks, in one transaction. `schema_history` names the Stepladder that applied each, so that an older
one can say which version a file needs.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import JSON, Connection, Integer, LargeBinary, String, column, insert, select, table

import stepladder
from stepladder.errors import LedgerError
from stepladder.ledger.database import Database

APPLICATION_ID = 0x53544C44
"""`STLD` in the header of the file, which tells a ledger from any other SQLite file."""

studies = table(
    "studies",
    column("id", Integer),
    column("name", String),
    column("settings", JSON),
    column("started", String),
)
events = table(
    "events",
    column("sequence", Integer),
    column("study", Integer),
    column("time", String),
    column("kind", String),
    column("payload", JSON),
    column("digest", String),
)
answers = table(
    "answers",
    column("address", String),
    column("payload", JSON),
    column("time", String),
    column("recipe", LargeBinary),
    column("digest", String),
)
builds = table(
    "builds",
    column("key", String),
    column("payload", JSON),
    column("time", String),
    column("digest", String),
)
uses = table("uses", column("kind", String), column("key", String), column("study", Integer))
"""Which study rests on which answer (`answer`), and which build or folder (`build`). A study older
than this table has the one row of kind `older`: it may use whatever has no digest."""
forgotten = table(
    "forgotten",
    column("study", Integer),
    column("name", String),
    column("time", String),
    column("test_fingerprints", JSON),
)
"""Studies that were let go of. The verdicts that they drew from a test split still count."""
_history = table(
    "schema_history",
    column("version", Integer),
    column("stepladder", String),
    column("time", String),
)

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE schema_history (
            version INTEGER PRIMARY KEY, stepladder TEXT NOT NULL, time TEXT NOT NULL)""",
        """CREATE TABLE studies (
            id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,
            settings TEXT NOT NULL, started TEXT NOT NULL)""",
        """CREATE TABLE events (
            sequence INTEGER PRIMARY KEY AUTOINCREMENT,
            study INTEGER NOT NULL REFERENCES studies(id),
            time TEXT NOT NULL, kind TEXT NOT NULL, payload TEXT NOT NULL)""",
        "CREATE INDEX events_of_a_study ON events (study, kind, sequence)",
        "CREATE INDEX events_of_a_kind ON events (kind, sequence)",
        """CREATE TRIGGER events_are_not_changed BEFORE UPDATE ON events
            BEGIN SELECT RAISE(ABORT, 'the event log is append-only'); END""",
        """CREATE TRIGGER events_are_not_deleted BEFORE DELETE ON events
            BEGIN SELECT RAISE(ABORT, 'the event log is append-only'); END""",
        """CREATE TABLE answers (
            address TEXT PRIMARY KEY, payload TEXT NOT NULL, time TEXT NOT NULL)""",
        """CREATE TABLE builds (
            key TEXT PRIMARY KEY, payload TEXT NOT NULL, time TEXT NOT NULL)""",
    ),
    (
        # `digest` is the SHA-256 of the payload's text; `recipe` is what an address is the hash of.
        "ALTER TABLE events ADD COLUMN digest TEXT",
        "ALTER TABLE answers ADD COLUMN recipe BLOB",
        "ALTER TABLE answers ADD COLUMN digest TEXT",
        "ALTER TABLE builds ADD COLUMN digest TEXT",
        """CREATE TABLE uses (
            kind TEXT NOT NULL, key TEXT NOT NULL,
            study INTEGER NOT NULL REFERENCES studies(id) ON DELETE CASCADE,
            PRIMARY KEY (kind, key, study)) WITHOUT ROWID""",
        "INSERT INTO uses SELECT 'older', '', id FROM studies",
        """CREATE TABLE forgotten (
            study INTEGER PRIMARY KEY, name TEXT NOT NULL, time TEXT NOT NULL,
            test_fingerprints TEXT NOT NULL)""",
        "DROP TRIGGER events_are_not_deleted",
        """CREATE TRIGGER events_are_not_deleted BEFORE DELETE ON events
            WHEN OLD.study NOT IN (SELECT study FROM forgotten)
            BEGIN SELECT RAISE(ABORT, 'the event log is append-only'); END""",
    ),
)


def now() -> str:
    """The time in UTC, ISO 8601 with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def migrate(database: Database) -> None:
    """Brings the file to the schema of this Stepladder.

    Raises LedgerError where the file is of a newer schema, or is no ledger."""
    with database.read() as connection:
        version = _pragma(connection, "user_version")
        if version == len(MIGRATIONS) and _pragma(connection, "application_id") == APPLICATION_ID:
            return
        _refuse_foreign(connection, database)
        # Kept in the file, so set once, and outside of a transaction as SQLite wants it.
        database.patiently(connection, "PRAGMA journal_mode = WAL")
    with database.write() as connection:
        # Read again: another process may have migrated while this one waited for the lock.
        for number in range(_pragma(connection, "user_version") + 1, len(MIGRATIONS) + 1):
            for statement in MIGRATIONS[number - 1]:
                connection.exec_driver_sql(statement)
            row = {"version": number, "stepladder": stepladder.__version__, "time": now()}
            connection.execute(insert(_history), row)
            connection.exec_driver_sql(f"PRAGMA user_version = {number}")
        connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")


def _refuse_foreign(connection: Connection, database: Database) -> None:
    # In this order: where another process makes the ledger meanwhile, its mark comes with the rest.
    version = _pragma(connection, "user_version")
    filled = version or _pragma(connection, "schema_version")
    if filled and _pragma(connection, "application_id") != APPLICATION_ID:
        raise LedgerError(
            f"{database.path}: is an SQLite file of another program, not a ledger; "
            "name another ledger"
        )
    if version > len(MIGRATIONS):
        wanted = connection.execute(
            select(_history.c.stepladder).where(_history.c.version == len(MIGRATIONS) + 1)
        ).scalar()
        raise LedgerError(
            f"{database.path}: was written by a newer Stepladder (schema {version}; this is "
            f"{stepladder.__version__} with schema {len(MIGRATIONS)}); install it with: "
            f"pip install 'stepladder>={wanted}'"
        )


def _pragma(connection: Connection, name: str) -> int:
    return int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())
