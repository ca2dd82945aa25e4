"""A statement or a dialogue turned into a line of a pattern drawn afresh: which fields, in which
order, with which marks, brackets and short forms.

Only demonstrations (or the instruction's list of fields) tell the pattern, so the row learns to
read a form of output off its examples. The bundled sample's house style cannot come out: no source
here has its remedies, and no name is ever written "Berg, Anna".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random

from ..form import Form, Item
from ..world import (
    ADJECTIVES,
    DAYS,
    FAULTS,
    NOUNS,
    PLACES,
    TOWNS,
    WARES,
    article,
    clock_time,
    full_name,
    price,
)
from .dialogues import TOPICS

_MARKS = tuple(", ; : / | - = + * . ~ & > < ^ _ -> => :: // -- @ % !".split())
_LINKS = "at and is for by on in from to with has wants gets until about".split()
#: A text and the fields that stand in it; None: left open.
Source = Callable[[Random], tuple[str, Mapping[str, str | None]]]

_BRACKETS = ("()", "[]", "<>", "{}", '""', "''", "**")
_ENDS = ("", "", "", ".", "!", ";", " ok", " #")
_STARTS = ("", "", "", "* ", "- ", "# ", "#", "> ", "! ", "note: ", "@")


def _separator(rng: Random) -> str:
    """A mark or a word between two fields, with its spaces."""
    kind, mark = rng.random(), rng.choice(_MARKS)
    if kind < 0.12:
        return " "
    if kind < 0.3:
        return f" {rng.choice(_LINKS if rng.random() < 0.7 else [*NOUNS, *ADJECTIVES])} "
    if kind < 0.45:
        return f"{mark} " if mark in ",;:." else mark
    return f" {mark} "


def _number(rng: Random) -> str:
    return str(rng.randint(100, 9999))


def _sale(rng: Random) -> tuple[str, Mapping[str, str | None]]:
    f = {"name": full_name(rng), "thing": rng.choice(WARES), "day": rng.choice(DAYS)}
    f |= {"price": price(rng), "number": _number(rng)}
    text = rng.choice(
        [
            f"{f['name']} bought {article(f['thing'])} for {f['price']} on {f['day']}. "
            f"The number is {f['number']}.",
            f"Order {f['number']}: On {f['day']} {f['name']} paid {f['price']} "
            f"for {article(f['thing'])}.",
        ]
    )
    return text, f


def _visit(rng: Random) -> tuple[str, Mapping[str, str | None]]:
    f = {"name": full_name(rng), "town": rng.choice(TOWNS), "day": rng.choice(DAYS)}
    f["time"] = clock_time(rng)
    text = rng.choice(
        [
            f"{f['name']} comes to {f['town']} on {f['day']} at {f['time']}.",
            f"At {f['time']} on {f['day']} {f['name']} will be in {f['town']}.",
        ]
    )
    return text, f


def _fault(rng: Random) -> tuple[str, Mapping[str, str | None]]:
    f = {"name": full_name(rng), "thing": rng.choice(WARES), "fault": rng.choice(FAULTS)}
    f |= {"place": rng.choice(PLACES), "number": _number(rng)}
    text = rng.choice(
        [
            f"The {f['thing']} of {f['name']} in the {f['place']} is {f['fault']}. "
            f"It has the number {f['number']}.",
            f"Number {f['number']}: {f['name']} says that the {f['thing']} "
            f"in the {f['place']} is {f['fault']}.",
        ]
    )
    return text, f


def _scene(topic: str) -> Source:
    def source(rng: Random) -> tuple[str, Mapping[str, str | None]]:
        scene = TOPICS[topic](rng)
        return scene.text, scene.fields

    return source


#: Each statement, and each topic of dialogue, as a source of fields.
SOURCES: tuple[Source, ...] = (_sale, _visit, _fault, *map(_scene, TOPICS))
_ABSENT = ("-", "?", "none", "no", "open", "...", "x", "not told")


def _surname_first(value: str) -> str:
    return " ".join(reversed(value.split()))


#: How a value may be written: as it is, or in a short form.
_WRITTEN: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "upper": str.upper,
    "three letters": lambda value: value[:3],
    "last word": lambda value: value.split()[-1],
    "first word": lambda value: value.split()[0],
    "surname first": _surname_first,
}
_FORMS = {
    "name": (0.4, 0.1, 0, 0.15, 0.15, 0.2),
    "day": (0.6, 0.15, 0.25, 0, 0, 0),
    "price": (0.7, 0, 0, 0, 0.3, 0),
    "number": (1, 0, 0, 0, 0, 0),
    "time": (1, 0, 0, 0, 0, 0),
}


def _pattern(rng: Random, fields: list[str]) -> Callable[[Mapping[str, str | None]], str]:
    """A way to write the fields on one line."""
    separators = [_separator(rng)] * len(fields)
    if rng.random() < 0.6:
        separators = [_separator(rng) for _ in fields]
    start, end, absent = rng.choice(_STARTS), rng.choice(_ENDS), rng.choice(_ABSENT)
    around = {f: rng.choice(_BRACKETS) if rng.random() < 0.2 else "" for f in fields}
    default = (0.8, 0.1, 0, 0.1, 0, 0)
    written = {f: _WRITTEN[rng.choices(list(_WRITTEN), _FORMS.get(f, default))[0]] for f in fields}

    def line(values: Mapping[str, str | None]) -> str:
        text = start
        for field, separator in zip(fields, ["", *separators], strict=False):
            value = values[field]
            shown = absent if value is None else written[field](value)
            text += separator + around[field][:1] + shown + around[field][1:]
        return text + end

    return line


def draw(rng: Random) -> Form:
    """One to five fields in a pattern drawn for the episode, or just with commas."""
    dialogue = rng.random() < 0.6
    source = rng.choice(SOURCES[3:] if dialogue else SOURCES[:3])
    fields = list(source(rng)[1])
    fields = rng.sample(fields, rng.randint(1, len(fields)))
    plain = rng.random() < 0.15
    line = _pattern(rng, fields)

    def make(item_rng: Random) -> Item:
        text, values = source(item_rng)
        if plain:
            return Item(text, ", ".join(values[field] or "-" for field in fields))
        return Item(text, line(values))

    told = (f"Write {', '.join(fields)}.", f"Note down: {', '.join(fields)}.")
    kind = "told" if plain else "shown"
    name = f"records/{kind}-{'dialogue' if dialogue else 'statement'}"
    return Form(name, told if plain else _ANY, make, demonstrations=0 if plain else 1)


_ANY = (
    "Write it in the given form.",
    "Make a note of it.",
    "Follow the examples.",
    "Write the line for the book.",
    "Put it on the list.",
    "Fill in the card.",
)
