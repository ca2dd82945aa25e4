"""A statement turned into a line of a pattern: fields, order, separators, brackets drawn afresh.

Only demonstrations (or the instruction's list of fields) tell the pattern, so the row learns to
read a form of output off its examples. The bundled sample's house style cannot come out: no
statement here has its remedies, and no name is ever written "Berg, Anna".
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from ..form import Form, Item
from ..world import DAYS, FAULTS, PLACES, TOWNS, WARES, article, clock_time, full_name, price

_MARKS = (
    ",",
    ";",
    ":",
    "/",
    "|",
    "-",
    "=",
    "+",
    "*",
    ".",
    "~",
    "&",
    ">",
    "<",
    "^",
    "_",
    "->",
    "=>",
)
_MARKS += ("::", "//", "--", "@", "%", "at", "and", "is", "!")
_BRACKETS = ("()", "[]", "<>", "{}", '""', "''", "**")
_ENDS = ("", "", "", ".", "!", ";", " ok", " #")
_STARTS = ("", "", "", "* ", "- ", "# ", "#", "> ", "! ", "note: ", "@")


def _separator(rng: Random) -> str:
    """A mark between two fields, with its spaces."""
    kind, mark = rng.random(), rng.choice(_MARKS)
    if kind < 0.15:
        return " "
    if kind < 0.35 and mark in ",;:.":
        return f"{mark} "
    return mark if kind < 0.35 and not mark.isalpha() else f" {mark} "


def _number(rng: Random) -> str:
    return str(rng.randint(100, 9999))


def _sale(rng: Random) -> tuple[str, dict[str, str]]:
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


def _visit(rng: Random) -> tuple[str, dict[str, str]]:
    f = {"name": full_name(rng), "town": rng.choice(TOWNS), "day": rng.choice(DAYS)}
    f["time"] = clock_time(rng)
    text = rng.choice(
        [
            f"{f['name']} comes to {f['town']} on {f['day']} at {f['time']}.",
            f"At {f['time']} on {f['day']} {f['name']} will be in {f['town']}.",
        ]
    )
    return text, f


def _fault(rng: Random) -> tuple[str, dict[str, str]]:
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


def _pattern(rng: Random, fields: list[str]) -> Callable[[dict[str, str]], str]:
    """A way to write the fields on one line."""
    separators = [_separator(rng)] * len(fields)
    if rng.random() < 0.5:
        separators = [_separator(rng) for _ in fields]
    start, end = rng.choice(_STARTS), rng.choice(_ENDS)
    around = {f: rng.choice(_BRACKETS) if rng.random() < 0.2 else "" for f in fields}
    upper = {f for f in fields if f not in ("price", "number") and rng.random() < 0.15}

    def line(values: dict[str, str]) -> str:
        text = start
        for field, separator in zip(fields, ["", *separators], strict=False):
            value = values[field].upper() if field in upper else values[field]
            text += separator + around[field][:1] + value + around[field][1:]
        return text + end

    return line


def draw(rng: Random) -> Form:
    """One to five fields of a statement in a pattern drawn for the episode, or just with commas."""
    statement = rng.choice([_sale, _visit, _fault])
    fields = list(statement(rng)[1])
    fields = rng.sample(fields, rng.randint(1, len(fields)))
    plain, surname_first = rng.random() < 0.15, rng.random() < 0.3
    line = _pattern(rng, fields)

    def make(item_rng: Random) -> Item:
        text, values = statement(item_rng)
        if plain:
            return Item(text, ", ".join(values[field] for field in fields))
        if surname_first:
            values["name"] = " ".join(reversed(values["name"].split()))
        return Item(text, line(values))

    told = (f"Write {', '.join(fields)}.", f"Note down: {', '.join(fields)}.")
    name = "records/told" if plain else "records/shown"
    return Form(name, told if plain else _ANY, make, demonstrations=0 if plain else 1)


_ANY = ("Write it in the given form.", "Make a note of it.", "Follow the examples.")
