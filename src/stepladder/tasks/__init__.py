"""WHAT: a task's examples, splits, instruction, metrics by name, and what is good enough.

task = Task.load("task.yaml")
leakage(task).lines()                   # inputs that stand in two splits
read_outputs(Path("outputs.jsonl"))     # anyone's answers, by id
"""

from __future__ import annotations

from stepladder.tasks.elsewhere import PlainText
from stepladder.tasks.guard import Guard, GuardTask
from stepladder.tasks.leakage import Leakage, Pair, leakage
from stepladder.tasks.outputs import OutputsRung, outputs_file, read_outputs
from stepladder.tasks.spec import Target
from stepladder.tasks.task import Task

__all__ = [
    "Guard",
    "GuardTask",
    "Leakage",
    "OutputsRung",
    "Pair",
    "PlainText",
    "Target",
    "Task",
    "leakage",
    "outputs_file",
    "read_outputs",
]
