"""What this room's tests share; makes `import adapting` work whatever pytest's import mode."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stepladder.adaptation import Adaptation, Prompter
from stepladder.checkpoints import resolve
from stepladder.errors import TrainingError
from stepladder.records import Build, Sampling, TrainingJob

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def _trained_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainings run in the test's own process, where everything is imported already: each would
    spend more seconds on that than on training. The process around them is held in
    tests/training."""

    def here(
        job: TrainingJob, folder: Path, *, on_wait: Callable[[], None] | None = None, **_: Any
    ) -> Build:
        from stepladder.training.worker import explain, train_here
        from stepladder.training.workfolder import WorkFolder

        work = WorkFolder(folder)
        with work.held(on_wait):
            work.open_for(job)
            try:
                return work.build() or train_here(job, work, time.monotonic())
            except Exception as error:
                raise TrainingError(explain(error, job, work)) from error

    monkeypatch.setattr("stepladder.training.run_job", here)


@pytest.fixture(params=["tiny_llama", "tiny_t5"])
def base(request: pytest.FixtureRequest) -> Adaptation:
    """A decoder and an encoder-decoder that begin."""
    folder: Path = request.getfixturevalue(request.param)
    sampling = Sampling(max_new_tokens=6)
    return Adaptation(resolve(str(folder)), Prompter("Change it."), sampling=sampling)
