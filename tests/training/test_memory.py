"""The meter: what is held while it is paused does not count, and nothing earlier is forgotten."""

from __future__ import annotations

import sys

import pytest

from stepladder.training.memory import MemoryMeter

MIB = 2**20
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="writes to clear_refs")


def held(size: int) -> int:
    """Takes so many bytes twice, writes to them, and lets go."""
    return len(bytearray(b"x" * size))


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
    held(100 * MIB)
    with meter.paused():
        held(300 * MIB)
    peak = meter.peak()
    assert peak is not None
    assert 190 * MIB < peak < 290 * MIB  # both strings of the first
    held(300 * MIB)
    peak = meter.peak()
    assert peak is not None
    assert peak > 500 * MIB
