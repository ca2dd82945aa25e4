"""How a study tells what it is doing; the command line draws bars from it."""

from __future__ import annotations

from typing import Protocol


class Watcher(Protocol):
    def stage(self, rung: str, doing: str, total: int | None) -> None:
        """A new piece of work begins: `total` requests or training steps, None while unknown."""
        ...

    def reach(self, done: int, total: int | None = None, note: str = "") -> None:
        """So much of it is done."""
        ...

    def say(self, line: str) -> None:
        """One line worth keeping on the screen."""
        ...


class Silent:
    """Watches without a word; the default in Python."""

    def stage(self, rung: str, doing: str, total: int | None) -> None:
        pass

    def reach(self, done: int, total: int | None = None, note: str = "") -> None:
        pass

    def say(self, line: str) -> None:
        pass
