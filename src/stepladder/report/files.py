"""A report is written whole or not at all: a reader never meets half of a page."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from stepladder.errors import OutputError
from stepladder.records import Json


def write_whole(path: Path, content: bytes) -> None:
    """Puts `content` at `path`, making its folder. Raises OutputError with the system's reason."""
    try:
        if path.is_dir():
            raise IsADirectoryError(f"it is a folder; name a file, such as {path / 'report.html'}")
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            # mkstemp makes a file for its owner alone; a report is as public as its folder.
            umask = os.umask(0)
            os.umask(umask)
            os.chmod(part, 0o666 & ~umask)
            os.replace(part, path)
        except BaseException:
            Path(part).unlink(missing_ok=True)
            raise
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(f"cannot write {path}: {reason}") from error


def write_pair(page: str, html: Path, data: Json, path: Path | None) -> None:
    """A page, and the same as JSON where it has a path. Raises OutputError."""
    write_whole(html, page.encode("utf-8"))
    if path is not None:
        write_whole(path, json.dumps(data, ensure_ascii=False, indent=1).encode("utf-8"))
