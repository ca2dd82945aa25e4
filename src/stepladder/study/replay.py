"""Other data that a training may mix in, so that it forgets less: the task's `replay` as rows.

Rows of other tasks are rendered with their own instruction, plain text follows an empty prompt.
Nothing stands in it twice, and nothing that the study asks: neither inputs of the task's own nor
test inputs of its guards, nor pieces of its held-out text.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from stepladder.adaptation import Prompter
from stepladder.adaptation.prompter import instruct
from stepladder.errors import TaskError
from stepladder.records import OtherRow, Prompt, Turn, content_hash
from stepladder.tasks import PlainText, Task

EMPTY = Prompt("", (Turn("user", ""),))
"""What plain text follows."""


def replay_rows(task: Task) -> tuple[OtherRow, ...]:
    """In the order of a draw by the task's seed: a training takes the first, as many as its share
    asks for. Where sources have weights, every beginning holds these, and the rows end where one
    source has no more to give. Raises TaskError for one that has none at all."""
    guards = task.guard.tasks if task.guard else ()
    held = {row.input for split in (task.train, task.dev, task.test) for row in split}
    held |= {row.input for guard in guards for row in guard.task.test}
    held |= set(task.guard.text.pieces) if task.guard and task.guard.text else set()
    sources: list[dict[str, OtherRow]] = []
    seen: set[str] = set()
    for source in task.replay:
        rows = _text(source, held) if isinstance(source, PlainText) else _task(source, held)
        by_key = {content_hash([task.seed, r.prompt.text, r.answer]): r for r in rows}
        sources.append({key: row for key, row in by_key.items() if key not in seen})
        seen |= set(by_key)
    if task.replay_weights:
        return _weighted(task, sources)
    pairs = (pair for rows in sources for pair in rows.items())
    return tuple(row for _, row in sorted(pairs, key=lambda p: p[0]))


def _weighted(task: Task, sources: Sequence[dict[str, OtherRow]]) -> tuple[OtherRow, ...]:
    """The k-th row of a source stands at (k + 1/2) / weight, which spreads each evenly."""
    places: list[tuple[float, str, OtherRow]] = []
    end = math.inf
    for source, rows, weight in zip(task.replay, sources, task.replay_weights, strict=True):
        if not rows:
            raise TaskError(
                f"replay: {source.name} has a weight of {weight:g} and no row that the study does "
                "not ask itself; leave it out"
            )
        places += [((k + 0.5) / weight, key, rows[key]) for k, key in enumerate(sorted(rows))]
        end = min(end, (len(rows) + 0.5) / weight)
    return tuple(row for place, _, row in sorted(places, key=lambda p: p[:2]) if place < end)


def _text(text: PlainText, held: set[str]) -> Iterator[OtherRow]:
    return (OtherRow(text.name, EMPTY, piece) for piece in text.pieces if piece not in held)


def _task(task: Task, held: set[str]) -> Iterator[OtherRow]:
    prompter = Prompter(instruct(task.instruction, task.labels))
    for row in task.train:
        if row.input not in held:
            yield OtherRow(task.name, prompter.render(row.query), row.references[0])
