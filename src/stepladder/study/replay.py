"""Other data that a training may mix in, so that it forgets less: the task's `replay` as rows.

Rows of other tasks are rendered with their own instruction, plain text follows an empty prompt.
Nothing stands in it twice, and nothing that the study asks: neither inputs of the task's own nor
test inputs of its guards, nor pieces of its held-out text.
"""

from __future__ import annotations

from collections.abc import Iterator

from stepladder.adaptation import Prompter
from stepladder.adaptation.prompter import instruct
from stepladder.records import OtherRow, Prompt, Turn, content_hash
from stepladder.tasks import PlainText, Task

EMPTY = Prompt("", (Turn("user", ""),))
"""What plain text follows."""


def replay_rows(task: Task) -> tuple[OtherRow, ...]:
    """In the order of a draw by the task's seed: a training takes the first, as many as its share
    asks for."""
    guards = task.guard.tasks if task.guard else ()
    held = {row.input for split in (task.train, task.dev, task.test) for row in split}
    held |= {row.input for guard in guards for row in guard.task.test}
    held |= set(task.guard.text.pieces) if task.guard and task.guard.text else set()
    rows: dict[str, OtherRow] = {}
    for source in task.replay:
        for row in _text(source, held) if isinstance(source, PlainText) else _task(source, held):
            key = content_hash([task.seed, row.prompt.text, row.answer])
            rows.setdefault(key, row)
    return tuple(rows[key] for key in sorted(rows))


def _text(text: PlainText, held: set[str]) -> Iterator[OtherRow]:
    return (OtherRow(text.name, EMPTY, piece) for piece in text.pieces if piece not in held)


def _task(task: Task, held: set[str]) -> Iterator[OtherRow]:
    prompter = Prompter(instruct(task.instruction, task.labels))
    for row in task.train:
        if row.input not in held:
            yield OtherRow(task.name, prompter.render(row.query), row.references[0])
