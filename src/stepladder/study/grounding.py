"""What a study says of evidence: was it found, does the answer rest on it, and what is it worth.

    grounder = Grounder(graded, task, metric)
    grounder.of(graded[0])          # a Grounded; None where no rung of the study shows evidence

Every rung, closed-book ones too, is held to the same evidence: what any rung of the study was shown
for the item, and its gold passages. So "unsupported" means the same in every row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from stepladder.adaptation import Evidence
from stepladder.adaptation.evidence import carries
from stepladder.checkpoints import FOUR_CHARACTERS, Entailment
from stepladder.contracts import Metric
from stepladder.metrics.grounding import Grounding, claims, ground, supported
from stepladder.metrics.ranking import rank_measures
from stepladder.metrics.words import same_form
from stepladder.records import Example, Generation
from stepladder.retrieval import (
    Cut,
    GoldFinder,
    KnowledgeLeak,
    Making,
    Passage,
    build_index,
    knowledge_leak,
    open_index,
)
from stepladder.study.grade import Graded
from stepladder.study.summary import ANSWER_KINDS, AnswerKind, Grounded, Retrieved, Split
from stepladder.tasks import Task

RIGHT = 0.5
"""An answer counts as right where the deciding metric gives it more than this, of 1: `9 days` for
`8 days` has a token F1 of just that. Of a corpus measure it is right where it is a reference."""


class Grounder:
    """Measures the rungs of one study against the evidence that they share."""

    def __init__(
        self,
        graded: Sequence[Graded],
        task: Task,
        metric: Metric,
        nli: Entailment | None = None,
    ) -> None:
        self._task = task
        self._nli = nli
        self._metric = metric
        self._evidence = [g.climbed.evidence for g in graded if g.climbed.evidence is not None]
        self._pool: dict[str, list[str]] = {}

    def of(self, graded: Graded, split: Split | None = None) -> Grounded | None:
        """None where no rung shows evidence, or this one has no answers."""
        if not self._evidence or not graded.items:
            return None
        statistics = graded.statistics[self._task.deciding]
        kinds: Counter[AnswerKind] = Counter()
        found: list[Grounding] = []
        claimed: list[tuple[str, str]] = []
        for item, row in zip(graded.items, statistics, strict=True):
            generation = graded.climbed.generations.get(item.id)
            if generation is None:
                continue
            kinds[self._kind(item, generation, float(row[0]))] += 1
            if graded.climbed.evidence is not None and not self._abstains(generation):
                shown = [p.text for p in graded.climbed.evidence.shown(item.query)]
                found.append(ground(generation.text, shown))
                # A short answer says something only behind its question.
                claimed += [
                    (premise, f"{item.input} {said}")
                    for premise, said in claims(generation.text, shown)
                ]
        stated = [one for one in found if one.statements]
        cited = sum(one.citations for one in stated)
        statements = sum(one.statements for one in stated)
        citing = sum(one.citations > 0 for one in stated)
        return Grounded(
            kinds={kind: kinds[kind] for kind in ANSWER_KINDS if kinds[kind]},
            carried=_mean([one.carried for one in stated if one.carried is not None]),
            citing=citing / len(stated) if stated else None,
            citation_precision=sum(one.right for one in stated) / cited if cited else None,
            citation_recall=sum(one.held for one in stated) / statements if citing else None,
            retrieved=retrieved(graded.climbed.evidence, graded.items),
            split=split,
            entailed=_mean(self._nli.follow(claimed)) if self._nli and claimed else None,
        )

    def _kind(self, item: Example, generation: Generation, value: float) -> AnswerKind:
        reference = generation.answer in item.references
        if (value > RIGHT) if self._metric.mean else reference:
            return "right"
        if self._abstains(generation):
            return "abstained"
        if generation.failure is not None or not generation.answer.strip():
            return "empty"
        return "misread" if supported(generation.answer, self._shared(item)) else "unsupported"

    def _abstains(self, generation: Generation) -> bool:
        phrase = self._task.knowledge.abstain if self._task.knowledge else None
        return phrase is not None and same_form(generation.answer) == same_form(phrase)

    def _shared(self, item: Example) -> list[str]:
        """The evidence for an item, the same for every rung."""
        if item.id not in self._pool:
            passages: dict[Passage, None] = {}
            for evidence in self._evidence:
                known = open_index(evidence.folder).passages
                passages |= dict.fromkeys(evidence.shown(item.query))
                passages |= dict.fromkeys(known[at] for at in sorted(gold_of(evidence, item)))
            self._pool[item.id] = [passage.text for passage in passages]
        return self._pool[item.id]


def leak_into_knowledge(task: Task) -> KnowledgeLeak | None:
    """Test questions in the task's documents, None where it has none. They are looked for in whole
    sections, since passages may cut a question in two."""
    if task.knowledge is None:
        return None
    whole = Making("bm25", cut=Cut(size=1_000_000, overlap=0))
    kept = build_index(task.knowledge, whole, FOUR_CHARACTERS)
    found = knowledge_leak(task.test, open_index(kept.folder).passages)
    return replace(found, unread=kept.unread)


def gold_of(evidence: Evidence, item: Example) -> frozenset[int]:
    """Positions of the item's gold passages in the index; none where they are not known. Of a gold
    text that was cut, the pieces that carry a reference, where any does."""
    if not item.gold:
        return frozenset()
    found = _finder(evidence.folder).passages(item.gold)
    texts = {at: open_index(evidence.folder).passages[at].text for at in found}
    telling = {at for at in found if any(carries(texts[at], r) for r in item.references)}
    return frozenset(telling) or found


@lru_cache(maxsize=4)
def _finder(index: Path) -> GoldFinder:
    return GoldFinder(open_index(index).passages)


def retrieved(evidence: Evidence | None, items: Sequence[Example]) -> Retrieved | None:
    """How well evidence is found for these items; None for a rung that shows none."""
    if evidence is None or evidence.k == 0 or not items:
        return None
    index = open_index(evidence.folder)
    rankings, carrying = [], 0
    for item in items:
        hits = index.search(item.input, evidence.k)
        carrying += any(carries(h.passage.text, r) for h in hits for r in item.references)
        gold = gold_of(evidence, item)
        if gold:
            rankings.append(rank_measures([hit.at for hit in hits], gold, evidence.k))
    means = np.mean(rankings, axis=0).tolist() if rankings else [None, None, None]
    recall, reciprocal, ndcg = means
    return Retrieved(
        k=evidence.k,
        carrying=carrying / len(items),
        with_gold=len(rankings),
        recall=recall,
        reciprocal_rank=reciprocal,
        ndcg=ndcg,
    )


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
