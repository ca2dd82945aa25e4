"""Which passages are meant by a row's gold text, and which test questions stand in the knowledge.

    gold = GoldFinder(index.passages)
    gold.passages(("The yellow nail. It weighs 31 kilos.",))        # {17}

Gold may be given as the passage's text, whole or in part, or as the name of its source (a file, or
`file # heading`). A text is found by its longest run of words in a passage: at least half of the
shorter of the two has to be that run, so that a text that was cut is found in both pieces, and one
that is written after the same pattern is not.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from stepladder.records import Example
from stepladder.retrieval.chunks import Passage
from stepladder.retrieval.words import words_of

_RUN = 3
"""Words of the runs that are looked up; a shorter text is found only as a whole passage."""
LEAST_WORDS = 4
"""Shorter questions are no leak where they are found: anybody writes them."""


class GoldFinder:
    """Looks texts up in passages."""

    def __init__(self, passages: Sequence[Passage]) -> None:
        self._words = [words_of(passage.text) for passage in passages]
        self._named: dict[str, list[int]] = defaultdict(list)
        self._runs: dict[tuple[str, ...], list[tuple[int, int]]] = defaultdict(list)
        for at, (passage, words) in enumerate(zip(passages, self._words, strict=True)):
            self._named[passage.source].append(at)
            self._named[f"{passage.source} # {passage.heading}"].append(at)
            for place in range(len(words) - _RUN + 1):
                self._runs[tuple(words[place : place + _RUN])].append((at, place))

    def passages(self, gold: Sequence[str]) -> frozenset[int]:
        """Positions of the passages that are meant; none where none is found."""
        found: set[int] = set()
        for text in gold:
            found.update(self._named.get(text) or self._holding(words_of(text)))
        return frozenset(found)

    def _holding(self, words: list[str]) -> list[int]:
        longest: dict[int, int] = {}
        before: dict[tuple[int, int], int] = {}
        for place in range(len(words) - _RUN + 1):
            now: dict[tuple[int, int], int] = {}
            for at, there in self._runs.get(tuple(words[place : place + _RUN]), ()):
                length = before.get((at, there - 1), _RUN - 1) + 1
                now[at, there] = length
                longest[at] = max(length, longest.get(at, 0))
            before = now
        whole = [at for at, known in enumerate(self._words) if known == words]
        return whole + [
            at
            for at, length in longest.items()
            if 2 * length >= min(len(words), len(self._words[at]))
        ]


@dataclass(frozen=True, slots=True)
class KnowledgeLeak:
    """Test questions that stand in the knowledge."""

    questions: tuple[str, ...]
    """Ids of items whose whole question stands in a passage."""
    answered: tuple[str, ...]
    """Those of them whose answer stands behind it, in the same passage."""
    of: int
    unread: tuple[str, ...] = ()
    """Files and rows of the documents that could not be read, a line each."""

    def line(self) -> str:
        if not self.questions:
            return "No whole test question stands in the knowledge."
        return (
            f"knowledge: {len(self.questions):,} of {self.of:,} test questions stand in it whole, "
            f"{len(self.answered):,} of them with their answer; take them out, or the test is of "
            "copying"
        )


def knowledge_leak(test: Sequence[Example], passages: Sequence[Passage]) -> KnowledgeLeak:
    """Looks for whole questions (of four words or more), and for their answers behind them. An
    answer that stands in a passage by itself is what retrieval is for, and no leak."""
    texts = [f" {' '.join(words_of(passage.text))} " for passage in passages]
    everything = "\n".join(texts)
    questions: list[str] = []
    answered: list[str] = []
    for example in test:
        words = words_of(example.input)
        question = f" {' '.join(words)} "
        if len(words) < LEAST_WORDS or question not in everything:
            continue
        questions.append(example.id)
        behind = [text.split(question, 1)[1] for text in texts if question in text]
        answers = [f"{' '.join(words_of(reference))} " for reference in example.references]
        if any(f" {answer}" in f" {rest}" for rest in behind for answer in answers):
            answered.append(example.id)
    return KnowledgeLeak(tuple(questions), tuple(answered), len(test))
