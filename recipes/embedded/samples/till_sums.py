"""``till-sums``: what is paid at a till, in two to four steps; answered by number or by program.

Change, coupons, deposits and shared bills occur in no problem of the training, nor does the way in
which the programs here name their parts.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import NamedTuple

from stepladder.sandbox import run

from ..world import FIRST_NAMES, NOUNS, WARES, article


class _Sum(NamedTuple):
    """A problem and the lines of its program."""

    question: str
    lines: tuple[str, ...]


def _two_wares(rng: Random) -> tuple[str, str]:
    first, second = rng.sample(WARES, 2)
    return first, second


def _note_above(rng: Random, total: int) -> int:
    return rng.choice([note for note in (20, 50, 100, 200, 500, 1000) if note > total][:2])


def _change(rng: Random) -> _Sum:
    who, ware = rng.choice(FIRST_NAMES), rng.choice(WARES)
    n, p = rng.randint(2, 9), rng.randint(2, 20)
    note = _note_above(rng, n * p)
    text = rng.choice(
        [f"{who} buys {n} {NOUNS[ware].plural} for {p} euros each and pays with a {note} euro "
         f"note. How much change does {who} get?",
         f"One {ware} costs {p} euros. {who} takes {n} and hands over {note} euros. What is the "
         "change?"]
    )  # fmt: skip
    return _Sum(text, (f"goods = {n} * {p}", f"answer = {note} - goods"))


def _change_of_two(rng: Random) -> _Sum:
    who, (one, two) = rng.choice(FIRST_NAMES), _two_wares(rng)
    n, p, q = rng.randint(2, 9), rng.randint(2, 15), rng.randint(2, 30)
    note = _note_above(rng, n * p + q)
    text = rng.choice(
        [f"{who} buys {n} {NOUNS[one].plural} for {p} euros each and {article(two)} for {q} euros, "
         f"and pays with {note} euros. How much change does {who} get?",
         f"{n} {NOUNS[one].plural} cost {p} euros each, and {article(two)} costs {q} euros. {who} "
         f"takes them all and gives {note} euros. What is the change?"]
    )  # fmt: skip
    return _Sum(text, (f"goods = {n} * {p} + {q}", f"answer = {note} - goods"))


def _coupon(rng: Random) -> _Sum:
    who, (one, two) = rng.choice(FIRST_NAMES), _two_wares(rng)
    n, p, m, q = rng.randint(2, 6), rng.randint(3, 12), rng.randint(2, 6), rng.randint(3, 12)
    c = rng.randint(2, 12)
    text = (
        f"{who} puts {n} {NOUNS[one].plural} for {p} euros each and {m} {NOUNS[two].plural} for "
        f"{q} euros each into the basket. A coupon takes off {c} euros. What is to pay?"
    )
    return _Sum(text, (f"goods = {n} * {p} + {m} * {q}", f"answer = goods - {c}"))


def _shared(rng: Random) -> _Sum:
    who, (one, two) = rng.choice(FIRST_NAMES), _two_wares(rng)
    k, each = rng.randint(2, 6), rng.randint(5, 20)
    p = rng.randint(2, k * each - 2)
    text = (
        f"{article(one).capitalize()} costs {p} euros and {article(two)} {k * each - p} euros. "
        f"{who} buys both, and {k} friends share the bill. What does each pay?"
    )
    return _Sum(text, (f"goods = {p} + {k * each - p}", f"answer = goods // {k}"))


def _deposit(rng: Random) -> _Sum:
    who, ware = rng.choice(FIRST_NAMES), rng.choice(WARES)
    n, p, d = rng.randint(2, 9), rng.randint(3, 15), rng.randint(1, 6)
    text = (
        f"{who} rents {n} {NOUNS[ware].plural} for {p} euros each. For each there is a deposit of "
        f"{d} euros. What does {who} pay at the till?"
    )
    return _Sum(text, (f"each = {p} + {d}", f"answer = {n} * each"))


def _till(rng: Random) -> _Sum:
    who, a = rng.choice(FIRST_NAMES), rng.randint(20, 90)
    n, p = rng.randint(2, 9), rng.randint(2, 15)
    c = rng.randint(2, 19)
    text = (
        f"The till held {a} euros in the morning. {n} people paid {p} euros each. {who} took out "
        f"{c} euros. What is in the till?"
    )
    return _Sum(text, (f"paid = {n} * {p}", f"answer = {a} + paid - {c}"))


_KINDS: tuple[Callable[[Random], _Sum], ...] = (
    _change, _change_of_two, _coupon, _shared, _deposit, _till,
)  # fmt: skip


def row(rng: Random) -> dict[str, str]:
    """One row of the sample: question, answer, program."""
    drawn = rng.choice(_KINDS)(rng)
    return {
        "question": drawn.question,
        "answer": run("\n".join(drawn.lines)).answer,
        "program": "\n".join(drawn.lines),
    }
