"""What the allocator keeps: known sequences, holes, and systems that do not tell."""

from __future__ import annotations

import sys
from array import array

import pytest

from stepladder.forecast import allocator
from stepladder.forecast.allocator import Trace, kept

MIB = 2**20
glibc = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks glibc")


@glibc
def test_what_is_given_back_before_the_next_comes_is_held_once() -> None:
    trace = Trace()
    for number in range(1, 6):
        trace.take(number, 64 * MIB)
        trace.give(number)
    held = kept(trace)
    assert held is not None
    assert 64 * MIB <= held < 65 * MIB


@glibc
def test_what_is_alive_at_once_adds_up() -> None:
    trace = Trace()
    for number in range(1, 6):
        trace.take(number, 3 * MIB)
    held = kept(trace)
    assert held is not None
    assert 15 * MIB <= held < 17 * MIB


@glibc
def test_holes_that_are_too_small_are_held_as_well() -> None:
    """After a freed block of 8 MiB, blocks below that size come from the heap; every other one is
    given back, and what comes then is larger than the holes."""
    trace = Trace()
    trace.take(1000, 8 * MIB)
    trace.give(1000)
    for number in range(1, 65):
        trace.take(number, MIB)
    for number in range(1, 65, 2):
        trace.give(number)
    for number in range(100, 116):
        trace.take(number, 2 * MIB)
    alive = 32 * MIB + 16 * 2 * MIB
    held = kept(trace)
    assert held is not None
    assert held > 1.4 * alive


@glibc
def test_what_was_there_before_is_none_of_it() -> None:
    trace = Trace(before=1)
    trace.give(1)
    trace.take(2, MIB)
    held = kept(trace)
    assert held is not None
    assert MIB <= held < 2 * MIB


def test_a_system_that_does_not_tell_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allocator.sys, "executable", "/nothing/of/this/name")
    assert kept(Trace()) is None
    monkeypatch.setattr(allocator.sys, "executable", "/bin/false")
    assert kept(Trace()) is None


def test_what_comes_once_more_is_what_went_again() -> None:
    """What stayed is not taken twice, and what was there before is not given back."""
    trace = Trace()
    trace.take(1, 50)
    start = len(trace)
    trace.take(2, 60)
    trace.take(3, 70)
    trace.give(1)
    trace.give(2)
    end = len(trace)
    trace.repeat(start, end, 10)
    events = array("q")
    events.frombytes(trace.content())
    assert events[end:].tolist() == [12, 60, 12, -1]


@glibc
def test_what_comes_once_more_is_held_beside_what_came_since() -> None:
    trace = Trace()
    trace.take(1, 8 * MIB)
    trace.give(1)
    once = kept(trace)
    trace.take(2, 6 * MIB)
    trace.repeat(0, 4, 10)
    assert once is not None
    assert (kept(trace) or 0) > once + 5 * MIB
