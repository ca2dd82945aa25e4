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
    full_name,
    two_names,
)
from .dialogues import any_scene
from .swedish import sentence

_COMPASS = ("north", "south", "east", "west")
_SCRAP_WORDS = [*NOUNS, *ADJECTIVES, *OPPOSITES.values(), *FIRST_NAMES, *TOWNS, *PLACES, *DAYS]
_SCRAP_WORDS += _COMPASS
_SCRAP_MARKS = [chr(number) for number in range(33, 127)]


def _paragraph(rng: Random) -> str:
    """Five to eight sentences on two people and one thing, which moves about."""
    a, b = two_names(rng)
    thing, town, day = rng.choice(WARES), rng.choice(TOWNS), rng.choice(DAYS)
    first, then = rng.sample(PLACES, 2)
    adjective = rng.choice(list(ADJECTIVES))
    other = rng.choice(KINDS["animal"])
    lines = [
        f"{a} lives in {town}{rng.choice(['', f', in the {rng.choice(_COMPASS)}'])}.",
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


def _scrap(rng: Random) -> str:
    """Something with no meaning here: words of any kind, a name, a number, a made-up code."""
    kind = rng.random()
    if kind < 0.6:
        return " ".join(rng.sample(_SCRAP_WORDS, rng.randint(1, 2)))
    if kind < 0.75:
        return full_name(rng)
    if kind < 0.87:
        return str(rng.randint(0, 9999))
    return "".join(rng.choice(_SCRAP_MARKS) for _ in range(rng.randint(2, 5)))


def echo(rng: Random) -> list[tuple[str, bool]]:
    """Scraps that come back: a run of them again, or each one looked up by the word before it.

    Runs of text, and whether they can be told from what stands before. Only looking back tells
    them, so these rows teach to copy, on which demonstrations, records and questions rest.
    """
    if rng.random() < 0.5:
        separator = rng.choice([" ", " ", ", ", "\n", "; "])
        run = separator.join(_scrap(rng) for _ in range(rng.randint(4, 12)))
        again = rng.choice(["\n", "\n\n"]) + run
        return [(run, False), (again * rng.randint(1, 3), True)]
    keys = rng.sample(_SCRAP_WORDS, rng.randint(2, 7))
    values = {key: _scrap(rng) for key in keys}
    link, end = rng.choice([":", " =", " is", " ->", ""]), rng.choice(["\n", "; ", ". "])
    parts = [(end.join(f"{key}{link} {values[key]}" for key in keys), False)]
    for key in [*rng.sample(keys, len(keys)), *rng.sample(keys, len(keys))]:
        parts += [(f"{end}{key}{link}", False), (f" {values[key]}", True)]
    return parts
