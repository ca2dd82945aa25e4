"""Stepladder finds the cheapest way to make an open LLM good enough at one task, and proves it.

    from stepladder import Study, Task

    summary = Study(Task.load("task.yaml"), models=["embedded"]).climb()
    print(summary.verdict.sentence)

Importing stepladder loads no torch; names are imported when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stepladder.adaptation import Adaptation
    from stepladder.errors import StepladderError
    from stepladder.records import Checkpoint, Example, Generation, Sampling, Score
    from stepladder.study import Study
    from stepladder.study.summary import Summary, Verdict
    from stepladder.tasks import Task

__version__ = "0.1.0"

_HOMES = {
    "Adaptation": "stepladder.adaptation",
    "Checkpoint": "stepladder.records",
    "Example": "stepladder.records",
    "Generation": "stepladder.records",
    "Sampling": "stepladder.records",
    "Score": "stepladder.records",
    "StepladderError": "stepladder.errors",
    "Study": "stepladder.study",
    "Summary": "stepladder.study.summary",
    "Task": "stepladder.tasks",
    "Verdict": "stepladder.study.summary",
}

__all__ = [
    "Adaptation",
    "Checkpoint",
    "Example",
    "Generation",
    "Sampling",
    "Score",
    "StepladderError",
    "Study",
    "Summary",
    "Task",
    "Verdict",
    "__version__",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'stepladder' has no attribute '{name}'")
