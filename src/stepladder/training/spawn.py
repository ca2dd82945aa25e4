"""How a training's process is started: its command and what it finds in its environment."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from stepladder.checkpoints import allocator_settings

_ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",  # weights are local by now; peft else asks the hub when it saves
    "TOKENIZERS_PARALLELISM": "false",
    "PYTHONUNBUFFERED": "1",
}


def command(folder: Path) -> list[str]:
    """Of a worker that trains what `folder` holds, and ends with this process."""
    return [sys.executable, "-P", "-m", "stepladder.training.worker", str(folder), str(os.getpid())]


def environment() -> dict[str, str]:
    """Unless it is set already, OpenMP's waiting threads soon give way to other work: on a machine
    with company an update took many times as long while they spun. The allocator's settings make
    the peak lower."""
    return {"GOMP_SPINCOUNT": "20000"} | os.environ | _ENVIRONMENT | allocator_settings()
