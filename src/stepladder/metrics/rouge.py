"""ROUGE by rouge-score: precision, recall and F of n-grams or of the longest common subsequence.

F decides; precision and recall are kept beside it. Values lie in [0, 1].

    rouge = RougeL()
    statistics = rouge.statistics(["a cat sat"], [["the cat sat", "a dog ran"]])
    rouge.aggregate(statistics)     # 0.667, against the first reference

Lin 2004, "ROUGE: A Package for Automatic Evaluation of Summaries".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from importlib.metadata import version
from typing import Any, ClassVar, Literal

from stepladder.contracts import Floats
from stepladder.metrics.measures import Choice, MeanMeasure, over_references, signature, table
from stepladder.metrics.words import letters, words

Letters = Literal["a-z0-9", "all"]

LOST_LETTERS = 0.001
"""From this share of the references' letters on, their loss is worth a warning."""


@dataclass(frozen=True)
class Rouge(MeanMeasure):
    """The settings that all kinds of ROUGE share."""

    stem: bool = True
    """Whether English endings are cut off (Porter) in words of over three letters."""
    references: Choice = "best"
    """With several references: the best by F (the library's own way), or the mean over all."""
    letters: Letters = "a-z0-9"
    """The library's own tokenizer, which knows no other letters; or `all`, for other languages."""

    parts = ("precision", "recall")
    shape: ClassVar[str] = ""
    """What else decides the value, for the signature."""

    @property
    def signature(self) -> str:
        settings: dict[str, object] = {
            "stem": self.stem,
            "tokens": self.letters,
            "references": self.references,
            "scale": "0-1",
            "rouge-score": version("rouge-score"),
        }
        return signature(f"{self.base}|F{self.shape}", **settings)

    @cached_property
    def _scorer(self) -> Any:
        from rouge_score.rouge_scorer import RougeScorer

        return RougeScorer([self.base], tokenizer=_Tokenizer(self.letters, self.stem))

    def statistics(self, answers: Sequence[str], references: Sequence[Sequence[str]]) -> Floats:
        """F, precision and recall of each answer, shape (examples, 3)."""
        rows = [
            self._row(answer, accepted)
            for answer, accepted in zip(answers, references, strict=True)
        ]
        return table(rows, 3)

    def _row(self, answer: str, accepted: Sequence[str]) -> list[float]:
        scores = [self._scorer.score(reference, answer)[self.base] for reference in accepted]
        parts = [(float(s.fmeasure), float(s.precision), float(s.recall)) for s in scores]
        return over_references(parts, self.references)

    def warnings(self, references: Sequence[Sequence[str]]) -> list[str]:
        """One line, the same for every kind, where the library's own tokenizer loses letters."""
        if self.letters == "all":
            return []
        found = "".join(letters(text) for accepted in references for text in accepted)
        lost = sum(not ("a" <= letter <= "z") for letter in found)
        if lost < LOST_LETTERS * max(len(found), 1):
            return []
        return [
            f"ROUGE's own tokenizer drops {lost / len(found):.1%} of the references' letters (all "
            "but a-z) and splits words there; for languages other than English take all letters "
            "and no stemming: rougeL(letters=all, stem=no)"
        ]


@dataclass(frozen=True)
class Rouge1(Rouge):
    """Single words in common."""

    base = "rouge1"


@dataclass(frozen=True)
class Rouge2(Rouge):
    """Pairs of words in common."""

    base = "rouge2"


@dataclass(frozen=True)
class RougeL(Rouge):
    """The longest common subsequence of words, the text taken as one sentence."""

    base = "rougeL"


@dataclass(frozen=True)
class RougeLsum(Rouge):
    """The union of longest common subsequences over sentences, a line each (section 3.2)."""

    base = "rougeLsum"
    shape = "|sentences:lines"


class _Tokenizer:
    """What rouge-score calls; the same text under rouge1, rouge2 and rougeL is read once."""

    def __init__(self, kept: Letters, stem: bool) -> None:
        self._kept: Letters = kept
        self._stem = stem

    def tokenize(self, text: str) -> tuple[str, ...]:
        return _tokens(text, self._kept, self._stem)


class _Stemmer:
    """Porter's stemmer, each word stemmed once."""

    def __init__(self) -> None:
        from nltk.stem.porter import PorterStemmer

        self.stem = lru_cache(maxsize=65536)(PorterStemmer().stem)


@cache
def _stemmer() -> _Stemmer:
    return _Stemmer()


@lru_cache(maxsize=16384)
def _tokens(text: str, kept: Letters, stem: bool) -> tuple[str, ...]:
    """The tokens that are compared. With all letters, only words of a-z are stemmed: the rules of
    English would cut others anywhere."""
    if kept == "a-z0-9":
        from rouge_score.tokenize import tokenize

        return tuple(tokenize(text, _stemmer() if stem else None))
    found = words(text)
    if not stem:
        return tuple(found)
    return tuple(_stemmer().stem(w) if len(w) > 3 and w.isascii() else w for w in found)
