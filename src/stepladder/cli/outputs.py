"""Refuses an output that cannot be written before anything is spent on what it would hold."""

from __future__ import annotations

import os
from pathlib import Path

from stepladder.errors import OutputError


def refuse_unwritable(*paths: Path | None) -> None:
    """Raises OutputError for the first path that could not be written; writes nothing itself."""
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
        if not os.access(path if path.exists() else there, os.W_OK):
            raise OutputError(f"cannot write {path}: no permission in {there}; name another place")
