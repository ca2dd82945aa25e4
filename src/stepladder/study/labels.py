"""Whether a model can write a task's labels at all: its tokenizer may have no tokens for them.

    refuse_unwritable(engine, task, "zero-shot")       # RungError, naming the first such label

No answer could ever be right then, whatever was spent on asking or training.
"""

from __future__ import annotations

from collections.abc import Sequence

from stepladder.contracts import Engine
from stepladder.errors import RungError
from stepladder.tasks import Task


def unwritable(engine: Engine, texts: Sequence[str]) -> dict[str, str]:
    """Those of the texts that the engine's model cannot write, with what it would write instead;
    none of an engine that does not know its tokenizer."""
    ask = getattr(engine, "unwritable", None)
    return dict(ask(texts)) if ask is not None else {}


def refuse_unwritable(engine: Engine, task: Task, rung: str) -> None:
    """Raises RungError where a label cannot be written by the model, so that no answer could be."""
    lost = unwritable(engine, task.labels)
    if lost:
        label, back = next(iter(lost.items()))
        raise RungError(
            f"rung '{rung}': the model's tokenizer cannot write {len(lost)} of the "
            f"{len(task.labels)} labels: '{label}' becomes '{back}'; rename it in the data, or "
            "take features, whose answers are not written"
        )
