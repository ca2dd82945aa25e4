"""A report is written whole or not at all: a reader never meets half of a page.

write_pair(page, Path("runs/demo/shots.html"), found.as_json(), Path("shots.json"))
"""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

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
        write_json_file(data, path)


def write_json_file(data: Json, path: Path) -> None:
    """Writes `plain(data)`, whole or not at all. Raises OutputError."""
    text = json.dumps(plain(data), indent=2, ensure_ascii=False, allow_nan=False)
    # Half of a surrogate pair has no UTF-8; as \udXXX it is valid JSON and loses nothing.
    write_whole(path, (text + "\n").encode("utf-8", "backslashreplace"))


def plain(value: Any) -> Any:
    """Mappings as dicts, tuples as lists, nan and infinities, which JSON does not have, as None."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
