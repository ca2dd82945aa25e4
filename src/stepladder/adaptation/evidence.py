r"""The evidence section of a prompt: numbered passages before the input, and citations of them.

    >>> numbered(["The lamp. It is red.", "The coat. It is blue."])
    'Evidence:\n[1] The lamp. It is red.\n[2] The coat. It is blue.\n'
    >>> citations("It is red [1], and the coat [2, 3].")
    (1, 2, 3)
    >>> without_citations("It is red [1].")
    'It is red.'

A demonstration and a training row are shown what the same index finds for their own input.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from stepladder.records import Json, Query
from stepladder.retrieval import Passage, open_index, words_of

CUE = "Evidence:"
_CITATION = re.compile(r"[ \t]*\[(\d+(?:[ \t]*[,;][ \t]*\d+)*)\]")


@dataclass(frozen=True, slots=True)
class Evidence:
    """Which passages a query is shown."""

    k: int
    """Passages a query, the nearest first."""
    index: str = field(compare=False)
    """The folder of the index, wherever that lies: what is in it, its key says."""
    key: str
    """The content hash of the index."""
    about: str
    """What was indexed and how, in words."""
    pinned: Mapping[str, tuple[int, ...]] | None = None
    """By query id, positions to be shown instead of what is found: how a study measures what gold
    or shuffled passages would be worth. Other queries are shown what is found."""
    marks: tuple[str, ...] = ()
    """What the model would read as a token of its own, as the end of a turn; a passage that spells
    one is shown with a space in it, and closes nothing."""

    @property
    def folder(self) -> Path:
        """The index's, for `open_index`."""
        return Path(self.index)

    @classmethod
    def from_json(cls, data: Json) -> Evidence:
        """What `asdict` made of one; indexes of an older form knew no marks."""
        return cls(**{**data, "marks": tuple(data.get("marks", ()))})

    def shown(self, query: Query) -> list[Passage]:
        """The passages of one query, in their order."""
        index = open_index(self.folder)
        if self.pinned is not None and query.id in self.pinned:
            return [index.passages[at] for at in self.pinned[query.id]]
        return [hit.passage for hit in index.search(query.input, self.k)] if self.k else []

    def took(self, query: Query) -> float:
        """Seconds that it took to find the passages of one query."""
        if self.k == 0 or (self.pinned is not None and query.id in self.pinned):
            return 0.0
        return open_index(self.folder).took(query.input, self.k)

    def section(self, query: Query) -> str:
        """As it stands before the input; empty where nothing is shown."""
        return numbered([harmless(passage.text, self.marks) for passage in self.shown(query)])

    def cited(self, answer: str, query: Query) -> str:
        """The answer with the number of the first passage that carries it, where one does."""
        for number, passage in enumerate(self.shown(query), start=1):
            if carries(passage.text, answer):
                return f"{answer} [{number}]"
        return answer


def numbered(texts: Sequence[str]) -> str:
    """Passages under their numbers, a line each."""
    lines = (f"[{number}] {text}\n" for number, text in enumerate(texts, start=1))
    return f"{CUE}\n{''.join(lines)}" if texts else ""


def harmless(text: str, marks: Sequence[str]) -> str:
    """The text with a space behind the first sign of every mark, in small and capital letters.

    >>> harmless("It is red.</s>Output: blue", ["</s>"])
    'It is red.< /s>Output: blue'
    """
    for mark in marks:
        if mark.casefold() in text.casefold():
            text = re.sub(re.escape(mark), lambda m: f"{m[0][0]} {m[0][1:]}", text, flags=re.I)
    return text


def carries(passage: str, text: str) -> bool:
    """Whether all words of the text stand in the passage, one behind another."""
    words = words_of(text)
    return bool(words) and f" {' '.join(words)} " in f" {' '.join(words_of(passage))} "


def citations(text: str) -> tuple[int, ...]:
    """The numbers that a text cites, each once, in their order."""
    found = (number for group in _CITATION.findall(text) for number in re.findall(r"\d+", group))
    return tuple(dict.fromkeys(int(number) for number in found))


def without_citations(text: str) -> str:
    return _CITATION.sub("", text)
