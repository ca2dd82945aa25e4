"""Where an answer differs from a reference, word by word.

[p.text for p in compare("the red cat", "the cat") or () if not p.same]   # ['red']
"""

from __future__ import annotations

import difflib
import re
from typing import NamedTuple

# A word, or one character of a script written without spaces, or one sign; with the space behind.
_WORDS = re.compile(r"(?:[\u3040-\u30ff\u3400-\u9fff]|\w+|[^\w\s])\s*|\s+")
_MOST_WORDS = 2000
"""Above this the comparison would take seconds an answer (its time grows with the square)."""


class Piece(NamedTuple):
    """A run of words of the answer."""

    text: str
    same: bool
    """Whether the reference has these words at this place."""


def compare(answer: str, reference: str) -> tuple[Piece, ...] | None:
    """The answer in pieces whose texts join to it again; None where it is too long to compare."""
    ours, theirs = _WORDS.findall(answer), _WORDS.findall(reference)
    if max(len(ours), len(theirs)) > _MOST_WORDS:
        return None
    matcher = difflib.SequenceMatcher(
        a=[word.strip() for word in theirs], b=[word.strip() for word in ours], autojunk=False
    )
    pieces: list[Piece] = []
    for kind, _, _, start, end in matcher.get_opcodes():
        text = "".join(ours[start:end])
        words = text if kind == "equal" else text.rstrip()
        # Space behind a differing word belongs to no word, so that no mark runs on into it.
        pieces += [Piece(words, kind == "equal"), Piece(text[len(words) :], True)]
    return tuple(piece for piece in pieces if piece.text)
