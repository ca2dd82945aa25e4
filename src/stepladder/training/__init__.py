"""LEARN: the one fit loop, run in a process of its own.

A training method says what is to be trained (`prepare`), how hard (`fit_settings`) and what to
write (`save`); everything else is the same for all of them and lies here.

    build = run_job(job, folder, on_progress=show)      # blocks; a job done before comes at once
    build.folder / "adapter_config.json"

The process is what makes three promises cheap: memory is measured without the study's own, Ctrl-C
ends a training inside a step, and running out of memory ends one rung instead of the study.
Importing this room loads no torch.
"""

from stepladder.training.process import run_job
from stepladder.training.progress import Progress
from stepladder.training.rates import Share, learning_rate
from stepladder.training.together import (
    JOINT_ORDER,
    Together,
    build_method,
    recomputing,
    virtual_tokens,
    with_settings,
)

__all__ = [
    "JOINT_ORDER",
    "Progress",
    "Share",
    "Together",
    "build_method",
    "learning_rate",
    "run_job",
    "recomputing",
    "virtual_tokens",
    "with_settings",
]
