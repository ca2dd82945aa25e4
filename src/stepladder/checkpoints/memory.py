"""The memory that is free: of a device, of this machine, of the container around this process.

    free_bytes(model.device)        # None where the system does not say
    allocator_settings()            # with which a training gets by with less

Loads no torch of its own accord.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

_MACHINE = Path("/proc/meminfo")
_GROUP = Path("/sys/fs/cgroup")
_ALLOCATOR = {"GLIBC_TUNABLES": "glibc.malloc.tcache_count=0:glibc.malloc.mxfast=0"}
"""What glibc sets aside of small freed pieces keeps their neighbours from growing together again,
so that the next tensor does not fit: without, a training's peak is up to a fifth lower."""


def allocator_settings() -> dict[str, str]:
    """Of the environment of a process that trains, where the user has not set them."""
    return {name: os.environ.get(name, value) for name, value in _ALLOCATOR.items()}


def free_bytes(device: Any, *, swap: bool = False) -> int | None:
    """Bytes that are free on a torch device; on a processor the lesser of what the machine and its
    container have, free swap of the machine counted where `swap` says so. None where the system
    does not say."""
    if device.type == "cuda":
        import torch

        return int(torch.cuda.mem_get_info(device)[0])
    known = [free for free in (_machine(swap), _container()) if free is not None]
    return min(known, default=None)


def _machine(swap: bool) -> int | None:
    """As the kernel reckons it (proc(5): MemAvailable)."""
    try:
        lines = _MACHINE.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    kib = {line.split(":")[0]: int(line.split()[1]) for line in lines}
    if "MemAvailable" not in kib:
        return None
    return 1024 * (kib["MemAvailable"] + (kib.get("SwapFree", 0) if swap else 0))


def _container() -> int | None:
    """Under the limit of this process's control group (version 2), file pages that can be dropped
    not counted as taken; None without a limit."""
    try:
        limit = (_GROUP / "memory.max").read_text().strip()
        taken = int((_GROUP / "memory.current").read_text())
        pages = (_GROUP / "memory.stat").read_text().split()
    except (OSError, ValueError):
        return None
    if limit == "max":
        return None
    droppable = int(pages[pages.index("inactive_file") + 1]) if "inactive_file" in pages else 0
    return max(0, int(limit) - taken + droppable)
