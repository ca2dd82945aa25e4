"""Rewriting: plural, past tense, upper case, n-th word, order, and other small operations.

The instruction names the operation; without one, demonstrations must tell it. Many operations share
the same kind of input (a list of words), so the input alone never gives the operation away.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from ..form import Form, Item
from ..world import ADJECTIVES, FIRST_NAMES, NOUNS, OPPOSITES, VERBS, article

_ORDINALS = ("first", "second", "third", "fourth")
_CHARACTERS = [chr(number) for number in range(33, 127)] + list("åäöÅÄÖ")
_EVERY_WORD = [*NOUNS, *ADJECTIVES, *FIRST_NAMES, *VERBS]


def _words(rng: Random, low: int = 3, high: int = 5) -> list[str]:
    return rng.sample(_EVERY_WORD, rng.randint(low, high))


def _list_operations() -> dict[str, tuple[tuple[str, ...], Callable[[list[str]], str]]]:
    """Operations on a list of words: name, instructions, what is done."""
    operations: dict[str, tuple[tuple[str, ...], Callable[[list[str]], str]]] = {
        "last": (("Write the last word.", "Give the last word of the list."), lambda w: w[-1]),
        "reverse": (
            ("Write the words in reverse order.", "Reverse the list.", "Turn the list around."),
            lambda w: " ".join(reversed(w)),
        ),
        "drop-first": (
            ("Leave out the first word.", "Write all words but the first."),
            lambda w: " ".join(w[1:]),
        ),
        "drop-last": (
            ("Leave out the last word.", "Write all words but the last."),
            lambda w: " ".join(w[:-1]),
        ),
        "swap-ends": (
            ("Swap the first and the last word.", "Let the first and last word change places."),
            lambda w: " ".join([w[-1], *w[1:-1], w[0]]),
        ),
        "copy": (("Copy the words.", "Repeat the input."), lambda w: " ".join(w)),
        "commas": (
            ("Put commas between the words.", "Separate the words by commas."),
            lambda w: ", ".join(w),
        ),
        "dashes": (
            ("Put dashes between the words.", "Join the words by dashes."),
            lambda w: " - ".join(w),
        ),
        "and": (
            ("Put the word and between the words.", "Join the words by and."),
            lambda w: " and ".join(w),
        ),
        "count": (
            ("Count the words.", "How many words are there?"),
            lambda w: str(len(w)),
        ),
        "twice": (
            ("Write the first word twice.", "Repeat the first word two times."),
            lambda w: f"{w[0]} {w[0]}",
        ),
        "ends": (
            ("Write the first and the last word.", "Keep only the first and last word."),
            lambda w: f"{w[0]} {w[-1]}",
        ),
    }
    for index, ordinal in enumerate(_ORDINALS):
        operations[f"word-{index + 1}"] = (
            (f"Write the {ordinal} word.", f"Give the {ordinal} word of the list."),
            lambda w, i=index: w[i],
        )
    return operations


LIST_OPERATIONS = _list_operations()


def _draw_list(rng: Random) -> Form:
    name = rng.choice(list(LIST_OPERATIONS))
    instructions, operation = LIST_OPERATIONS[name]
    least = 4 if name == "word-4" else 3
    separator = rng.choice([" ", " ", ", "]) if not name.startswith(("commas", "copy")) else " "

    def make(item_rng: Random) -> Item:
        words = _words(item_rng, least, 6 if name == "count" else 5)
        return Item(separator.join(words), operation(words))

    return Form(f"rewriting/{name}", instructions, make)


def _plural(rng: Random) -> Item:
    word = rng.choice(list(NOUNS))
    if rng.random() < 0.5:
        return Item(word, NOUNS[word].plural)
    adjective = rng.choice(list(ADJECTIVES))
    return Item(f"{adjective} {word}", f"{adjective} {NOUNS[word].plural}")


def _past(rng: Random) -> Item:
    verb, thing = VERBS[rng.choice(list(VERBS))], article(rng.choice(list(NOUNS)))
    who = rng.choice(FIRST_NAMES)
    if rng.random() < 0.3:
        return Item(verb.base, verb.past)
    return Item(f"{who} {verb.third} {thing}.", f"{who} {verb.past} {thing}.")


def _opposite(rng: Random) -> Item:
    first, second = rng.choice(list(OPPOSITES.items()))
    return Item(*rng.choice([(first, second), (second, first)]))


def _some_words(rng: Random) -> str:
    return " ".join(_words(rng, 1, 3))


def _upper(rng: Random) -> Item:
    text = _some_words(rng)
    return Item(text, text.upper())


def _capital(rng: Random) -> Item:
    text = " ".join(rng.sample([*NOUNS, *ADJECTIVES], rng.randint(1, 3)))
    return Item(text, text.title())


def _first_letter(rng: Random) -> Item:
    word = rng.choice(_EVERY_WORD)
    return Item(word, word[0])


def _spell(rng: Random) -> Item:
    word = rng.choice([w for w in _EVERY_WORD if len(w) < 7])
    return Item(word, " ".join(word))


def _with_article(rng: Random) -> Item:
    word = rng.choice(list(NOUNS))
    return Item(word, article(word))


def _negate(rng: Random) -> Item:
    verb, thing = VERBS[rng.choice(list(VERBS))], article(rng.choice(list(NOUNS)))
    who = rng.choice(FIRST_NAMES)
    return Item(f"{who} {verb.third} {thing}.", f"{who} does not {verb.base} {thing}.")


def _question(rng: Random) -> Item:
    verb, thing = VERBS[rng.choice(list(VERBS))], article(rng.choice(list(NOUNS)))
    who = rng.choice(FIRST_NAMES)
    return Item(f"{who} {verb.third} {thing}.", f"Does {who} {verb.base} {thing}?")


def _code(rng: Random) -> Item:
    """Marks, letters and digits of no meaning: every character is an output somewhere."""
    code = "".join(rng.choice(_CHARACTERS) for _ in range(rng.randint(2, 8)))
    if rng.random() < 0.4:
        code += " " + str(rng.randint(0, 9999))
    return Item(code, code)


def _kind(rng: Random) -> Item:
    word = rng.choice(list(NOUNS))
    return Item(word, NOUNS[word].kind)


WORD_OPERATIONS: dict[str, tuple[tuple[str, ...], Callable[[Random], Item]]] = {
    "plural": (("Write the plural.", "Say it for more than one.", "Make it plural."), _plural),
    "past": (("Write it in the past tense.", "Say it as if it was yesterday."), _past),
    "opposite": (("Write the opposite.", "Which word means the opposite?"), _opposite),
    "upper": (("Write it in upper case.", "Use capital letters only."), _upper),
    "capital": (("Begin each word with a capital letter.", "Capitalize each word."), _capital),
    "first-letter": (
        ("Write the first letter.", "Which letter does it begin with?"),
        _first_letter,
    ),
    "spell": (("Spell the word.", "Write the letters one by one."), _spell),
    "article": (("Put a or an before the word.", "Write it with its article."), _with_article),
    "negate": (("Write the negative sentence.", "Say that it does not happen."), _negate),
    "question": (("Make it a question.", "Ask whether it is so."), _question),
    "code": (("Copy the code.", "Copy the input exactly.", "Repeat the input."), _code),
    "kind": (("What kind of thing is it?", "Write the class of the word."), _kind),
}


def _draw_word(rng: Random) -> Form:
    name = rng.choice(list(WORD_OPERATIONS))
    instructions, make = WORD_OPERATIONS[name]
    return Form(f"rewriting/{name}", instructions, make)


def draw(rng: Random) -> Form:
    """A rewriting task: half on lists of words, half on single words and sentences."""
    return (_draw_list if rng.random() < 0.5 else _draw_word)(rng)
