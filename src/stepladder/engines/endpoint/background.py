"""Asynchronous work for synchronous callers: an event loop in a thread of its own.

    for item in iterate(source):       # source() is an asynchronous iterator
        ...

A thread rather than the caller's, since the caller may have a loop running (a notebook), and since
the work goes on while the caller is busy with an item. Leaving the `for` cancels what is under way.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

_T = TypeVar("_T")
_LEAVING = 5.0
"""Seconds that cancelled work is waited for."""


@dataclass(frozen=True, slots=True)
class _Item(Generic[_T]):
    value: _T


def iterate(source: Callable[[], AsyncIterator[_T]]) -> Generator[_T]:
    """The items of `source()` as they come. What it raises is raised here."""
    news: queue.SimpleQueue[_Item[_T] | BaseException | None] = queue.SimpleQueue()
    loop = asyncio.new_event_loop()
    pumps: list[asyncio.Task[None] | None] = []

    async def pump() -> None:
        pumps.append(asyncio.current_task())
        async for value in source():
            news.put(_Item(value))

    def work() -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: loop) as runner:
                runner.run(pump())
            news.put(None)
        except BaseException as error:  # handed to the caller's thread, which raises it
            news.put(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while (item := news.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item.value
    finally:
        with suppress(RuntimeError):  # the loop is closed: it has ended by itself
            loop.call_soon_threadsafe(_cancel, pumps)
        thread.join(_LEAVING)


def _cancel(pumps: list[asyncio.Task[None] | None]) -> None:
    """The work alone: the loop has tasks of its own while it closes."""
    for task in filter(None, pumps):
        task.cancel()
