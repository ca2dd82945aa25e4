"""Prompting: zero-shot, one-shot and few-shot, with demonstrations fixed or nearest.

Fixed demonstrations are drawn from the training rows by a seed, the same for every query, balanced
over labels where the task has them. Nearest demonstrations are chosen for each query by BM25 or by
an encoder's vectors; the nearest stands last, beside the query. A row is never its own
demonstration: a fixed draw holds one row to spare for that.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from stepladder.adaptation import (
    Adaptation,
    CitingReader,
    Demonstration,
    Demonstrations,
    LabelReader,
)
from stepladder.adaptation.prompter import STOP
from stepladder.contracts import Workbench
from stepladder.errors import RungError
from stepladder.records import Capabilities, Example


@dataclass(frozen=True)
class ZeroShot:
    """Instruction and input alone."""

    fills: ClassVar[str | None] = "demonstrations"
    requires: ClassVar[Capabilities] = Capabilities()

    def adapt(
        self,
        base: Adaptation,
        train: Sequence[Example],
        dev: Sequence[Example],
        bench: Workbench,
    ) -> Adaptation:
        return base


@dataclass(frozen=True)
class FewShot:
    """k training rows are shown before the query."""

    k: int
    """Demonstrations a prompt."""
    nearest: str | None = None
    """`bm25`, or the name or folder of a sentence encoder; without it the draw is fixed."""
    seed: int | None = None
    """Another seed is another draw; the study's own where it is not given."""
    apart: bool = False
    """Rows that are shown are held apart from a training behind it."""

    fills: ClassVar[str | None] = "demonstrations"
    requires: ClassVar[Capabilities] = Capabilities()

    def __post_init__(self) -> None:
        if self.k < 1:
            raise RungError(f"few-shot({self.k}): give 1 or more demonstrations, or use zero-shot")
        if self.apart and self.nearest is not None:
            raise RungError(
                f"few-shot({self.k}): nearest demonstrations come from all training rows, so none "
                "can be held apart; leave nearest or apart out"
            )

    def adapt(
        self,
        base: Adaptation,
        train: Sequence[Example],
        dev: Sequence[Example],
        bench: Workbench,
    ) -> Adaptation:
        known = {row.id for row in train if base.reader.wanted(row) is not None}
        rows = [row for row in train if row.id in known]
        if len(rows) < self.k:
            kind = "training rows" if len(rows) == len(train) else "training rows with a program"
            raise RungError(f"few-shot({self.k}) needs {self.k} {kind}, the task has {len(rows)}")
        if self.nearest is None:
            reader = base.reader.then if isinstance(base.reader, CitingReader) else base.reader
            labels = reader.labels if isinstance(reader, LabelReader) else ()
            seed = bench.seed if self.seed is None else self.seed
            order = [row for row in _shuffled(train, seed) if row.id in known]
            rows = _draw(order, self.k + 1, balanced=bool(labels))
        pool = tuple(Demonstration(row.id, row.input, base.wanted(row) or "") for row in rows)
        shown = Demonstrations(self.k, pool, self.nearest, self.apart)
        stop = tuple(dict.fromkeys((*base.prompter.stop, *STOP)))
        return replace(base, prompter=replace(base.prompter, demonstrations=shown, stop=stop))


@dataclass(frozen=True)
class OneShot(FewShot):
    """One training row is shown before the query."""

    k: int = 1


def _shuffled(rows: Sequence[Example], seed: int) -> list[Example]:
    """All rows in a seeded order, whatever is left out of it afterwards: so rungs that show
    answers and rungs that show programs draw the same rows."""
    order = sorted(rows, key=lambda row: row.id)
    random.Random(f"demonstrations {seed}").shuffle(order)
    return order


def _draw(order: Sequence[Example], count: int, *, balanced: bool) -> list[Example]:
    """The first rows of an order; balanced takes the first reference's labels in turn."""
    if not balanced:
        return list(order[:count])
    by_label: dict[str, list[Example]] = defaultdict(list)
    for row in order:
        by_label[row.references[0]].append(row)
    taken: list[Example] = []
    while len(taken) < min(count, len(order)):
        for queue in by_label.values():
            if queue and len(taken) < count:
                taken.append(queue.pop(0))
    return taken
