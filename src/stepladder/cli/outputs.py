"""Refuses an output that cannot be written before anything is spent on what it would hold."""

from __future__ import annotations

import tempfile
from pathlib import Path

from stepladder.errors import OutputError


def refuse_unwritable(*paths: Path | None) -> None:
    """Raises OutputError for the first path that could not be written; leaves nothing behind."""
    for path in paths:
        if path is None:
            continue
        if path.is_dir():
            raise OutputError(f"cannot write {path}: it is a folder; name a file in it")
        there = path.parent
        while not there.exists():
            there = there.parent
        if not there.is_dir():
            raise OutputError(f"cannot write {path}: {there} is not a folder; name another place")
        try:
            with tempfile.TemporaryFile(dir=there):
                pass
        except OSError as error:
            raise OutputError(
                f"cannot write {path}: {error.strerror} in {there}; name another place"
            ) from error
