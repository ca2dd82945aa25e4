"""Questions over a given text: the answer is copied from it, or is "not in the text".

The text stands in the input (a passage, a dialogue) or in the evidence section of the prompt.
"""

from __future__ import annotations

from random import Random
from typing import NamedTuple

from ..form import Form, Item
from ..world import (
    ACTIVITIES,
    DAYS,
    FIRST_NAMES,
    KINDS,
    LAST_NAMES,
    PLACES,
    TOWNS,
    WARES,
    article,
    clock_time,
    price,
)
from .dialogues import any_scene

ABSENT = "not in the text"


class Fact(NamedTuple):
    """A sentence, a question on it, and the answer."""

    sentence: str
    question: str
    answer: str


def _fact(rng: Random, kind: int, who: str) -> Fact:
    """One fact on a person; the same kind and person always give the same question."""
    if kind == 0:
        town = rng.choice(TOWNS)
        return Fact(f"{who} lives in {town}.", f"Where does {who} live?", town)
    if kind == 1:
        job = rng.choice(KINDS["job"])
        text = rng.choice([f"{who} works as {article(job)}.", f"{who} is {article(job)}."])
        return Fact(text, f"What is the job of {who}?", job)
    if kind == 2:
        age = str(rng.randint(5, 90))
        return Fact(f"{who} is {age} years old.", f"How old is {who}?", age)
    if kind == 3:
        food = rng.choice(KINDS["fruit"] + KINDS["food"])
        return Fact(f"{who} bought {article(food)}.", f"What did {who} buy?", food)
    if kind == 4:
        pet = rng.choice(KINDS["animal"])
        return Fact(f"{who} has {article(pet)}.", f"Which animal has {who}?", pet)
    if kind == 5:
        day = rng.choice(DAYS)
        return Fact(f"{who} came home on {day}.", f"When did {who} come home?", day)
    last = rng.choice(LAST_NAMES)
    return Fact(f"The last name of {who} is {last}.", f"What is the last name of {who}?", last)


def _shop_fact(rng: Random, kind: int, thing: str) -> Fact:
    """One fact on a thing or a place."""
    if kind == 0:
        cost = price(rng)
        return Fact(f"The {thing} costs {cost}.", f"What does the {thing} cost?", cost)
    if kind == 1:
        place = rng.choice(PLACES)
        text = rng.choice(
            [f"The {thing} is in the {place}.", f"The {thing} stands in the {place}."]
        )
        return Fact(text, f"Where is the {thing}?", f"in the {place}")
    if kind == 2:
        who = rng.choice(FIRST_NAMES)
        return Fact(f"The {thing} belongs to {who}.", f"Whose is the {thing}?", who)
    if kind == 3:
        time = clock_time(rng)
        text = f"The shop sells the {thing} until {time}."
        return Fact(text, f"Until when can one buy the {thing}?", time)
    activity = rng.choice(ACTIVITIES)
    text = f"With the {thing} one can {activity}."
    return Fact(text, f"What can one do with the {thing}?", activity)


def facts(rng: Random, count: int) -> list[Fact]:
    """Different facts, so that no two have the same question."""
    people, things = rng.sample(FIRST_NAMES, 3), rng.sample(WARES, 3)
    slots = [("who", kind, who) for kind in range(7) for who in people]
    slots += [("thing", kind, thing) for kind in range(5) for thing in things]
    chosen = rng.sample(slots, count)
    return [
        _fact(rng, kind, name) if which == "who" else _shop_fact(rng, kind, name)
        for which, kind, name in chosen
    ]


def _passage(rng: Random) -> Item:
    drawn = facts(rng, rng.randint(3, 6))
    asked = drawn.pop() if rng.random() < 0.2 else None
    rng.shuffle(drawn)
    question, answer = (asked.question, ABSENT) if asked else (drawn[0].question, drawn[0].answer)
    rng.shuffle(drawn)
    text = " ".join(fact.sentence for fact in drawn)
    return Item(f"{text}\nQuestion: {question}", answer)


def _with_evidence(rng: Random) -> Item:
    drawn = facts(rng, rng.randint(2, 5))
    asked = drawn.pop() if rng.random() < 0.15 else None
    question, answer = (asked.question, ABSENT) if asked else (drawn[0].question, drawn[0].answer)
    rng.shuffle(drawn)
    return Item(question, answer, tuple(fact.sentence for fact in drawn))


def _on_dialogue(rng: Random) -> Item:
    scene = any_scene(rng)
    question, answer = rng.choice(scene.questions)
    return Item(f"{scene.text}\nQuestion: {question}", answer)


_PASSAGE = (
    "Answer the question from the text. If the text does not tell, write: not in the text",
    "Read the text and answer the question.",
    "Answer the question.",
)
_EVIDENCE = (
    "Answer the question from the notes. If the notes do not tell, write: not in the text",
    "Answer the question with the help of the evidence.",
    "Answer the question.",
)
_DIALOGUE = (
    "Answer the question on the dialogue.",
    "Read the dialogue and answer the question.",
    "Answer the question.",
)


def draw(rng: Random) -> Form:
    """Questions over a passage, over numbered notes, or over a dialogue."""
    kind = rng.random()
    if kind < 0.5:
        return Form("questions/passage", _PASSAGE, _passage)
    if kind < 0.7:
        return Form("questions/evidence", _EVIDENCE, _with_evidence)
    return Form("questions/dialogue", _DIALOGUE, _on_dialogue)
