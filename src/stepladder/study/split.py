"""How much of a gain is retrieval's and how much reading's: the same rung on other evidence.

    split = Splitter(climber, grader).of(graded)
    split.values      # {"none": 0.05, "shuffled": 0.04, "retrieved": 0.61, "gold": 0.63}

After the race a rung that shows evidence answers some of its items three more times: without
evidence, with the gold passages where they are known, and with those of another item. Prompts,
weights and demonstrations stay the same. What was asked is kept in the ledger like any answer.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import asdict, replace

from stepladder.adaptation import Adaptation, Evidence
from stepladder.contracts import Metric
from stepladder.errors import EngineError
from stepladder.ledger import StudyLog
from stepladder.records import Example, Query
from stepladder.retrieval import open_index
from stepladder.study.climb import Climber
from stepladder.study.grade import Graded, Grader
from stepladder.study.grounding import gold_of
from stepladder.study.summary import EvidenceWay, Split

ITEMS = 100
"""At most so many items are asked again, the first in the order of asking."""


class Splitter:
    """Splits the gains of a study's rungs."""

    def __init__(self, climber: Climber, grader: Grader, log: StudyLog, seed: int) -> None:
        self._climber = climber
        self._metric: Metric = grader.deciding
        self._log = log
        self._seed = seed

    def of(self, graded: Graded) -> Split | None:
        """None for a rung that shows no evidence or has not answered everything it was asked."""
        evidence, name = graded.climbed.evidence, graded.climbed.planned.name
        if evidence is None or not graded.items or graded.missing:
            return None
        adaptation = self._climber.adaptation(name)
        known = [item for item in graded.items if gold_of(evidence, item)]
        items = (known or list(graded.items))[:ITEMS]
        kept = [graded.climbed.generations[item.id].answer for item in items]
        values: dict[EvidenceWay, float | None] = {
            "none": self._value(name, _closed(adaptation), items),
            "shuffled": self._shuffled(name, adaptation, evidence, items),
            "retrieved": self._score(items, kept),
            "gold": self._gold(name, adaptation, evidence, items) if known else None,
        }
        split = Split(len(items), values)
        if not any(e.payload == {"rung": name, **asdict(split)} for e in self._log.events("split")):
            self._log.append("split", {"rung": name, **asdict(split)})
        return split

    def _shuffled(
        self, name: str, adaptation: Adaptation, evidence: Evidence, items: Sequence[Example]
    ) -> float | None:
        """Each item is shown what was found for another one; None where there is no other."""
        if len(items) < 2:
            return None
        order = list(items)
        random.Random(f"evidence {self._seed}").shuffle(order)
        index = open_index(evidence.folder)
        pinned = {
            item.id: tuple(hit.at for hit in index.search(other.input, evidence.k))
            for item, other in zip(order, [*order[1:], order[0]], strict=True)
        }
        return self._value(name, _pinned(adaptation, evidence, pinned), items)

    def _gold(
        self, name: str, adaptation: Adaptation, evidence: Evidence, items: Sequence[Example]
    ) -> float | None:
        """Each item is shown its gold passages, as many as the rung shows at most."""
        pinned = {item.id: tuple(sorted(gold_of(evidence, item))[: evidence.k]) for item in items}
        return self._value(name, _pinned(adaptation, evidence, pinned), items)

    def _value(self, name: str, adaptation: Adaptation, items: Sequence[Example]) -> float | None:
        """None where the machine owes an answer."""
        answers = self._asked(name, adaptation, [item.query for item in items])
        if any(item.id not in answers for item in items):
            return None
        return self._score(items, [answers[item.id] for item in items])

    def _asked(self, name: str, adaptation: Adaptation, queries: Sequence[Query]) -> dict[str, str]:
        """Answers by id; those that the machine owes are left out."""
        answers: dict[str, str] = {}
        watcher = self._climber.watcher
        watcher.stage(name, "other evidence", len(queries))
        try:
            engine = self._climber.engine(adaptation.checkpoint)
            for generation in adaptation.generate(engine, queries):
                if generation.failure is None or not generation.failure.machine:
                    answers[generation.id] = generation.answer
                    watcher.reach(len(answers))
        except EngineError as error:
            self._log.append("machine-failure", {"rung": name, "error": str(error)})
            watcher.say(f"{name}: {error}")
        return answers

    def _score(self, items: Sequence[Example], answers: Sequence[str]) -> float | None:
        rows = self._metric.statistics(answers, [item.references for item in items])
        return self._metric.aggregate(rows)


def _closed(adaptation: Adaptation) -> Adaptation:
    return replace(adaptation, prompter=replace(adaptation.prompter, evidence=None))


def _pinned(
    adaptation: Adaptation, evidence: Evidence, pinned: dict[str, tuple[int, ...]]
) -> Adaptation:
    shown = replace(evidence, pinned=pinned)
    return replace(adaptation, prompter=replace(adaptation.prompter, evidence=shown))
