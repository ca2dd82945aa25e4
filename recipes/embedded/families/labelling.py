"""Labelling: which of the given label words belongs to the input.

Two kinds. Natural: the label words name the classes, and the instruction lists them. Drawn: the
label words are drawn afresh for the episode and mean nothing by themselves, so that only
demonstrations can tell (the row learns to bind). Drawn ones repeat items often: an exact repeat is
the easier half of binding, and a new word of a shown class the other.
"""

from __future__ import annotations

from random import Random

from ..form import Form, Item
from ..world import (
    ADJECTIVES,
    DAYS,
    FIRST_NAMES,
    HELD_OUT_KINDS,
    KINDS,
    NOUNS,
    OPPOSITES,
    PLACES,
    TOWNS,
    WARES,
    article,
)
from . import topics

_CLASSES = {
    **{kind: words for kind, words in KINDS.items() if kind not in HELD_OUT_KINDS},
    "person": FIRST_NAMES,
    "town": TOWNS,
    "quality": list(ADJECTIVES),
}
_SYLLABLES = "ba do fi gu ka le mo ni po ru sa te vu wi zo".split()
_LABEL_POOL = [*NOUNS, *ADJECTIVES, *OPPOSITES.values(), *"ABCDEFGHXYZ", "yes", "no", "one", "two"]
_LABEL_POOL += ["plus", "minus", "true", "false", "left", "right", "high", "low", "up", "down"]

_GOOD = "good lovely great excellent wonderful useful pretty fine".split()
_BAD = "bad awful terrible useless ugly poor boring dreadful".split()
_GOOD_END = ["I am happy with it.", "I would buy it again.", "We all like it.", "Thank you!"]
_BAD_END = ["I want my money back.", "Never again.", "We do not like it.", "What a pity."]


def _review(rng: Random, positive: bool) -> str:
    thing, word = rng.choice(WARES), rng.choice(_GOOD if positive else _BAD)
    text = rng.choice(
        [f"The {thing} is {word}.", f"What {article(word)} {thing}!", f"I find the {thing} {word}."]
    )
    if rng.random() < 0.5:
        text += " " + rng.choice(_GOOD_END if positive else _BAD_END)
    return text


def _word_text(rng: Random, kind: str, carrier: int) -> str:
    word = rng.choice((_CLASSES | KINDS)[kind])
    if carrier == 0:
        return word
    thing = word if word[0].isupper() or word in ADJECTIVES else f"the {word}"
    return (f"{rng.choice(FIRST_NAMES)} thinks of {thing}.", f"I see {thing}.")[carrier - 1]


def fresh_label(rng: Random) -> str:
    """A label word that means nothing here: a word of the world, or a made-up one."""
    if rng.random() < 0.8:
        return rng.choice(_LABEL_POOL)
    return "".join(rng.choice(_SYLLABLES) for _ in range(2))


def _fresh_labels(rng: Random, count: int) -> list[str]:
    labels: list[str] = []
    while len(labels) < count:
        label = fresh_label(rng)
        if label not in labels:
            labels.append(label)
    return labels


def binding(rng: Random, kinds: list[str]) -> Form:
    """Classes of words under label words that are drawn afresh."""
    labels = _fresh_labels(rng, len(kinds))
    carrier = rng.choice([0, 0, 0, 1, 2])
    pairs = list(zip(kinds, labels, strict=True))

    def make(item_rng: Random) -> Item:
        kind, label = item_rng.choice(pairs)
        return Item(_word_text(item_rng, kind, carrier), label)

    shown = tuple(sorted(labels)) if rng.random() < 0.5 else ()
    return Form("labelling/drawn", _ANY, make, shown, repeats=0.4, demonstrations=2)


def _natural_words(rng: Random) -> Form:
    kinds = rng.sample(sorted(_CLASSES), rng.randint(2, 4))

    def make(item_rng: Random) -> Item:
        kind = item_rng.choice(kinds)
        return Item(_word_text(item_rng, kind, 0), kind)

    return Form("labelling/kind", _KIND, make, tuple(kinds))


def _sentiment(rng: Random) -> Form:
    positive, negative = rng.choice(
        [("good", "bad"), ("positive", "negative"), ("happy", "unhappy"), ("praise", "complaint")]
    )
    labels = [positive, negative]
    rng.shuffle(labels)

    def make(item_rng: Random) -> Item:
        good = item_rng.random() < 0.5
        return Item(_review(item_rng, good), positive if good else negative)

    return Form("labelling/sentiment", _SENTIMENT, make, tuple(labels))


