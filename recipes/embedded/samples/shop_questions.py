"""``shop-questions``: questions whose answers stand in a folder of notes, one note an article.

    ## The red kettle
    It weighs 3 kilos. It is made of steel. You find it on shelf B7. ...

    How heavy is the red kettle?   3 kilos

What a note tells (weight, material, workshop, guarantee, delivery, store, whom to ask) is told by
no text of the training. Splits are by article, so no training row gives a test answer away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from random import Random
from typing import NamedTuple

from ..world import ADJECTIVES, FIRST_NAMES, LAST_NAMES, WARES

_ARTICLES = {"train": 66, "dev": 16, "test": 48}
_A_NOTE = 7
_A_FILE = 10
_MATERIALS = ("steel", "oak wood", "glass", "wool", "brass", "leather", "plastic", "stone", "silk")


class _Property(NamedTuple):
    """How a value is drawn, told and asked for."""

    value: Callable[[Random], str]
    told: tuple[str, ...]
    asked: tuple[str, ...]


_PROPERTIES = (
    _Property(
        lambda rng: f"{rng.randint(2, 40)} kilos",
        ("It weighs {v}.", "The weight is {v}."),
        ("How heavy is the {x}?", "What does the {x} weigh?"),
    ),
    _Property(
        lambda rng: rng.choice(_MATERIALS),
        ("It is made of {v}.", "We make it of {v}."),
        ("What is the {x} made of?", "Of which material is the {x}?"),
    ),
    _Property(
        lambda rng: rng.choice(LAST_NAMES),
        ("It comes from the workshop {v}.", "The workshop {v} makes it."),
        ("Which workshop makes the {x}?", "From which workshop comes the {x}?"),
    ),
    _Property(
        lambda rng: f"{rng.randint(2, 12)} years",
        ("The guarantee lasts {v}.", "It has a guarantee of {v}."),
        ("How long is the guarantee for the {x}?", "Which guarantee has the {x}?"),
    ),
    _Property(
        lambda rng: f"{rng.choice('ABCDEFG')}{rng.randint(1, 30)}",
        ("You find it on shelf {v}.", "Its shelf is {v}."),
        ("On which shelf is the {x}?", "Which shelf has the {x}?"),
    ),
    _Property(
        lambda rng: f"{rng.randint(2, 20)} days",
        ("We deliver it within {v}.", "The delivery takes {v}."),
        ("How long does the delivery of the {x} take?", "How fast do you deliver the {x}?"),
    ),
    _Property(
        lambda rng: f"{rng.randint(2, 90)} pieces",
        ("There are {v} in the store.", "We have {v} of it."),
        ("How many pieces of the {x} are in the store?", "What is in the store of the {x}?"),
    ),
    _Property(
        lambda rng: f"{rng.choice(FIRST_NAMES)} {rng.choice(LAST_NAMES)}",
        ("Ask {v} about it.", "{v} knows all about it."),
        ("Whom can I ask about the {x}?", "Who knows about the {x}?"),
    ),
)


class Note(NamedTuple):
    """An article's note, and what it tells."""

    article: str
    text: str
    told: tuple[tuple[_Property, str], ...]


def _note(rng: Random, article: str) -> Note:
    told = tuple((p, p.value(rng)) for p in rng.sample(_PROPERTIES, _A_NOTE))
    sentences = " ".join(rng.choice(p.told).format(v=value) for p, value in told)
    return Note(article, f"The {article}. {sentences}", told)


def _notes(rng: Random) -> list[Note]:
    every = [f"{adjective} {ware}" for ware in WARES for adjective in ADJECTIVES]
    return [_note(rng, article) for article in rng.sample(every, sum(_ARTICLES.values()))]


def rows(rng: Random, sizes: Mapping[str, int]) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Split and its rows: question, answer, and the note where the answer stands."""
    left = _notes(rng)
    for split, size in sizes.items():
        mine, left = left[: _ARTICLES[split]], left[_ARTICLES[split] :]
        asked = [(note, p, value) for note in mine for p, value in note.told]
        yield (
            split,
            [
                {
                    "question": rng.choice(p.asked).format(x=note.article),
                    "answer": value,
                    "note": note.text,
                }
                for note, p, value in rng.sample(asked, size)
            ],
        )


def files(rng: Random) -> dict[str, str]:
    """The folder of notes: a heading and a paragraph an article, ten articles a file."""
    every = sorted(_notes(rng), key=lambda note: note.article.split()[-1])
    out = {}
    for number, start in enumerate(range(0, len(every), _A_FILE), 1):
        parts = []
        for note in every[start : start + _A_FILE]:
            heading, _, body = note.text.partition(". ")
            parts.append(f"## {heading}\n\n{body}\n")
        out[f"shelf-{number:02d}.md"] = "\n".join(parts)
    return out
