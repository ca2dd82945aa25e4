"""English and Swedish: words, phrases and sentences of one small grammar.

Covered: en and ett words, the definite suffix, adjectives that agree, present and past, negation,
questions, a place at the end. NOT covered, and kept for later sample tasks: a time or place in
front of the verb (Swedish then puts the verb second), and plurals.
"""

from __future__ import annotations

from random import Random

from ..form import Form, Item
from ..world import ADJECTIVES, FIRST_NAMES, NOUNS, PLACE_SV, VERBS, Verb, article

_TRANSLATED = [noun for noun in NOUNS.values() if noun.swedish]
_WHO = [noun for noun in _TRANSLATED if noun.kind in ("job", "animal")]
_WHAT = [noun for noun in _TRANSLATED if noun.kind not in ("job",)]
_VERBS = [verb for verb in VERBS.values() if verb.present_sv]


def noun_phrase(rng: Random, nouns: list) -> tuple[str, str]:
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


_LEVELS = {
    "word": _word,
    "phrase": lambda rng: noun_phrase(rng, _TRANSLATED),
    "sentence": sentence,
}
_TO_SWEDISH = ("Translate to Swedish.", "Translate into Swedish.", "Say it in Swedish.")
_TO_ENGLISH = ("Translate to English.", "Translate into English.", "Say it in English.")


def draw(rng: Random) -> Form:
    """A translation task: three quarters into Swedish, half of them whole sentences."""
    level = rng.choices(list(_LEVELS), (0.2, 0.3, 0.5))[0]
    pair, into_swedish = _LEVELS[level], rng.random() < 0.75

    def make(item_rng: Random) -> Item:
        english, swedish = pair(item_rng)
        return Item(english, swedish) if into_swedish else Item(swedish, english)

    direction = "to-swedish" if into_swedish else "to-english"
    instructions = _TO_SWEDISH if into_swedish else _TO_ENGLISH
    return Form(f"swedish/{direction}-{level}", instructions, make)
