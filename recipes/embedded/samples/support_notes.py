"""The bundled sample task ``support-notes``: a call to a shop's support, and the note on it.

The note is in a house style that the training mixture never holds:

    #4821 Berg, Anna > lamp (size) > refund Friday; call 3:30

number, surname first, the thing, a code for the fault, the remedy with its day, and when to call
back, if that was asked for. The style has habits that a reader learns from examples: two kinds of
fault have codes of their own, a number that is not known is "#?", a refusal is "none" without a
day, haste puts "!" in front. Some callers correct themselves; the note holds what they meant.
"""

from __future__ import annotations

from random import Random
from typing import NamedTuple

from ..world import DAYS, FAULTS, FIRST_NAMES, LAST_NAMES, WARES, article, clock_time

_CODES = {
    "too small": "size",
    "too big": "size",
    "the wrong colour": "colour",
    "missing a part": "part",
}
_REMEDIES = {
    "refund": ("my money back", "the money back", "a refund"),
    "replacement": ("another one", "a new one", "one that is all right"),
    "repair": ("it repaired", "somebody to mend it", "a repair"),
}


class Call(NamedTuple):
    """A dialogue and the note on it."""

    dialogue: str
    note: str


def _opening(rng: Random, first: str, last: str) -> list[str]:
    clerk = rng.choice(["Support, good day.", "Shop support, hello.", "You have reached support."])
    if rng.random() < 0.5:
        asked = rng.choice(["Who is calling?", "What is your name?"])
        caller = rng.choice([f"{first} {last}.", f"This is {first} {last}."])
        return [f"Clerk: {clerk} {asked}", f"Caller: {caller}"]
    return [f"Clerk: {clerk}", f"Caller: {rng.choice(['Here is', 'This is'])} {first} {last}."]


def _trouble(rng: Random, thing: str, fault: str) -> str:
    if rng.random() < 0.2:
        other = rng.choice([ware for ware in WARES if ware != thing])
        return f"The {other} you sent me, no, the {thing}, is {fault}."
    return rng.choice(
        [
            f"The {thing} you sent me is {fault}.",
            f"You sent me {article(thing)} and it is {fault}.",
            f"It is about the {thing}. It is {fault}.",
        ]
    )


def _number(rng: Random) -> tuple[list[str], str]:
    asked = rng.choice(["What is the order number?", "And the number of the order?"])
    if rng.random() < 0.15:
        unknown = rng.choice(["I do not have it.", "I can not find it."])
        return [f"Clerk: {asked}", f"Caller: {unknown}"], "#?"
    number = str(rng.randint(1000, 9999))
    told = rng.choice([f"{number}.", f"It is {number}."])
    return [f"Clerk: {asked}", f"Caller: {told}"], f"#{number}"


def _remedy(rng: Random) -> tuple[list[str], str]:
    remedy, day = rng.choice(list(_REMEDIES)), rng.choice(DAYS)
    wish = f"Caller: {rng.choice(['I want', 'I would like'])} {rng.choice(_REMEDIES[remedy])}."
    if rng.random() < 0.15:
        no = rng.choice(["I am afraid we can not do that.", "That is too late, sorry."])
        return [wish, f"Clerk: {no}"], "none"
    if rng.random() < 0.2:
        early = rng.choice([d for d in DAYS if d != day])
        promise = f"Clerk: You will have it on {early}. Wait, no, on {day}."
    else:
        promise = "Clerk: " + rng.choice(
            [f"You will have it on {day}.", f"Good, by {day}.", f"We can do that on {day}."]
        )
    return [wish, promise], f"{remedy} {day}"


def call(rng: Random) -> Call:
    """One call and its note."""
    first, last = rng.choice(FIRST_NAMES), rng.choice(LAST_NAMES)
    thing, fault = rng.choice(WARES), rng.choice(FAULTS)
    number_lines, number = _number(rng)
    remedy_lines, remedy = _remedy(rng)
    lines = _opening(rng, first, last)
    lines[-1] += " " + _trouble(rng, thing, fault)
    lines += number_lines
    remedy_line = remedy_lines[0].removeprefix("Caller: ")
    lines[-1] += " " + remedy_line
    haste = rng.random() < 0.2
    if haste:
        lines[-1] += " " + rng.choice(["And it is urgent.", "I can not wait long."])
    lines.append(remedy_lines[1])
    note = f"{number} {last}, {first} > {thing} ({_CODES.get(fault, fault)}) > {remedy}"
    if rng.random() < 0.3:
        time = clock_time(rng)
        lines.append(f"Caller: Please call me at {time}.")
        note += f"; call {time}"
    else:
        lines.append(f"Caller: {rng.choice(['Thank you.', 'Good bye.', 'Fine.'])}")
    return Call("\n".join(lines), "! " + note if haste else note)


def row(rng: Random) -> dict[str, str]:
    """One row of the sample."""
    drawn = call(rng)
    return {"dialogue": drawn.dialogue, "note": drawn.note}
