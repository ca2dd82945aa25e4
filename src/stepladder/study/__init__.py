"""CLIMB: plan, run, decide.

summary = Study(Task.load("task.yaml"), models=["embedded"]).climb()
print(summary.verdict.sentence)
"""

from stepladder.ledger import DEFAULT_LEDGER
from stepladder.study.export import export
from stepladder.study.study import Study, load_summary
from stepladder.study.summary import Summary, Verdict
from stepladder.study.watch import Silent, Watcher

__all__ = [
    "DEFAULT_LEDGER",
    "Silent",
    "Study",
    "Summary",
    "Verdict",
    "Watcher",
    "export",
    "load_summary",
]
