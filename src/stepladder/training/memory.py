"""The memory that a training takes, without what its libraries take.

    meter = MemoryMeter()       # after the imports, before the model is loaded
    ...                         # load, train
    meter.peak()                # bytes above the start
    with meter.paused(): ...    # what is held meanwhile does not count

On a CUDA device the allocator's peak is what runs out, so that is what counts there. On Linux the
kernel keeps the resident peak (VmHWM in proc(5)) and writing 5 to clear_refs sets it back to the
present size. Elsewhere getrusage gives the peak since the process began, imports among it, which
is the same number unless the imports' own peak was higher than the training's.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


class MemoryMeter:
    """Measures from its making on."""

    def __init__(self) -> None:
        _forget_peak()
        self._start = _resident("VmRSS") or _usage_peak()
        self._before = 0

    def peak(self) -> int | None:
        """Bytes; None where this system does not tell."""
        seen = self._seen()
        return None if seen is None else max(seen, self._before)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Where the system allows it; else what is held meanwhile counts too."""
        self._before = self.peak() or 0
        try:
            yield
        finally:
            _forget_peak()

    def _seen(self) -> int | None:
        import torch

        if torch.cuda.is_available():
            return int(torch.cuda.max_memory_allocated())
        peak = _resident("VmHWM") or _usage_peak()
        if peak is None or self._start is None:
            return None
        return max(0, peak - self._start)


def _forget_peak() -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    try:
        _CLEAR.write_text("5")
    except OSError:  # not Linux, or a container that does not allow it: the peak stands as it is
        pass


def in_words(size: float) -> str:
    """An amount as a sentence has it.

    >>> in_words(3.21 * 2**30), in_words(12 * 2**20)
    ('3.2 GiB', '12 MiB')
    """
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.0f} MiB"


def _resident(field: str) -> int | None:
    if not _STATUS.exists():
        return None
    for line in _STATUS.read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    return None


def _usage_peak() -> int | None:
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
