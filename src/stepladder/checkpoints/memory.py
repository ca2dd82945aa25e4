"""The memory that is free: of a device, of this machine, of the container around this process.

    free_bytes(model.device)        # None where the system does not say

Loads no torch of its own accord.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

_MACHINE = Path("/proc/meminfo")
_GROUP = Path("/sys/fs/cgroup")


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
