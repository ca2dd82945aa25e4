"""English and Swedish: words, phrases and sentences of one small grammar.

Covered: en and ett words, the definite suffix, adjectives that agree, present and past, negation,
questions, a place at the end, and frames: words around a noun phrase that are drawn for the episode
and known from its examples alone. NOT covered, and kept for the bundled sample ``phrasebook``: a
time in front of the verb (Swedish then puts the verb second), and its polite phrases.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from ..form import Form, Item
from ..world import ADJECTIVES, FIRST_NAMES, NOUNS, PLACE_SV, VERBS, Noun, Verb, article

_TRANSLATED = [noun for noun in NOUNS.values() if noun.swedish]
_WHO = [noun for noun in _TRANSLATED if noun.kind in ("job", "animal")]
_WHAT = [noun for noun in _TRANSLATED if noun.kind not in ("job",)]
_VERBS = [verb for verb in VERBS.values() if verb.present_sv]


def noun_phrase(rng: Random, nouns: list[Noun]) -> tuple[str, str]:
    """A noun phrase in English and Swedish: definite or not, with or without an adjective."""
    noun = rng.choice(nouns)
    definite, described = rng.random() < 0.5, rng.random() < 0.45
    if not described:
        if definite:
            return f"the {noun.word}", noun.swedish_definite
        return article(noun.word), f"{'ett' if noun.neuter else 'en'} {noun.swedish}"
    adjective = ADJECTIVES[rng.choice(list(ADJECTIVES))]
    if definite:
        return (
            f"the {adjective.word} {noun.word}",
            f"{'det' if noun.neuter else 'den'} {adjective.definite} {noun.swedish_definite}",
        )
    form = adjective.neuter if noun.neuter else adjective.common
    return (
        article(f"{adjective.word} {noun.word}"),
        f"{'ett' if noun.neuter else 'en'} {form} {noun.swedish}",
    )


def sentence(rng: Random) -> tuple[str, str]:
    """A sentence in English and Swedish."""
    if rng.random() < 0.4:
        name = rng.choice(FIRST_NAMES)
        who_en, who_sv = name, name
    else:
        who_en, who_sv = noun_phrase(rng, _WHO)
    what_en, what_sv = noun_phrase(rng, _WHAT)
    place_en, place_sv = rng.choice(list(PLACE_SV.items()))
    tail_en, tail_sv = ("", "") if rng.random() < 0.6 else (f" {place_en}", f" {place_sv}")
    english, swedish = _clause(rng, rng.choice(_VERBS), (who_en, who_sv), (what_en, what_sv))
    mark = english[-1]
    english, swedish = english[:-1] + tail_en + mark, swedish[:-1] + tail_sv + mark
    return english[0].upper() + english[1:], swedish[0].upper() + swedish[1:]


def _clause(
    rng: Random, verb: Verb, who: tuple[str, str], what: tuple[str, str]
) -> tuple[str, str]:
    (who_en, who_sv), (what_en, what_sv) = who, what
    kind = rng.random()
    if kind < 0.4:
        return f"{who_en} {verb.third} {what_en}.", f"{who_sv} {verb.present_sv} {what_sv}."
    if kind < 0.7:
        return f"{who_en} {verb.past} {what_en}.", f"{who_sv} {verb.past_sv} {what_sv}."
    if kind < 0.85:
        english = f"{who_en} does not {verb.base} {what_en}."
        return english, f"{who_sv} {verb.present_sv} inte {what_sv}."
    return f"does {who_en} {verb.base} {what_en}?", f"{verb.present_sv} {who_sv} {what_sv}?"


def _word(rng: Random) -> tuple[str, str]:
    kind = rng.random()
    if kind < 0.6:
        noun = rng.choice(_TRANSLATED)
        return noun.word, noun.swedish or ""
    if kind < 0.8:
        adjective = ADJECTIVES[rng.choice(list(ADJECTIVES))]
        return adjective.word, adjective.common
    verb = rng.choice(_VERBS)
    return verb.third, verb.present_sv or ""


_FRAME_EN = """here there again now once me us them we they it this that near for with without by
only still some where which may shall must look show need get bring take keep see think""".split()
_FRAME_SV = """här där igen nu en gång mig oss dem vi de det detta nära för med utan bara än några
vilken må skola måste titta visa få ge håll se tro ni du er på av till om så""".split()


def _chunk(rng: Random, words: list[str], most: int) -> str:
    return " ".join(rng.sample(words, rng.randint(0, most)))


def frame(rng: Random) -> Callable[[Random], tuple[str, str]]:
    """A frame drawn afresh: fixed words before and after one or two noun phrases, in two languages.

    What the words mean is of no matter: the examples tell what stands for them.
    """
    two, swapped, mark = rng.random() < 0.35, rng.random() < 0.3, rng.choice(["", ".", "?", "!"])
    english = [_chunk(rng, _FRAME_EN, 3), _chunk(rng, _FRAME_EN, 2), _chunk(rng, _FRAME_EN, 2)]
    swedish = [_chunk(rng, _FRAME_SV, 3), _chunk(rng, _FRAME_SV, 2), _chunk(rng, _FRAME_SV, 2)]
    comma = rng.random() < 0.3
    named = rng.random() < 0.3

    def filled(chunks: list[str], first: str, second: str) -> str:
        tail = f", {chunks[2]}" if comma and chunks[2] else f" {chunks[2]}"
        text = f"{chunks[0]} {first} {chunks[1]} {second}" if two else f"{chunks[0]} {first}"
        text = " ".join((text + tail).split()) + mark
        return text[0].upper() + text[1:] if mark else text

    def pair(item_rng: Random) -> tuple[str, str]:
        first = noun_phrase(item_rng, _TRANSLATED)
        second = noun_phrase(item_rng, _TRANSLATED)
        if named:
            second = (name := item_rng.choice(FIRST_NAMES), name)
        turned = (second[1], first[1]) if two and swapped else (first[1], second[1])
        return filled(english, first[0], second[0]), filled(swedish, *turned)

    return pair


_LEVELS = {
    "word": _word,
    "phrase": lambda rng: noun_phrase(rng, _TRANSLATED),
    "sentence": sentence,
}
_TO_SWEDISH = ("Translate to Swedish.", "Translate into Swedish.", "Say it in Swedish.")
_TO_ENGLISH = ("Translate to English.", "Translate into English.", "Say it in English.")


def draw(rng: Random) -> Form:
    """A translation task: a third in a frame of the episode, three quarters into Swedish."""
    into_swedish = rng.random() < 0.75
    framed = rng.random() < 0.35
    level = "frame" if framed else rng.choices(list(_LEVELS), (0.2, 0.3, 0.5))[0]
    pairs = [frame(rng) for _ in range(rng.choice((1, 1, 2, 3)))] if framed else [_LEVELS[level]]

    def make(item_rng: Random) -> Item:
        english, swedish = item_rng.choice(pairs)(item_rng)
        return Item(english, swedish) if into_swedish else Item(swedish, english)

    direction = "to-swedish" if into_swedish else "to-english"
    instructions = _TO_SWEDISH if into_swedish else _TO_ENGLISH
    return Form(
        f"swedish/{direction}-{level}", instructions, make, demonstrations=1 if framed else 0
    )
