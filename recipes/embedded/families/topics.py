"""Sentences by topic: what a labelling task can be about beyond single words.

Held out for the bundled sample ``inbox-labels``: messages to a house (lost things, repairs, visits,
bills), and its label words as labels.
"""

from __future__ import annotations

from random import Random

from ..world import FIRST_NAMES, KINDS, PLACES, TOWNS, article

#: {a}, {b} people, {t} town, {p} place, {x} food with article, {n} animal, {c} clothing,
#: {i} instrument
TOPICS: dict[str, tuple[str, ...]] = {
    "sport": (
        "{a} won the match on the field.", "{a} runs faster than {b}.", "{b} kicked the ball hard.",
        "The team of {a} lost the game.", "{a} trains for the race.", "A good goal for {t}!",
    ),
    "food": (
        "{a} cooks {x} for {b}.", "The bakery sells fresh bread.", "{a} ate too much cake.",
        "The soup of {a} tastes of onion.", "Is there {x} for lunch?",
        "{b} is hungry and wants {x}.",
    ),
    "travel": (
        "{a} took the train to {t}.", "The boat to {t} leaves at noon.", "The bus to {t} is late.",
        "{a} has packed a bag for {t}.", "{a} missed the bus to {t}.", "{b} flies to {t} by plane.",
    ),
    "weather": (
        "It rains in {t}.", "The snow lies deep in {t}.", "A cold wind blows over {t}.",
        "The sun shines on the {p} in {t}.", "There is fog over {t}.", "It is warm and dry in {t}.",
    ),
    "school": (
        "{a} wrote a test in class.", "The teacher of {a} reads a book.", "{b} learns to read.",
        "{a} and {b} do their homework.", "The class of {a} learns to count.",
        "{b} is good at maths.",
    ),
    "money": (
        "{a} paid {b} five euros.", "The bank in {t} is closed.", "{a} saves for {x}.",
        "{b} owes {a} some coins.", "{a} has no money left.", "{b} earns a lot at the {p}.",
    ),
    "animals": (
        "{a} feeds the {n}.", "The {n} of {b} ran away.", "A {n} sleeps under the tree.",
        "{b} is afraid of the {n}.", "The {n} has eaten.", "There is a {n} in the {p}.",
    ),
    "music": (
        "{a} plays the {i}.", "{b} sings in a choir.", "The {i} of {a} is out of tune.",
        "We heard a song in {t}.", "{a} practises the {i}.", "The band of {b} plays in {t}.",
    ),
    "clothes": (
        "{a} wears a new {c}.", "The {c} does not fit {b}.", "{b} put on the {c}.",
        "{a} sews a {c} for {b}.", "The {c} is too tight.", "{b} hung up the {c}.",
    ),
    "health": (
        "{a} has a cold.", "The doctor looked at the knee of {b}.", "{b} lies in bed with a fever.",
        "{a} took the medicine.", "The nurse helped {a}.", "{b} has broken a leg.",
    ),
    "garden": (
        "{a} planted a rose.", "The oak of {b} is tall.", "{b} cut the grass.",
        "The tulip needs water.", "{a} picks apples from the tree.", "The bush of {b} has flowers.",
    ),
    "work": (
        "{a} starts at the office at eight.", "{b} has found a new job.", "{a} works late again.",
        "The boss of {b} is angry.", "{b} has a day off.", "{a} writes a report for the boss.",
    ),
    "family": (
        "{a} is the sister of {b}.", "The mother of {a} comes from {t}.", "{b} has two brothers.",
        "{a} and {b} are cousins.", "The father of {b} is old.", "{a} has a baby now.",
    ),
    "feast": (
        "{a} has a birthday.", "{b} got a present.", "We dance all night in {t}.",
        "{a} lights the candles.", "{b} was asked to the party.", "The guests of {a} have come.",
    ),
    "reading": (
        "{a} has read the story.", "The book of {b} has many pages.", "{b} writes a poem.",
        "{a} reads the newspaper.", "The letter for {a} is long.", "{b} likes the last chapter.",
    ),
}  # fmt: skip


def sentence(rng: Random, topic: str) -> str:
    """A sentence on a topic."""
    a, b = rng.sample(FIRST_NAMES, 2)
    return rng.choice(TOPICS[topic]).format(
        a=a,
        b=b,
        t=rng.choice(TOWNS),
        p=rng.choice(PLACES),
        x=article(rng.choice(KINDS["food"])),
        n=rng.choice(KINDS["animal"]),
        c=rng.choice(KINDS["clothing"]),
        i=rng.choice(KINDS["instrument"]),
    )
