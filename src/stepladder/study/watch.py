"""How a study tells what it is doing; the command line draws bars from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class Standing(NamedTuple):
    """A rung's place in the race so far."""

    rung: str
    items: int
    """Answered."""
    of: int
    value: float | None
    """The deciding metric over these items, on the scale of 0 to 100; None before any answer."""
    left: str | None
    """How it left the race (a kind of Departure); None while it may be asked on."""


class Watcher(Protocol):
    def stage(self, rung: str, doing: str, total: int | None) -> None:
        """A new piece of work begins: `total` requests or training steps, None while unknown."""
        ...

    def reach(self, done: int, total: int | None = None, note: str = "") -> None:
        """So much of it is done."""
        ...

    def standings(self, standings: Sequence[Standing]) -> None:
        """The partial table, after every shard."""
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

    def standings(self, standings: Sequence[Standing]) -> None:
        pass

    def say(self, line: str) -> None:
        pass
