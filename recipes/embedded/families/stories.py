"""Plain texts without a task: stories, word lists, and pairs of a small dictionary.

Every token of them is learned from. Word lists hold words of one class: that is how the model
learns which words belong together before it has to bind a class to a label.
"""

from __future__ import annotations

from random import Random

from ..world import (
    ACTIVITIES,
    ADJECTIVES,
    DAYS,
    FIRST_NAMES,
    KINDS,
    NOUNS,
    OPPOSITES,
    PLACES,
    TOWNS,
    VERBS,
    WARES,
    article,
    two_names,
)
from .dialogues import any_scene
from .swedish import sentence


def _paragraph(rng: Random) -> str:
    """Five to eight sentences on two people and one thing, which moves about."""
    a, b = two_names(rng)
    thing, town, day = rng.choice(WARES), rng.choice(TOWNS), rng.choice(DAYS)
    first, then = rng.sample(PLACES, 2)
    adjective = rng.choice(list(ADJECTIVES))
    other = rng.choice(KINDS["animal"])
    lines = [
        f"{a} lives in {town}.",
        rng.choice([f"{a} has {article(f'{adjective} {thing}')}.",
                    f"One {day} {a} found {article(f'{adjective} {thing}')} in the {first}."]),
        rng.choice([f"{b} is a friend of {a}.", f"{a} and {b} like to {rng.choice(ACTIVITIES)}."]),
        rng.choice([f"On {day} {a} took the {thing} to the {then}.",
                    f"{a} left the {thing} in the {then}."]),
        rng.choice([f"There {b} saw {article(other)}.", f"{b} came with {article(other)}."]),
        rng.choice([f"{b} asked: Is the {thing} {adjective}? Yes, said {a}.",
                    f"The {other} liked the {thing}.", f"{b} wanted the {thing}."]),
        rng.choice([f"So {a} gave the {thing} to {b}.", f"But {a} kept the {thing}.",
                    f"In the end they went home with the {thing}."]),
    ]  # fmt: skip
    return " ".join(lines)


def _class_list(rng: Random) -> str:
    kind = rng.choice(list(KINDS) + ["person", "town"])
    words = {"person": FIRST_NAMES, "town": TOWNS}.get(kind) or KINDS[kind]
    chosen = rng.sample(words, min(len(words), rng.randint(4, 9)))
    return rng.choice([f"{kind}: ", "", ""]) + ", ".join(chosen)


def _dictionary(rng: Random) -> str:
    kind = rng.randrange(4)
    if kind == 0:
        nouns = rng.sample([n for n in NOUNS.values() if n.swedish], 6)
        pairs = [(n.word, ("ett " if n.neuter else "en ") + (n.swedish or "")) for n in nouns]
    elif kind == 1:
        pairs = [(n.word, n.plural) for n in rng.sample(list(NOUNS.values()), 6)]
    elif kind == 2:
        pairs = rng.sample(list(OPPOSITES.items()), 5)
    else:
        pairs = [(v.third, v.past) for v in rng.sample(list(VERBS.values()), 6)]
    return rng.choice(["\n", "; "]).join(f"{left} = {right}" for left, right in pairs)


def _swedish_text(rng: Random) -> str:
    return " ".join(sentence(rng)[1] for _ in range(rng.randint(3, 6)))


def text(rng: Random) -> str:
    """One plain text; one in twenty is long, up to the end of the context."""
    if rng.random() < 1 / 20:
        return "\n\n".join(_paragraph(rng) for _ in range(rng.randint(6, 16)))
    makers = (_paragraph, _class_list, _dictionary, _swedish_text, lambda r: any_scene(r).text)
    return rng.choices(makers, (0.3, 0.35, 0.2, 0.1, 0.05))[0](rng)
