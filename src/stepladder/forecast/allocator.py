"""What this machine's allocator keeps for a sequence of allocations, found by making them.

    trace = Trace()
    trace.take(1, 4096); trace.give(1)     # a tensor comes, and goes
    kept(trace)                            # bytes; None where it cannot be told

An allocator keeps part of what is freed: holes too small for the next tensor. How much depends on
sizes and order, and on rules of its own that no formula follows. So the tensors of a rehearsed
update are taken from malloc and given back in their order, in a process of its own, and malloc is
asked for the most that it held. Nothing is written to them, so no memory is used.

What is NOT covered: small allocations between the tensors, threads with arenas of their own, and
systems without glibc 2.33 or later, where the answer is None.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from array import array
from typing import Any

_GIVEN = -1
_ALIGNED = 64
"""As torch asks for a tensor on a processor."""
_SMALL = 4096
"""Bytes below which an allocation does not make a new peak worth looking at."""


class Trace:
    """Allocations by number, with their bytes, in order; and which of them ended when."""

    def __init__(self, before: int = 0) -> None:
        """Numbers up to `before` are none of it."""
        self._before = before
        self._events = array("q")

    def take(self, number: int, size: int) -> None:
        self._events.extend((number, size))

    def give(self, number: int) -> None:
        if number > self._before:
            self._events.extend((number, _GIVEN))

    def __len__(self) -> int:
        return len(self._events)

    def repeat(self, start: int, end: int, numbers: int) -> None:
        """What came and went from `start` to `end` (lengths of this trace) once more. `numbers`
        are added to those taken there, so that they are new ones; what was taken there and is
        still held is not taken again."""
        taken: dict[int, int] = {}
        given: set[int] = set()
        events = self._events[start:end]
        for number, size in zip(events[::2], events[1::2], strict=True):
            if size == _GIVEN:
                given.add(number)
            else:
                taken[number] = size
        passing = given & taken.keys()
        for number, size in zip(events[::2], events[1::2], strict=True):
            if number in passing:
                self._events.extend((number + numbers, size))

    def content(self) -> bytes:
        return self._events.tobytes()


def kept(trace: Trace) -> int | None:
    """The most bytes that malloc held at once, with the settings of a process that trains; None
    where this system does not tell."""
    from stepladder.checkpoints import allocator_settings  # the child process knows no stepladder

    try:
        ended = subprocess.run(
            [sys.executable, "-I", "-S", __file__],
            input=trace.content(),
            capture_output=True,
            env=os.environ | allocator_settings(),
            timeout=60,
        )
        return int(ended.stdout) if ended.returncode == 0 else None
    except (OSError, ValueError, subprocess.SubprocessError):
        return None


class _Held(ctypes.Structure):
    """mallinfo2 of malloc.h."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    ]


def in_use() -> int | None:
    """Bytes that this process has from malloc; None where this system does not tell."""
    try:
        found = _asking(ctypes.CDLL(None))()
    except (AttributeError, OSError):
        return None
    return int(found.uordblks + found.hblkhd)


def _asking(libc: ctypes.CDLL) -> Any:
    """Raises AttributeError without glibc 2.33."""
    ask = libc.mallinfo2
    ask.restype = _Held
    return ask


def _replay(content: bytes) -> int:
    """Raises AttributeError without glibc, MemoryError where the system refuses."""
    libc = ctypes.CDLL(None)
    ask = _asking(libc)
    libc.posix_memalign.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t]
    libc.free.argtypes = [ctypes.c_void_p]

    def held() -> int:
        found = ask()
        return int(found.arena + found.hblkhd)

    events = array("q")
    events.frombytes(content)
    places: dict[int, int | None] = {}
    place = ctypes.c_void_p()
    before = most = held()
    for at in range(0, len(events), 2):
        number, size = events[at], events[at + 1]
        if size == _GIVEN:
            libc.free(places.pop(number))
            continue
        if libc.posix_memalign(ctypes.byref(place), _ALIGNED, max(1, size)) != 0:
            raise MemoryError
        places[number] = place.value
        if size > _SMALL:
            most = max(most, held())
    return most - before


if __name__ == "__main__":
    print(_replay(sys.stdin.buffer.read()))
