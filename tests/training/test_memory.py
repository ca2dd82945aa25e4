"""The meter: what is held while it is paused does not count, and nothing earlier is forgotten."""

from __future__ import annotations

import gc
import mmap
import sys

import pytest

from stepladder.training.memory import MemoryMeter

MIB = 2**20
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="writes to clear_refs")


@pytest.fixture(autouse=True)
def _no_garbage() -> None:
    """What earlier tests left is let go before the meter starts, not while it runs."""
    gc.collect()


def held(size: int) -> None:
    """Takes so many bytes, writes to every page of them, and lets go.

    Mapped, since what malloc hands out may be a hole that is resident already.
    """
    with mmap.mmap(-1, size) as pages:
        for start in range(0, size, mmap.PAGESIZE):
            pages[start] = 1


@linux
def test_a_pause_does_not_count() -> None:
    meter = MemoryMeter()
    with meter.paused():
        held(200 * MIB)
    peak = meter.peak()
    assert peak is not None
    assert peak < 100 * MIB


@linux
def test_a_peak_before_a_pause_is_not_forgotten() -> None:
    meter = MemoryMeter()
    held(200 * MIB)
    with meter.paused():
        held(400 * MIB)
    peak = meter.peak()
    assert peak is not None
    assert 190 * MIB < peak < 290 * MIB
    held(600 * MIB)
    peak = meter.peak()
    assert peak is not None
    assert peak > 500 * MIB
