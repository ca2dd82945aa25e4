"""The SQLite file under the ledger: opening, transactions, and errors that say what to do.

    database = Database(Path("runs/ledger.db"))
    with database.write() as connection:            # all of it, or nothing
        connection.execute(...)

Settings and their reasons:

- WAL: readers never wait for the writer. Every file system but some network ones has it; there
  SQLite keeps its older journal, which is as safe and slower.
- synchronous=FULL: a transaction is on the disk when `write` returns, also should the power fail.
  It costs one fsync a shard, milliseconds beside the seconds that the shard took to compute.
- BEGIN IMMEDIATE: the driver's own BEGIN is deferred, and a transaction that turns from reading to
  writing while another process writes fails at once instead of waiting its turn.
- Waiting is done in short turns, because SQLite's own wait does not listen to Ctrl-C.

Not covered: an engine's connections do not survive `fork`; open the ledger in the child instead.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, CursorResult, create_engine, event
from sqlalchemy.exc import DBAPIError, OperationalError, StatementError

from stepladder.errors import LedgerError

WAIT_SECONDS = 30.0
"""How long a writer waits for other writers before it gives up."""
_TURN_SECONDS = 0.5


class Database:
    """Connections to one SQLite file, in which transactions are written out by us."""

    def __init__(self, path: Path, wait_seconds: float = WAIT_SECONDS) -> None:
        self.path = path
        self._wait_seconds = wait_seconds
        self._engine = create_engine(
            URL.create("sqlite", database=str(path)),
            isolation_level="AUTOCOMMIT",
            connect_args={"timeout": _TURN_SECONDS},
            json_serializer=compact_json,
        )
        event.listen(self._engine, "connect", _configure)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection for reading; every statement sees the file as last committed."""
        with explained(self.path), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction: committed at the end of the block, undone by any exception in it."""
        with explained(self.path), self._engine.connect() as connection:
            self.patiently(connection, "BEGIN IMMEDIATE")
            yield connection
            # Left in any other way, the connection rolls back as it returns to its pool.
            connection.exec_driver_sql("COMMIT")

    def patiently(self, connection: Connection, statement: str) -> CursorResult[Any]:
        """Runs a statement that needs a lock, waiting up to `WAIT_SECONDS` for it."""
        deadline = time.monotonic() + self._wait_seconds
        while True:
            try:
                return connection.exec_driver_sql(statement)
            except OperationalError as error:
                if "BUSY" not in _error_name(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    def compact(self) -> None:
        """Gives free pages back to the disk, which needs room for a copy of what remains."""
        with explained(self.path), self._engine.connect() as connection:
            self.patiently(connection, "VACUUM")
            self.patiently(connection, "PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Closes all connections; the last one folds the write-ahead log into the file."""
        self._engine.dispose()


def compact_json(value: Any) -> str:
    """JSON without spaces, letters kept as they are. NaN and infinity are refused (ValueError):
    what was not measured is None. Floats are written so that they read back the same."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:  # a lone surrogate, which a model may well write, fits escaped only
        return json.dumps(value, allow_nan=False, separators=(",", ":"))
    return text


def digest(payload: Any) -> str:
    """The SHA-256 of a payload as the file holds it. Raises ValueError as `compact_json` does."""
    return text_digest(compact_json(payload))


def text_digest(text: str) -> str:
    """The same, of the text that was read back."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turns errors of the driver and of the file system into a LedgerError that says what to do."""
    try:
        yield
    except DBAPIError as error:
        raise LedgerError(f"{path}: {_advice(error)}") from error
    except StatementError as error:  # a payload that is no JSON: the caller's fault, said plainly
        raise error.orig or error from None
    except OSError as error:
        raise LedgerError(
            f"{path}: {error.strerror or error}; give a place that can be written with --ledger"
        ) from error


def _configure(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = FULL")


def _error_name(error: DBAPIError) -> str:
    """SQLite's own name of an error, such as SQLITE_BUSY_SNAPSHOT."""
    return str(getattr(error.orig, "sqlite_errorname", ""))


_KEPT = "what was committed before is kept, so the same command goes on from there"
_ADVICE = {
    "SQLITE_FULL": f"the disk is full; free some space and start again ({_KEPT})",
    "SQLITE_IOERR": f"the disk refused to read or write; see that it is not full ({_KEPT})",
    "SQLITE_BUSY": f"another process kept it locked; start again when it is done ({_KEPT})",
    "SQLITE_READONLY": "may not be written; make it and its folder writable, or name another "
    "ledger with --ledger",
    "SQLITE_CANTOPEN": "cannot be opened; see that its folder exists and can be written, or name "
    "another ledger with --ledger",
    "SQLITE_CONSTRAINT_FOREIGNKEY": "this study was forgotten by another process while it ran; "
    "start it again to have it anew",
    "SQLITE_NOTADB": "is not a ledger (not an SQLite file); name another ledger",
    "SQLITE_CORRUPT": "is damaged; put back a copy, or save what can be read with: sqlite3 FILE "
    ".recover",
}


def _advice(error: DBAPIError) -> str:
    name = _error_name(error)
    for start, advice in _ADVICE.items():
        if name.startswith(start):
            return advice
    return f"the ledger could not be used ({name or type(error.orig).__name__}: {error.orig})"