def _topics(rng: Random, drawn: bool) -> Form:
    about = rng.sample(sorted(topics.TOPICS), rng.randint(2, 4))
    labels = _fresh_labels(rng, len(about)) if drawn else about
    pairs = list(zip(about, labels, strict=True))

    def make(item_rng: Random) -> Item:
        topic, label = item_rng.choice(pairs)
        return Item(topics.sentence(item_rng, topic), label)

    if drawn:
        shown = tuple(sorted(labels)) if rng.random() < 0.7 else ()
        return Form("labelling/drawn-topics", _ANY, make, shown, repeats=0.2, demonstrations=2)
    return Form("labelling/topic", _TOPIC, make, tuple(about))


_GREETINGS = ("", "", "Hi! ", "To whom it may concern: ", "My dear {a}! ", "A word from {a}: ")
_ENDS = ("", "", " Best wishes!", " Greetings from {t}.", " {a} says so too.", " Until {d}, {a}.")


def draw_letters(rng: Random) -> Form:
    """Short letters on a topic, with greetings that tell nothing, under drawn label words."""
    about = rng.sample(sorted(topics.TOPICS), rng.randint(2, 4))
    labels = _fresh_labels(rng, len(about))
    pairs = list(zip(about, labels, strict=True))

    def make(item_rng: Random) -> Item:
        topic, label = item_rng.choice(pairs)
        text = " ".join(topics.sentence(item_rng, topic) for _ in range(item_rng.choice((1, 1, 2))))
        words = {
            "a": item_rng.choice(FIRST_NAMES),
            "t": item_rng.choice(TOWNS),
            "d": item_rng.choice(DAYS),
        }
        greeting, end = item_rng.choice(_GREETINGS), item_rng.choice(_ENDS)
        return Item(greeting.format(**words) + text + end.format(**words), label)

    shown = tuple(sorted(labels)) if rng.random() < 0.8 else ()
    return Form("labelling/drawn-letters", _ANY, make, shown, repeats=0.15, demonstrations=2)


_ABOUT = (
    "{a} dreamt of the {w}.", "Did you see the {w} in the {p}?", "We talked of the {w} on {d}.",
    "{a} told {b} a story of the {w}.", "It is all about the {w}.", "In {t} there was {aw}.",
    "The {w} of {b} is here now.", "Where has {a} put the {w}?", "{b} came to {t} for the {w}.",
    "Nobody in {t} knows the {w}.", "On {d} {b} showed me the {w}.", "{a} would rather have {aw}.",
    "Give my love to the {w}!", "The {w} again, {a}!", "How I wish for {aw}!", "What {aw}!",
    "{a} drew {aw} on the wall of the {p}.", "Everybody looked at the {w}, {b} too.",
)  # fmt: skip


def draw_messages(rng: Random) -> Form:
    """Messages in which one word tells the class, among names, towns and days that tell nothing."""
    about = rng.sample([kind for kind in KINDS if kind not in HELD_OUT_KINDS], rng.randint(2, 4))
    pairs = list(zip(about, _fresh_labels(rng, len(about)), strict=True))
    carriers = rng.sample(_ABOUT, rng.choice((1, 3, len(_ABOUT))))
    plain = rng.random() < 0.4

    def make(item_rng: Random) -> Item:
        kind, label = item_rng.choice(pairs)
        word, (a, b) = item_rng.choice(KINDS[kind]), item_rng.sample(FIRST_NAMES, 2)
        greeting, end = ("", "") if plain else (item_rng.choice(_GREETINGS), item_rng.choice(_ENDS))
        text = (greeting + item_rng.choice(carriers) + end).format(
            w=word,
            aw=article(word),
            a=a,
            b=b,
            p=item_rng.choice(PLACES),
            t=item_rng.choice(TOWNS),
            d=item_rng.choice(DAYS),
        )
        return Item(text, label)

    shown = tuple(sorted(label for _, label in pairs)) if rng.random() < 0.8 else ()
    return Form("labelling/drawn-messages", _ANY, make, shown, repeats=0.15, demonstrations=2)


_ANY = (
    "Which label fits?",
    "Label the input.",
    "Choose the right label.",
    "Where does it belong?",
    "Sort the input.",
    "Which one is it?",
)
_KIND = ("What kind of word is it?", "To which class does the word belong?")
_SENTIMENT = (
    "Does the writer like it or not?",
    "What is the feeling of the text?",
    "Is this praise or blame?",
)
_TOPIC = ("What is the text about?", "Choose the topic of the sentence.", "Name the topic.")


def draw(rng: Random) -> Form:
    """A labelling task: two thirds of them with label words drawn afresh."""
    kind = rng.random()
    if kind < 0.38:
        return binding(rng, rng.sample(sorted(_CLASSES), rng.choice([2, 2, 3, 3, 4])))
    if kind < 0.68:
        return _topics(rng, drawn=True)
    if kind < 0.78:
        return _natural_words(rng)
    return _sentiment(rng) if kind < 0.89 else _topics(rng, drawn=False)
