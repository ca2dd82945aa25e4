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
_TOPICS: dict[str, tuple[str, ...]] = {
    "sport": ("{a} won the match on the field.", "{a} runs faster than {b}.",
              "The team of {a} lost the game.", "{a} trains for the race."),
    "food": ("{a} cooks {x} for {b}.", "The bakery sells fresh bread.", "{a} ate too much cake.",
             "The soup of {a} tastes of onion."),
    "travel": ("{a} took the train to {t}.", "The boat to {t} leaves at noon.",
               "{a} has packed a bag for {t}.", "{a} missed the bus to {t}."),
    "weather": ("It rains in {t}.", "The snow lies deep in {t}.", "A cold wind blows over {t}.",
                "The sun shines on the {p} in {t}."),
    "school": ("{a} wrote a test in class.", "The teacher of {a} reads a book.",
               "{a} and {b} do their homework.", "The class of {a} learns to count."),
    "money": ("{a} paid {b} five euros.", "The bank in {t} is closed.", "{a} saves for {x}.",
              "{b} owes {a} some coins."),
}  # fmt: skip


def _review(rng: Random, positive: bool) -> str:
    thing, word = rng.choice(WARES), rng.choice(_GOOD if positive else _BAD)
    text = rng.choice(
        [f"The {thing} is {word}.", f"What {article(word)} {thing}!", f"I find the {thing} {word}."]
    )
    if rng.random() < 0.5:
        text += " " + rng.choice(_GOOD_END if positive else _BAD_END)
    return text


def _topic_text(rng: Random, topic: str) -> str:
    a, b = rng.sample(FIRST_NAMES, 2)
    return rng.choice(_TOPICS[topic]).format(
        a=a, b=b, t=rng.choice(TOWNS), p=rng.choice(PLACES), x=article(rng.choice(KINDS["food"]))
    )


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
    topics = rng.sample(sorted(_TOPICS), rng.randint(2, 4))
    labels = _fresh_labels(rng, len(topics)) if drawn else topics
    pairs = list(zip(topics, labels, strict=True))

    def make(item_rng: Random) -> Item:
        topic, label = item_rng.choice(pairs)
        return Item(_topic_text(item_rng, topic), label)

    if drawn:
        return Form("labelling/drawn", _ANY, make, repeats=0.4, demonstrations=2)
    return Form("labelling/topic", _TOPIC, make, tuple(topics))


_ANY = ("Which label fits?", "Label the input.", "Choose the right label.")
_KIND = ("What kind of word is it?", "To which class does the word belong?")
_SENTIMENT = (
    "Does the writer like it or not?",
    "What is the feeling of the text?",
    "Is this praise or blame?",
)
_TOPIC = ("What is the text about?", "Choose the topic of the sentence.", "Name the topic.")


def draw(rng: Random) -> Form:
    """A labelling task: half of them with label words drawn afresh."""
    kind = rng.random()
    if kind < 0.42:
        return binding(rng, rng.sample(sorted(_CLASSES), rng.choice([2, 2, 3, 3, 4])))
    if kind < 0.55:
        return _topics(rng, drawn=True)
    if kind < 0.7:
        return _natural_words(rng)
    return _sentiment(rng) if kind < 0.85 else _topics(rng, drawn=False)
