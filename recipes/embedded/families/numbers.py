"""Sums and word problems with a number for an answer.

One and two steps, small numbers: a model of this size learns them only in part, and that is
useful, for it leaves something for a program to do better.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from ..form import Form, Item
from ..world import NOUNS, WARES, two_names

_SUM_INSTRUCTIONS = ("Work out the sum.", "Calculate.", "What is the result?")
_WORD_INSTRUCTIONS = (
    "Solve the problem. Answer with a number.",
    "Work out the answer and write only the number.",
    "How many? Answer with a number.",
)


def _sum(rng: Random) -> Item:
    a, b = rng.randint(1, 60), rng.randint(1, 39)
    kind = rng.random()
    if kind < 0.45:
        return Item(f"{a} + {b}", str(a + b))
    if kind < 0.8:
        a, b = max(a, b), min(a, b)
        return Item(f"{a} - {b}", str(a - b))
    a, b = rng.randint(2, 10), rng.randint(2, 10)
    return Item(f"{a} * {b}", str(a * b))


def _gain(rng: Random) -> Item:
    who, other = two_names(rng)
    things = NOUNS[rng.choice(WARES)].plural
    a, b = rng.randint(2, 40), rng.randint(2, 20)
    text = rng.choice(
        [
            f"{who} has {a} {things}. {other} gives {who} {b} more. How many {things} has {who}?",
            f"{who} had {a} {things} and bought {b} more. How many {things} has {who} now?",
            f"{who} has {a} {things} and {other} has {b}. How many {things} have they together?",
        ]
    )
    return Item(text, str(a + b))


def _loss(rng: Random) -> Item:
    who, other = two_names(rng)
    things = NOUNS[rng.choice(WARES)].plural
    b = rng.randint(2, 20)
    a = b + rng.randint(1, 30)
    text = rng.choice(
        [
            f"{who} has {a} {things} and gives {b} to {other}. How many {things} are left?",
            f"{who} had {a} {things} and lost {b}. How many {things} has {who} now?",
            f"There were {a} {things} in the shop. {who} bought {b}. How many are left?",
        ]
    )
    return Item(text, str(a - b))


def _times(rng: Random) -> Item:
    who, _ = two_names(rng)
    things = NOUNS[rng.choice(WARES)].plural
    a, b = rng.randint(2, 9), rng.randint(2, 9)
    text = rng.choice(
        [
            f"{who} buys {a} {things}. Each costs {b} euros. How many euros does {who} pay?",
            f"There are {a} boxes with {b} {things} each. How many {things} are there?",
        ]
    )
    return Item(text, str(a * b))


def _two_steps(rng: Random) -> Item:
    who, other = two_names(rng)
    things = NOUNS[rng.choice(WARES)].plural
    a, b = rng.randint(5, 25), rng.randint(2, 15)
    c = rng.randint(1, min(9, a + b - 1))
    text = (
        f"{who} has {a} {things} and buys {b} more. Then {who} gives {c} to {other}. "
        f"How many {things} has {who} now?"
    )
    return Item(text, str(a + b - c))


_MAKERS: dict[str, tuple[tuple[str, ...], Callable[[Random], Item]]] = {
    "sum": (_SUM_INSTRUCTIONS, _sum),
    "gain": (_WORD_INSTRUCTIONS, _gain),
    "loss": (_WORD_INSTRUCTIONS, _loss),
    "times": (_WORD_INSTRUCTIONS, _times),
    "two-steps": (_WORD_INSTRUCTIONS, _two_steps),
}


def _any_problem(rng: Random) -> Item:
    return rng.choice((_gain, _loss, _times, _two_steps))(rng)


def draw(rng: Random) -> Form:
    """A task on numbers: bare sums, one kind of problem, or all kinds mixed."""
    if rng.random() < 0.3:
        return Form("numbers/mixed", _WORD_INSTRUCTIONS, _any_problem)
    name = rng.choices(list(_MAKERS), (0.4, 0.15, 0.15, 0.15, 0.15))[0]
    instructions, make = _MAKERS[name]
    return Form(f"numbers/{name}", instructions, make)
