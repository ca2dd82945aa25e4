"""Measures of short answers: the same text, the same words, the same number.

exact = ExactMatch()
exact.aggregate(exact.statistics(["The answer. "], [["the answer", "answer"]]))    # 1.0
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from stepladder.contracts import Floats
from stepladder.errors import MetricError
from stepladder.metrics.measures import Choice, MeanMeasure, over_references, signature, table
from stepladder.metrics.numerals import last_number
from stepladder.metrics.words import answer_words, same_form


@dataclass(frozen=True)
class ExactMatch(MeanMeasure):
    """Whether the answer is one of the references, in the form of `words.same_form`."""

    case: bool = False
    """Whether case counts."""
    punctuation: bool = False
    """Whether final punctuation counts."""

    base = "exact_match"

    @property
    def signature(self) -> str:
        return signature(
            self.base,
            unicode="NFC",
            space="collapsed",
            case="kept" if self.case else "folded",
            final="kept" if self.punctuation else "punctuation-dropped",
            references="any",
            scale="0-1",
            version=1,
        )

    def statistics(self, answers: Sequence[str], references: Sequence[Sequence[str]]) -> Floats:
        """1 or 0 for each answer, shape (examples, 1)."""
        rows = [
            [float(self._form(answer) in {self._form(reference) for reference in accepted})]
            for answer, accepted in zip(answers, references, strict=True)
        ]
        return table(rows, 1)

    def _form(self, text: str) -> str:
        return same_form(text, case=self.case, punctuation=self.punctuation)


@dataclass(frozen=True)
class TokenF1(MeanMeasure):
    """F of the words in common, without their order (Rajpurkar et al. 2016, section 6.1).

    As SQuAD's evaluation has it for English, with the letters of every language kept. Where a
    text has no words (only an article, only signs), the whole form decides.
    """

    references: Choice = "best"
    """With several references: the best by F, or the mean over all."""
    articles: bool = False
    """Whether `a`, `an` and `the` count as words."""

    base = "token_f1"
    parts = ("precision", "recall")

    @property
    def signature(self) -> str:
        return signature(
            self.base,
            case="folded",
            punctuation="dropped",
            articles="kept" if self.articles else "dropped",
            tokens="all",
            references=self.references,
            scale="0-1",
            version=1,
        )

    def statistics(self, answers: Sequence[str], references: Sequence[Sequence[str]]) -> Floats:
        """F, precision and recall of each answer, shape (examples, 3)."""
        rows = [
            self._row(answer, accepted)
            for answer, accepted in zip(answers, references, strict=True)
        ]
        return table(rows, 3)

    def _row(self, answer: str, accepted: Sequence[str]) -> list[float]:
        return over_references(
            [self._against(answer, reference) for reference in accepted], self.references
        )

    def _against(self, answer: str, reference: str) -> tuple[float, float, float]:
        given = answer_words(answer, articles=self.articles)
        wanted = answer_words(reference, articles=self.articles)
        if not given or not wanted:
            same = float(same_form(answer) == same_form(reference))
            return same, same, same
        shared = sum((Counter(given) & Counter(wanted)).values())
        return (
            2 * shared / (len(given) + len(wanted)),
            shared / len(given),
            shared / len(wanted),
        )


@dataclass(frozen=True)
class Number(MeanMeasure):
    """Whether the last number of the answer is the last number of a reference."""

    relative: float = 1e-6
    """How far off it may be, as a share of the reference's number."""
    absolute: float = 0.0
    """How far off it may be in any case."""
    fractions: bool = False
    """Whether `3/4` is one number."""

    base = "number"
    parts = ("with a number",)

    def __post_init__(self) -> None:
        for name in ("relative", "absolute"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise MetricError(f"number: {name} is {value}; give a finite number, 0 or more")

    @property
    def signature(self) -> str:
        return signature(
            self.base,
            take="last",
            relative=self.relative,
            absolute=self.absolute,
            fractions=self.fractions,
            references="any",
            scale="0-1",
            version=1,
        )

    def check(self, references: Sequence[Sequence[str]]) -> None:
        """Raises MetricError where a reference holds no number."""
        for at, accepted in enumerate(references, start=1):
            self._wanted(accepted, at)

    def statistics(self, answers: Sequence[str], references: Sequence[Sequence[str]]) -> Floats:
        """Right or not, and whether there was a number at all; shape (examples, 2)."""
        rows: list[tuple[float, float]] = []
        pairs = zip(answers, references, strict=True)
        for at, (answer, accepted) in enumerate(pairs, start=1):
            given = last_number(answer, fractions=self.fractions)
            wanted = self._wanted(accepted, at)
            right = given is not None and any(self._near(given, number) for number in wanted)
            rows.append((float(right), float(given is not None)))
        return table(rows, 2)

    def _wanted(self, accepted: Sequence[str], at: int) -> list[float]:
        """The references' numbers; `at` counts examples from 1, for the message."""
        numbers: list[float] = []
        for reference in accepted:
            number = last_number(reference, fractions=self.fractions)
            if number is None:
                raise MetricError(
                    f"number does not fit: the reference of example {at} holds none "
                    f"({reference[:60]!r}); correct it or take another metric"
                )
            numbers.append(number)
        return numbers

    def _near(self, given: float, wanted: float) -> bool:
        return abs(given - wanted) <= max(self.absolute, self.relative * abs(wanted))
