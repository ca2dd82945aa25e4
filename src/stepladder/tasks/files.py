"""Rows out of files: JSONL, JSON, CSV, TSV and Parquet, each also gzipped.

    source = read_source(Path("train.jsonl.gz"))
    source.rows[0].fields["question"]

Everything is read before anything is used: a broken row 4,711 is told before any compute is spent.
A row's number is what the user's editor shows: the line in JSONL, the record in CSV with the
header as row 1, and the position from 1 elsewhere.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from stepladder.errors import MissingExtraError, TaskError

SUFFIXES = (".jsonl", ".json", ".csv", ".tsv", ".parquet")
"""What can be read; `.gz` may stand behind each."""

_LONGEST_CELL = 2**31 - 1
"""Characters; csv's own limit of 131,072 is less than many documents hold."""


class Row(NamedTuple):
    """One row and where it stands in its file."""

    number: int
    fields: Mapping[str, Any]


@dataclass(frozen=True)
class Source:
    """The rows of one file (or of one split of a data set), in their order."""

    name: str
    """As messages name it."""
    rows: Sequence[Row]

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Every field that any row has, in the order in which they first come."""
        return tuple(dict.fromkeys(key for row in self.rows for key in row.fields))


def read_source(path: Path, name: str | None = None) -> Source:
    """Reads a file by its suffix.

    Raises TaskError naming file and row for whatever cannot be read, and for a file without rows.
    """
    name = name or path.name
    suffix = _suffix(path)
    if suffix not in SUFFIXES:
        raise TaskError(
            f"{name}: the suffix '{path.suffix}' is not known; give {', '.join(SUFFIXES)} "
            "(.gz may follow)"
        )
    data = _read_bytes(path, name)
    if suffix == ".parquet":
        rows = _parquet_rows(data, name)
    elif suffix in (".csv", ".tsv"):
        rows = list(_csv_rows(_decode(data, name), name))
    elif suffix == ".json" and data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"["):
        rows = _json_rows(data, name)
    else:
        rows = list(_jsonl_rows(data, name))
    if not rows:
        raise TaskError(f"{name}: holds no rows")
    return Source(name, rows)


def _suffix(path: Path) -> str:
    name = path.name.lower().removesuffix(".gz")
    return Path(name).suffix


def _read_bytes(path: Path, name: str) -> bytes:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise TaskError(f"{name}: no such file (looked for {path})") from None
    except OSError as error:
        raise TaskError(f"{name}: cannot be read ({error.strerror})") from None
    if not path.name.lower().endswith(".gz"):
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise TaskError(f"{name}: not a whole gzip file ({error}); fetch it again") from None


def _decode(data: bytes, name: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise TaskError(
            f"{name}: line {line}: not UTF-8 text (byte 0x{data[error.start]:02x}); "
            "save it as UTF-8"
        ) from None


def _jsonl_rows(data: bytes, name: str) -> Iterator[Row]:
    # Only \n ends a row: str.splitlines would also cut at U+2028, which JSON allows inside a text.
    for number, line in enumerate(_decode(data, name).split("\n"), start=1):
        if line.strip():
            try:
                value = json.loads(line)
            except json.JSONDecodeError as error:
                raise TaskError(
                    f"{name}: row {number}: not JSON ({error.msg.removesuffix(' at')} at column "
                    f"{error.colno}); write one object a line"
                ) from None
            yield _object_row(number, value, name)


def _json_rows(data: bytes, name: str) -> list[Row]:
    try:
        values = json.loads(_decode(data, name))
    except json.JSONDecodeError as error:
        raise TaskError(f"{name}: line {error.lineno}: not JSON ({error.msg})") from None
    return [_object_row(number, value, name) for number, value in enumerate(values, start=1)]


def _object_row(number: int, value: Any, name: str) -> Row:
    if not isinstance(value, dict):
        raise TaskError(
            f"{name}: row {number}: an object with named fields is expected, "
            f"a {type(value).__name__} came"
        )
    return Row(number, value)


def _csv_rows(text: str, name: str) -> Iterator[Row]:
    csv.field_size_limit(_LONGEST_CELL)
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=_delimiter(text, name), strict=True
    )
    header: list[str] | None = None
    number = 0
    try:
        for number, cells in enumerate(reader, start=1):
            if not any(cell.strip() for cell in cells):
                continue
            if header is None:
                header = _header(cells, name)
            elif len(cells) != len(header):
                raise TaskError(
                    f"{name}: row {number}: {len(cells)} cells where the header has {len(header)}; "
                    "quote cells that hold the delimiter or a line break"
                )
            else:
                yield Row(number, dict(zip(header, cells, strict=True)))
    except csv.Error as error:
        raise TaskError(
            f"{name}: row {number + 1}: not CSV ({error}); see to its quotation marks: one that is "
            "left open takes in all that follows"
        ) from None


def _header(cells: Sequence[str], name: str) -> list[str]:
    header = [cell.strip() for cell in cells]
    if "" in header:
        # The nameless first column is a row index, as pandas writes it.
        header = [cell or f"column{position}" for position, cell in enumerate(header, start=1)]
    twice = next((cell for cell in header if header.count(cell) > 1), None)
    if twice is not None:
        raise TaskError(f"{name}: the header names '{twice}' twice; rename one of the columns")
    return header


def _delimiter(text: str, name: str) -> str:
    """The most frequent candidate in the header: spreadsheets in much of Europe write `;`.

    csv.Sniffer is not used: it guesses from prose in the cells, and guesses wrong.
    """
    if name.lower().removesuffix(".gz").endswith(".tsv"):
        return "\t"
    header = next((line for line in text.split("\n") if line.strip()), "")
    return max(",;\t|", key=header.count)


def _parquet_rows(data: bytes, name: str) -> list[Row]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise MissingExtraError("hf", f"reading {name}") from None
    try:
        values = parquet.read_table(io.BytesIO(data)).to_pylist()
    except (pyarrow.ArrowException, OSError) as error:
        first_line = (str(error).splitlines() or ["unreadable"])[0]
        raise TaskError(f"{name}: not a Parquet file ({first_line})") from None
    return [Row(number, value) for number, value in enumerate(values, start=1)]
