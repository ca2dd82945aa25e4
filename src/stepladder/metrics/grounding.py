"""Whether an answer rests on evidence, told without a model to judge it.

    found = ground("It weighs 3 kilos [1].", ["The lamp. It weighs 3 kilos."])
    found.carried, found.supported, found.citations     # 1.0, True, 1

An answer's statements are its sentences with a word of content in them; content is every number,
every name (a word with a capital that does not begin the sentence) and every other word but the
commonest English ones. A passage, or what a statement cites together, *holds* the statement where
it has all of its numbers and names and more than half of its content. The terms citation precision
and recall are those of Gao et al., "Enabling Large Language Models to Generate Text with Citations"
(arXiv 2305.14627), with words in the place of their model.

What this does NOT see: a negation, who did what to whom, a paraphrase in other words, a sum. It
says that words stand in the evidence, not that the evidence says the same.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from stepladder.adaptation.evidence import citations, without_citations
from stepladder.metrics.words import words

HELD = 0.5
"""Evidence that holds a statement has more than this share of its content."""
_SENTENCE = re.compile(r"(?<=[.!?。！？])\s+(?!\[\d)|\n+")
_NAME = re.compile(r"(?<=\s)[^\W\d_]*[A-ZÀ-ÖØ-Þ][^\W_]*")
_COMMON = frozenset(
    """a about all also an and any are as at be because been but by can could did do does for from
    had has have he her his how i if in into is it its may more most my no not of on one only or
    our out s she so some such than that the their them then there these they this those to up us
    was we were what when where which who whom whose why will with would yes you your""".split()
)


class Grounding(NamedTuple):
    """What an answer has to do with the evidence that it was shown."""

    statements: int
    carried: float | None
    """The share of its content that its evidence has: what it cites, or all where it cites nothing;
    None without a statement."""
    supported: bool
    """Whether every statement is held; False without one."""
    citations: int
    right: int
    """Citations of a passage that has more than half of the content of their statement."""
    held: int
    """Statements that are held by what they cite."""


class _Statement(NamedTuple):
    content: frozenset[str]
    needed: frozenset[str]
    """Its numbers and names."""
    cited: tuple[int, ...]
    text: str
    """Without its citations."""


def ground(text: str, evidence: Sequence[str]) -> Grounding:
    """Of a completion, with its citations, and the passages behind their numbers, from 1 on."""
    statements = _statements(text)
    known = [frozenset(words(passage)) for passage in evidence]
    everything = _together(known)
    right = held = elsewhere = content = carried = 0
    for statement in statements:
        cited = [known[number - 1] for number in statement.cited if 0 < number <= len(known)]
        right += sum(_share(statement, passage) > HELD for passage in cited)
        by_cited = _holds(_together(cited), statement)
        held += by_cited
        elsewhere += not by_cited and any(_holds(passage, statement) for passage in known)
        rests_on = _together(cited) if statement.cited else everything
        content += len(statement.content)
        carried += len(statement.content & rests_on)
    return Grounding(
        statements=len(statements),
        carried=carried / content if content else None,
        supported=bool(statements) and held + elsewhere == len(statements),
        citations=sum(len(statement.cited) for statement in statements),
        right=right,
        held=held,
    )


def claims(text: str, evidence: Sequence[str]) -> list[tuple[str, str]]:
    """Each statement of a completion without its citations, behind the evidence that it rests on:
    what it cites, or all where it cites nothing that is there."""
    pairs: list[tuple[str, str]] = []
    for statement in _statements(text):
        cited = [evidence[n - 1] for n in statement.cited if 0 < n <= len(evidence)]
        pairs.append((" ".join(cited or evidence), statement.text))
    return pairs


def supported(answer: str, evidence: Sequence[str]) -> bool:
    """Whether each statement of an answer is held by one of the passages."""
    return ground(without_citations(answer), evidence).supported


def _statements(text: str) -> list[_Statement]:
    found: list[_Statement] = []
    for sentence in _SENTENCE.split(text):
        bare = without_citations(sentence)
        content = frozenset(words(bare)) - _COMMON
        if content:
            names = frozenset(word for name in _NAME.findall(bare.strip()) for word in words(name))
            numbers = frozenset(word for word in content if any(sign.isdigit() for sign in word))
            needed = (names - _COMMON) | numbers
            found.append(_Statement(content, needed, citations(sentence), bare.strip()))
    return found


def _share(statement: _Statement, known: frozenset[str]) -> float:
    return len(statement.content & known) / len(statement.content)


def _holds(known: frozenset[str], statement: _Statement) -> bool:
    return statement.needed <= known and _share(statement, known) > HELD


def _together(passages: Sequence[frozenset[str]]) -> frozenset[str]:
    return frozenset().union(*passages)
