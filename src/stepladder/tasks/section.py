"""Reading a mapping key by key, with its types checked and every key accounted for.

    section = Section({"seed": "three"}, "task.yaml")
    section.integer("seed")     # TaskError: task.yaml: seed: a whole number is expected, ...
    section.finish()            # TaskError if a key is left that nobody asked for

The known keys are those that were asked for, so there is no second list to keep in step.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from stepladder.errors import TaskError, nearest_name


class Section:
    """A mapping that knows where it stands (`where` opens every message)."""

    def __init__(self, values: Mapping[Any, Any], where: str) -> None:
        self.where = where
        self._values = values
        self._asked: set[str] = set()

    def get(self, key: str) -> Any:
        """The value as it stands; None where it is missing or null."""
        self._asked.add(key)
        return self._values.get(key)

    def error(self, key: str, expected: str) -> TaskError:
        """What is raised where the value of `key` is not `expected`."""
        return TaskError(f"{self.where}: {key}: {expected} is expected, {_shown(self.get(key))}")

    def text(self, key: str) -> str | None:
        value = self.get(key)
        if value is None:
            return None
        if not isinstance(value, str) or not value.strip():
            raise self.error(key, "a text")
        return value.strip()

    def number(self, key: str, *, above: float | None = None) -> float | None:
        """A finite number, of at least 0, or strictly above `above` where that is given."""
        value = self.get(key)
        if value is None:
            return None
        expected = "a number of 0 or more" if above is None else f"a number above {above:g}"
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.error(key, expected)
        if not math.isfinite(value) or (value < 0 if above is None else value <= above):
            raise self.error(key, expected)
        return float(value)

    def integer(self, key: str, *, least: int = 0) -> int | None:
        value = self.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise self.error(key, f"a whole number of {least} or more")
        return value

    def items(self, key: str) -> list[Any]:
        """A list; empty where the key is missing."""
        value = self.get(key)
        if value is None:
            return []
        if not isinstance(value, list | tuple):
            raise self.error(key, f"a list (write [{value}])" if _plain(value) else "a list")
        return list(value)

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of different texts; numbers and booleans in it are taken as they are written."""
        found: list[str] = []
        for item in self.items(key):
            if not _plain(item):
                raise TaskError(f"{self.where}: {key}: a list of texts is expected, {_shown(item)}")
            text = str(item).lower() if isinstance(item, bool) else str(item).strip()
            if not text:
                raise TaskError(f"{self.where}: {key}: an empty text stands in the list")
            if text in found:
                raise TaskError(f"{self.where}: {key}: '{text}' is listed twice")
            found.append(text)
        return tuple(found)

    def section(self, key: str) -> Section | None:
        value = self.get(key)
        if value is None:
            return None
        if not isinstance(value, Mapping):
            raise self.error(key, "a mapping ({name: value})")
        return Section(value, f"{self.where}: {key}")

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def finish(self) -> None:
        """Refuses a key that nobody asked for, with the nearest that somebody did."""
        for key in self._values:
            if key not in self._asked:
                hint = nearest_name(str(key), self._asked)
                raise TaskError(f"{self.where}: unknown key '{key}'; {hint}")


def _plain(value: Any) -> bool:
    return isinstance(value, str | int | float)


def _shown(value: Any) -> str:
    """What came, in a few words."""
    if value is None:
        return "nothing came"
    if isinstance(value, Mapping):
        return "a mapping came"
    if isinstance(value, list | tuple):
        return "a list came"
    text = str(value) if len(str(value)) <= 40 else str(value)[:37] + "..."
    return f"'{text}' came"
