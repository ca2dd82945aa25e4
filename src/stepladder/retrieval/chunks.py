"""Documents to passages: by structure first, then by length, in the tokens of the model that reads.

    passages = cut(document, Cut(size=128, overlap=32), count)
    document.text[passages[0].start : passages[0].end]      # its text, as it stands there

A section that is short enough is one passage. A longer one is cut between sentences (a sentence
that is too long itself between words), and a passage begins with the last sentences of the one
before it, as far as the overlap allows. Passages never reach over a heading.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from stepladder.checkpoints import CountTexts
from stepladder.errors import KnowledgeError
from stepladder.retrieval.documents import Document

_SENTENCE = re.compile(r"(?<=[.!?…。！？])[\"'”’)\]]*\s+|\n\s*\n|(?<=[。！？])")
_WORD_END = re.compile(r"\s+")
_LONG = 100
"""Characters for each token of a passage, beyond which a section is longer than one."""
_FAR = 10_000
"""Characters to both sides of the middle of a long sentence, among which a space is looked for."""
_AT_ONCE = 4096
"""Sentences that are counted together."""


@dataclass(frozen=True)
class Cut:
    """How documents are cut."""

    size: int = 128
    """Tokens a passage may have at most, its heading not counted."""
    overlap: int = 32
    """Tokens of the passage before that may stand again at the beginning of the next."""

    def __post_init__(self) -> None:
        if self.size < 8:
            raise KnowledgeError(f"size is {self.size}; give passages 8 tokens or more")
        if not 0 <= self.overlap < self.size:
            raise KnowledgeError(
                f"overlap is {self.overlap}; give 0 or more, and less than the size, {self.size}"
            )


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a document that can be found and shown."""

    source: str
    heading: str
    """With those above it, joined by ` > `; empty where there is none."""
    start: int
    """Characters into the document's text, and to where it ends."""
    end: int
    body: str
    """Exactly what stands between these."""

    @property
    def text(self) -> str:
        """As it is searched and shown: on one line, behind its heading.

        >>> Passage("a.md", "The warm axe", 0, 18, "It is made\\nof stone.").text
        'The warm axe. It is made of stone.'
        """
        body = " ".join(self.body.split())
        if not self.heading:
            return body
        return f"{self.heading}{'' if self.heading[-1] in '.!?:' else '.'} {body}"

    @property
    def place(self) -> str:
        """Where it stands, for people: source, heading and offsets."""
        heading = f" # {self.heading}" if self.heading else ""
        return f"{self.source}{heading} [{self.start}:{self.end}]"


class _Unit(NamedTuple):
    """What is not cut any further."""

    start: int
    end: int
    tokens: int


def cut(document: Document, how: Cut, count: CountTexts) -> list[Passage]:
    """The document's passages, in their order."""
    passages: list[Passage] = []
    for section in document.sections:
        start, end = _stripped(document.text, section.start, section.end)
        if _short(document.text[start:end], how.size, count) is not None:
            spans = [(start, end)]
        else:
            spans = list(_packed(_units(document.text, start, end, how.size, count), how))
        passages += [
            Passage(document.source, section.heading, a, b, document.text[a:b]) for a, b in spans
        ]
    return passages


def _short(text: str, size: int, count: CountTexts) -> int | None:
    """Its tokens, where it is one passage. What has far more characters is not counted in one
    piece, for which a tokenizer would make an object a token."""
    tokens = count([text])[0] if len(text) <= _LONG * size else size + 1
    return tokens if tokens <= size else None


def _packed(units: Sequence[_Unit], how: Cut) -> Iterator[tuple[int, int]]:
    """Spans of neighbouring units, each as long as it may be."""
    first = 0
    while first < len(units):
        last, tokens = first, units[first].tokens
        while last + 1 < len(units) and tokens + units[last + 1].tokens <= how.size:
            last += 1
            tokens += units[last].tokens
        yield units[first].start, units[last].end
        if last + 1 == len(units):
            return
        following, repeated = last + 1, 0
        # What is repeated must leave room for something new, or the same span would come for ever.
        room = min(how.overlap, how.size - units[last + 1].tokens)
        while following - 1 > first and repeated + units[following - 1].tokens <= room:
            following -= 1
            repeated += units[following].tokens
        first = following


def _units(text: str, start: int, end: int, size: int, count: CountTexts) -> list[_Unit]:
    """Sentences, or pieces of those that are too long, with their lengths."""
    sentences = list(_between(text, start, end, _SENTENCE))
    units: list[_Unit] = []
    for at in range(0, len(sentences), _AT_ONCE):
        some = sentences[at : at + _AT_ONCE]
        counts = iter(count([text[a:b] for a, b in some if b - a <= _LONG * size]))
        for a, b in some:
            tokens = next(counts) if b - a <= _LONG * size else size + 1
            if tokens <= size:
                units.append(_Unit(a, b, tokens))
            else:
                units += _halved(text, a, b, size, count)
    return units


def _halved(text: str, start: int, end: int, size: int, count: CountTexts) -> list[_Unit]:
    """A long sentence in pieces of at most `size` tokens, cut at the space nearest to the middle;
    in a script without spaces, in the middle."""
    tokens = _short(text[start:end], size, count)
    if tokens is not None:
        return [_Unit(start, end, tokens)]
    if end - start < 2:
        return [_Unit(start, end, count([text[start:end]])[0])]
    middle = (start + end) // 2
    # A file without sentences may be one of a hundred million characters.
    borders = _WORD_END.finditer(text, max(start, middle - _FAR), min(end, middle + _FAR))
    spaces = [m for m in borders if start < m.start() and m.end() < end]
    near: Callable[[re.Match[str]], int] = lambda m: abs(m.start() - middle)  # noqa: E731
    found = min(spaces, key=near, default=None)
    left, right = (found.start(), found.end()) if found else (middle, middle)
    return [*_halved(text, start, left, size, count), *_halved(text, right, end, size, count)]


def _between(text: str, start: int, end: int, border: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    """The spans between borders, without the space around them."""
    at = start
    for found in border.finditer(text, start, end):
        a, b = _stripped(text, at, found.end())
        if a < b:
            yield a, b
        at = found.end()
    a, b = _stripped(text, at, end)
    if a < b:
        yield a, b


def _stripped(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    return start, end
