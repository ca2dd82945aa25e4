"""Inputs that stand in two splits: exactly, nearly, or with other numbers.

    found = leakage(task)
    found.lines()      # ("test: 12 of 500 inputs are in train too (9 exactly, 3 nearly)", ...)

Two measures, both over inputs alone:

- *exact*: equal after case, punctuation and spaces are taken away (an operator or sign before a
  digit and the border between two numbers stay: `3 + 4` is not `3 - 4`, `1 2` is not `12`);
- *near*: Jaccard similarity of the sets of words and pairs of neighbouring words, numbers set
  aside, of at least .6; .75 below twelve words. Below six words nothing is near: there, one other
  word is another sentence ("Tom looked around." and "Tom looked tired.").

A near pair whose numbers differ is of the kind *numbers*: word problems are written from templates,
and another number has another answer, so these are counted but are no copies.

What it does NOT see: paraphrases in other words, translations, and a copy of a part (a question
inside a longer text). Candidates are found exactly, not by sampling, with the prefix filter of
Chaudhuri, Ganti and Kaushik, "A Primitive Operator for Similarity Joins in Data Cleaning" (ICDE
2006).
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal, NamedTuple

from stepladder.records import Example
from stepladder.tasks.task import Task

Kind = Literal["exact", "near", "numbers"]

LEAST_WORDS = 6
"""Shorter inputs are compared exactly alone."""
LONG_WORDS = 12
NEAR_LONG = 0.6
"""The least similarity from LONG_WORDS words on."""
NEAR_SHORT = 0.75
_HITS = 4
"""Rare shingles in common before a pair is looked at; the pairs found are the same for any number,
a higher one looks at fewer."""


_COMPARED = (("test", "train"), ("test", "dev"), ("dev", "train"))
# Scripts without spaces between words are read sign by sign; what begins with a digit is a number.
_TOKEN = re.compile(
    r"(?P<sign>[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff])|(?P<number>\d(?:[\w.,:]*\w)?)|[^\W\d]\w*"
)
_APOSTROPHE = re.compile(r"(?<=\w)['’](?=\w)")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_OPERATORS = "-+*/^=<>×÷"
_KEPT = re.compile(rf"[{_OPERATORS}](?=\s*\d)|(?<=\d)[\W_]+(?=\d)|[^\W_]+")


class Pair(NamedTuple):
    """An input of `split` and the most similar one of `other`."""

    split: str
    id: str
    other: str
    other_id: str
    kind: Kind
    similarity: float
    """1.0 for exact ones."""


@dataclass(frozen=True)
class Leakage:
    """Every input with a double in another split: at most one pair an input and other split."""

    pairs: tuple[Pair, ...]
    compared: tuple[tuple[str, str, int], ...]
    """What was looked at: split, other split, inputs of the split."""

    def count(self, split: str, other: str, kind: Kind) -> int:
        return sum(p[:3:2] == (split, other) and p.kind == kind for p in self.pairs)

    def lines(self) -> tuple[str, ...]:
        """One sentence for each two splits that share something; none where nothing is shared."""
        lines: list[str] = []
        for split, other, all_inputs in self.compared:
            inputs = f"{all_inputs:,} inputs"
            exact, near, numbers = (
                self.count(split, other, kind) for kind in ("exact", "near", "numbers")
            )
            if exact or near:
                lines.append(
                    f"{split}: {exact + near:,} of {inputs} {_are(exact + near)} in {other} too "
                    f"({exact:,} exactly, {near:,} nearly)"
                )
            if numbers:
                lines.append(
                    f"{split}: {numbers:,} of {inputs} {_are(numbers)} in {other} with other "
                    "numbers"
                )
        return tuple(lines)


def _are(number: int) -> str:
    return "is" if number == 1 else "are"


def leakage(task: Task, splits: Sequence[tuple[str, str]] = _COMPARED) -> Leakage:
    """Compares test with train and dev, and dev with train, or the `splits` named. Seconds for
    20,000 rows."""
    pairs: list[Pair] = []
    compared: list[tuple[str, str, int]] = []
    for split, other in splits:
        ours, theirs = task.split(split), task.split(other)
        if ours and theirs:
            compared.append((split, other, len(ours)))
            pairs += [
                Pair(split, match.id, other, match.other_id, match.kind, match.similarity)
                for match in doubles(ours, theirs)
            ]
    return Leakage(tuple(pairs), tuple(compared))


class Match(NamedTuple):
    """An example and its most similar one among others."""

    id: str
    other_id: str
    kind: Kind
    similarity: float


def doubles(ours: Sequence[Example], others: Sequence[Example]) -> list[Match]:
    """For each of ours that has a double among others, the best one, in the order of ours."""
    keys = [normalise(example.input) for example in ours]
    theirs: dict[str, Example] = {}
    for example in others:
        theirs.setdefault(normalise(example.input), example)
    # Each different input is looked up once: a thousand equal rows would make a million pairs.
    unmatched = dict.fromkeys(key for key in keys if key not in theirs)
    inputs = dict(zip(keys, ours, strict=True))
    index = _Index([inputs[key] for key in unmatched])
    names = list(unmatched)
    best: dict[str, tuple[str, Kind, float]] = {
        key: (theirs[key].id, "exact", 1.0) for key in keys if key in theirs
    }
    for other in theirs.values():
        for at, kind, similarity in index.similar(other):
            old = best.get(names[at])
            if old is None or _rank(kind, similarity) > _rank(*old[1:]):
                best[names[at]] = (other.id, kind, similarity)
    return [
        Match(example.id, *best[key])
        for key, example in zip(keys, ours, strict=True)
        if key in best
    ]


def normalise(text: str) -> str:
    """What is left of a text without case, punctuation and spaces; the text where nothing is.

    >>> normalise("Don't PANIC -- it's 3 + 4!")
    'dontpanicits3+4'
    """
    key = "".join(
        part if part.isalnum() else "".join(c for c in part if c in _OPERATORS) or " "
        for part in _KEPT.findall(_folded(text))
    )
    return key or text.strip()


def _folded(text: str) -> str:
    return _THOUSANDS.sub("", unicodedata.normalize("NFKC", text).casefold())


class _Words(NamedTuple):
    """An input as the near measure sees it."""

    shingles: frozenset[str]
    words: int
    """How many, numbers not counted."""
    numbers: Counter[str]


def _words(text: str) -> _Words:
    folded = _APOSTROPHE.sub("", _folded(text))
    tokens: list[str] = []
    numbers: Counter[str] = Counter()
    for match in _TOKEN.finditer(folded):
        if match["number"]:
            numbers[match[0]] += 1
            tokens.append("0")
        else:
            tokens.append(match[0])
    # The borders pair too, so that the last word weighs as much as one in the middle.
    pairs = map(" ".join, zip(["", *tokens], [*tokens, ""], strict=True))
    return _Words(frozenset((*tokens, *pairs)), len(tokens) - numbers.total(), numbers)


class _Index:
    """The shingles of some examples, to be asked which of these an input resembles."""

    def __init__(self, examples: Sequence[Example]) -> None:
        self._words = [_words(example.input) for example in examples]
        self._postings: dict[str, list[int]] = defaultdict(list)
        for at, words in enumerate(self._words):
            if words.words >= LEAST_WORDS:
                for shingle in words.shingles:
                    self._postings[shingle].append(at)

    def similar(self, example: Example) -> Iterator[tuple[int, Kind, float]]:
        """Positions whose input is near, with kind and similarity."""
        words = _words(example.input)
        if words.words < LEAST_WORDS:
            return
        # A Jaccard similarity of t needs t * size shingles in common; then `hits` of these are
        # in any size - t * size + hits of them; the rarest are taken, since few inputs have those.
        size = len(words.shingles)
        needed = math.ceil(NEAR_LONG * size)
        hits = min(_HITS, needed)
        known = words.shingles & self._postings.keys()
        prefix = size - needed + hits - (size - len(known))
        if prefix < hits:
            return
        rarest = sorted(known, key=lambda s: len(self._postings[s]))[:prefix]
        counts = Counter(chain.from_iterable(self._postings[s] for s in rarest))
        for at in (at for at, count in counts.items() if count >= hits):
            mine = self._words[at]
            common = len(words.shingles & mine.shingles)
            similarity = common / (size + len(mine.shingles) - common)
            short = min(words.words, mine.words) < LONG_WORDS
            if similarity >= (NEAR_SHORT if short else NEAR_LONG):
                same = words.numbers <= mine.numbers or words.numbers >= mine.numbers
                yield at, "near" if same else "numbers", similarity


def _rank(kind: Kind, similarity: float) -> tuple[bool, float]:
    """Copies before templates, then the more similar."""
    return kind != "numbers", similarity
