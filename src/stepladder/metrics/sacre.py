"""BLEU, chrF and TER by sacrebleu, on its own scale of 0 to 100.

The statistics of an example are the library's own counts; their sums give exactly what its
`corpus_score` gives. It hands them out by private calls only, so its version is pinned and
`tests/metrics/test_sacre.py` holds the equality.

    bleu = Bleu(tokenize="intl")
    statistics = bleu.statistics(["the cat sat on the mat"], [["the cat sat on a mat"]])
    bleu.aggregate(statistics), bleu.details(statistics)["brevity penalty"]

Post 2018, "A Call for Clarity in Reporting BLEU Scores".
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import zip_longest
from typing import Any, Literal

from stepladder.contracts import Floats
from stepladder.errors import MetricError
from stepladder.metrics.measures import SumMeasure, signature, table


@dataclass(frozen=True)
class SacreMeasure(SumMeasure):
    """What the library's three measures share."""

    nrefs: int | Literal["var"] | None = field(
        default=None, kw_only=True, metadata={"context": True}
    )
    """References an example, for the signature; `var` where examples differ; None: unknown."""

    times = 1.0

    @property
    @abstractmethod
    def _tool(self) -> Any:
        """The library's own metric; it keeps nothing of what it scores but a reference count."""

    @property
    @abstractmethod
    def _columns(self) -> int:
        """Numbers that the library keeps of an example."""

    @property
    def signature(self) -> str:
        # The library reads the number of references off the corpus scored last; -1 is `var`.
        tool = self._tool
        tool.num_refs = -1 if self.nrefs == "var" else self.nrefs
        own = f"{self.base}|{tool.get_signature().format()}"
        return signature(own, **self._unsigned(), scale="0-100")

    def _unsigned(self) -> dict[str, object]:
        """Settings that the library's own signature leaves out."""
        return {}

    def statistics(self, answers: Sequence[str], references: Sequence[Sequence[str]]) -> Floats:
        """The library's counts for each answer, shape (examples, columns)."""
        if len(answers) != len(references):
            raise ValueError(f"{len(answers)} answers for {len(references)} lists of references")
        if not answers:
            return table([], self._columns)
        # First references of all examples, then second ones, ...; None where there are fewer.
        by_position = [list(stream) for stream in zip_longest(*references)]
        rows = self._tool._extract_corpus_statistics(list(answers), by_position)
        return table(rows, self._columns)

    def from_sums(self, sums: Floats) -> float:
        return float(self._tool._compute_score_from_stats(sums.tolist()).score)


@dataclass(frozen=True)
class Bleu(SacreMeasure):
    """Precision of 1- to 4-grams with a brevity penalty (Papineni et al. 2002)."""

    tokenize: Literal["13a", "intl", "char", "zh", "none"] = "13a"
    """`13a` for most languages written with spaces, `zh` for Chinese, `char` for any other."""
    lowercase: bool = False
    """Whether case is ignored."""
    smooth: Literal["exp", "floor", "add-k", "none"] = "exp"
    """What stands for an n-gram order without any match."""
    effective_order: bool = False
    """Whether orders that no answer is long enough for are left out; else the score is then 0."""

    base = "bleu"
    _columns = 10

    @cached_property
    def _tool(self) -> Any:
        from sacrebleu.metrics.bleu import BLEU

        return BLEU(
            lowercase=self.lowercase,
            tokenize=self.tokenize,
            smooth_method=self.smooth,
            effective_order=self.effective_order,
            force=True,
        )

    def details(self, statistics: Floats) -> dict[str, float]:
        """N-gram precisions (0-100), brevity penalty, and lengths in tokens."""
        if not len(statistics):
            return {}
        score = self._tool._compute_score_from_stats(statistics.sum(axis=0).tolist())
        precisions = {f"precision {n}": float(p) for n, p in enumerate(score.precisions, start=1)}
        return {
            **precisions,
            "brevity penalty": float(score.bp),
            "length": float(score.sys_len),
            "reference length": float(score.ref_len),
        }


@dataclass(frozen=True)
class Chrf(SacreMeasure):
    """F of character n-grams (Popovic 2015), recall weighing `beta` times as much as precision."""

    char_order: int = 6
    """The longest n-gram of characters."""
    word_order: int = 0
    """The longest n-gram of words; 2 gives chrF++."""
    beta: int = 2
    """How much more recall weighs than precision."""
    lowercase: bool = False
    """Whether case is ignored."""

    base = "chrf"

    def __post_init__(self) -> None:
        for name, least in (("char_order", 1), ("word_order", 0), ("beta", 1)):
            value = getattr(self, name)
            if value < least:
                raise MetricError(f"chrf: {name} is {value}; give {least} or more")

    @property
    def _columns(self) -> int:
        return 3 * (self.char_order + self.word_order)

    @cached_property
    def _tool(self) -> Any:
        from sacrebleu.metrics.chrf import CHRF

        return CHRF(
            char_order=self.char_order,
            word_order=self.word_order,
            beta=self.beta,
            lowercase=self.lowercase,
        )

    def _unsigned(self) -> dict[str, object]:
        return {"beta": self.beta}

    def details(self, statistics: Floats) -> dict[str, float]:
        """Precision and recall (0-100), means over the orders that answers and references have."""
        counts = statistics.sum(axis=0).reshape(-1, 3)
        answered, wanted, matched = counts[(counts[:, :2] > 0).all(axis=1)].T
        if not len(matched):
            return {}
        return {
            "precision": float(100 * (matched / answered).mean()),
            "recall": float(100 * (matched / wanted).mean()),
        }


@dataclass(frozen=True)
class Ter(SacreMeasure):
    """Edits, shifts of phrases among them, per word of reference (Snover et al. 2006).

    Lower is better; over 100 where more is to be edited than the references hold.
    """

    normalized: bool = False
    """Whether punctuation is split off words."""
    no_punct: bool = False
    """Whether punctuation is dropped."""
    asian_support: bool = False
    """Whether these two also know East Asian characters."""
    case_sensitive: bool = False
    """Whether case counts."""

    base = "ter"
    better = "lower"
    _columns = 2

    @cached_property
    def _tool(self) -> Any:
        from sacrebleu.metrics.ter import TER

        return TER(
            normalized=self.normalized,
            no_punct=self.no_punct,
            asian_support=self.asian_support,
            case_sensitive=self.case_sensitive,
        )

    def details(self, statistics: Floats) -> dict[str, float]:
        """Edits needed, and the references' words (their mean where there are several)."""
        if not len(statistics):
            return {}
        edits, length = statistics.sum(axis=0).tolist()
        return {"edits": edits, "reference length": length}
