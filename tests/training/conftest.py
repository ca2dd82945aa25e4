"""Jobs on minute models, and a way to run them inside the test's own process."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from stepladder.checkpoints import resolve
from stepladder.records import Build, FitSettings, Prompt, TrainingJob, Turn

collect_ignore_glob = [] if find_spec("torch") else ["test_*.py"]
"""Without the extra 'hf' there is nothing here to test."""


def pairs(count: int, start: int = 0) -> tuple[tuple[Prompt, str], ...]:
    """Something that a minute model can learn: the answer repeats the input's word."""
    words = ("cat", "dog", "sat", "ran", "the")
    rows = []
    for i in range(start, start + count):
        text = f"Input: {words[i % 5]}{' the' * (i % 7)}\nOutput:"
        rows.append((Prompt(text, (Turn("user", text),), joint=" "), words[i % 5]))
    return tuple(rows)


@pytest.fixture(scope="session")
def make_job(tiny_llama: Path, tiny_t5: Path) -> Callable[..., TrainingJob]:
    def make(method: str = "lora", *, model: str = "llama", **changes: object) -> TrainingJob:
        fit = FitSettings(
            **{"epochs": 3.0, "learning_rate": 1e-2, "batch_size": 4, "patience": 0}
            | {k: changes.pop(k) for k in list(changes) if k in FitSettings.__dataclass_fields__}
        )
        rest = {"train": pairs(18), "dev": pairs(8, 100), "seed": 0} | changes
        folder = {"llama": tiny_llama, "t5": tiny_t5}[model]
        return TrainingJob(method=method, checkpoint=resolve(str(folder)), fit=fit, **rest)

    return make


@pytest.fixture
def train() -> Callable[[TrainingJob, Path], Build]:
    """What the worker does, without the process around it."""
    import torch

    from stepladder.training.worker import train_here
    from stepladder.training.workfolder import WorkFolder

    torch.set_num_threads(1)

    def here(job: TrainingJob, folder: Path) -> Build:
        work = WorkFolder(folder)
        work.open_for(job)
        return work.build() or train_here(job, work, time.monotonic())

    return here
