"""Questions over a given text: the answer is copied from it, or is "not in the text".

The text stands in the input (a passage, a dialogue) or as numbered notes in the evidence section of
an example; an answer may have to name its note ("34 euros [2]"). Some facts are on properties with
drawn names, so that any word can be asked for. What the notes of the bundled sample
``shop-questions`` tell (weights, materials, makers, guarantees) is told nowhere here.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import NamedTuple

from ..form import Form, Item
from ..world import (
    ACTIVITIES,
    ADJECTIVES,
    DAYS,
    FIRST_NAMES,
    KINDS,
    LAST_NAMES,
    NOUNS,
    PLACES,
    TOWNS,
    WARES,
    WORDS,
    article,
    clock_time,
    price,
)
from .dialogues import any_scene
from .labelling import fresh_label

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


def _place_fact(rng: Random, kind: int, place: str, town: str) -> Fact:
    """One fact on a place of a town."""
    if kind == 0:
        time = clock_time(rng)
        text = rng.choice(
            [f"The {place} of {town} opens at {time}.", f"One can enter the {place} of {town} "
             f"from {time} on."]
        )  # fmt: skip
        return Fact(text, f"When does the {place} of {town} open?", time)
    if kind == 1:
        day = rng.choice(DAYS)
        text = f"The {place} of {town} is closed on {day}."
        return Fact(text, f"On which day is the {place} of {town} closed?", day)
    if kind == 2:
        people = str(rng.randint(3, 400))
        text = f"The {place} of {town} has room for {people} people."
        return Fact(text, f"For how many people has the {place} of {town} room?", people)
    if kind == 3:
        who = f"{rng.choice(FIRST_NAMES)} {rng.choice(LAST_NAMES)}"
        text = rng.choice([f"{who} looks after the {place} of {town}.",
                           f"The {place} of {town} is looked after by {who}."])  # fmt: skip
        return Fact(text, f"Who looks after the {place} of {town}?", who)
    cost = price(rng)
    text = f"To get into the {place} of {town} one pays {cost}."
    return Fact(text, f"What does one pay to get into the {place} of {town}?", cost)


def _drawn_value(rng: Random) -> str:
    kind = rng.random()
    if kind < 0.3:
        return rng.choice([*NOUNS, *ADJECTIVES])
    if kind < 0.5:
        return f"{rng.randint(2, 90)} {NOUNS[rng.choice(list(NOUNS))].plural}"
    if kind < 0.65:
        return f"{rng.choice('ABCDEFGH')}{rng.randint(1, 40)}"
    if kind < 0.8:
        return rng.choice([*TOWNS, *FIRST_NAMES, *LAST_NAMES])
    return " ".join(fresh_label(rng) for _ in range(2))


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _drawn_fact(rng: Random, who: str) -> Fact:
    """A property with a drawn name: only the words tell what is asked."""
    name, value = fresh_label(rng), _drawn_value(rng)
    text = rng.choice(
        [f"The {name} of {who} is {value}.", f"{_capital(who)} has the {name} {value}.",
         f"Its {name} is {value}.", f"{_capital(name)}: {value}."]
    )  # fmt: skip
    asked = [f"What is the {name} of {who}?", f"Which {name} has {who}?", f"Tell me the {name} of "
             f"{who}.", f"What {name} does {who} have?"]  # fmt: skip
    return Fact(text, rng.choice(asked), value)


def facts(rng: Random, count: int) -> list[Fact]:
    """Different facts, so that no two have the same question."""
    people, things = rng.sample(FIRST_NAMES, 3), rng.sample(WARES, 3)
    slots = [("who", kind, who) for kind in range(7) for who in people]
    slots += [("thing", kind, thing) for kind in range(5) for thing in things]
    place, town = rng.choice(PLACES), rng.choice(TOWNS)
    slots += [("place", kind, place) for kind in range(5)]
    chosen = rng.sample(slots, count)
    makers = {"who": _fact, "thing": _shop_fact}
    return [
        _place_fact(rng, kind, name, town) if which == "place" else makers[which](rng, kind, name)
        for which, kind, name in chosen
    ]


def note(rng: Random, count: int) -> list[Fact]:
    """A note on one thing or person: properties with drawn names, all of the same owner."""
    thing = rng.choice(WARES)
    owner = rng.choice([f"the {thing}", f"the {rng.choice(list(ADJECTIVES))} {thing}",
                        rng.choice(FIRST_NAMES)])  # fmt: skip
    out: list[Fact] = []
    while len(out) < count:
        fact = _drawn_fact(rng, owner)
        if all(fact.question != other.question for other in out):
            out.append(fact)
    first = out[0]
    out[0] = first._replace(sentence=f"{_capital(owner)}. {first.sentence}")
    return out


def _ask(rng: Random, drawn: list[Fact], absent: float) -> tuple[list[Fact], str, str]:
    """Facts to show, a question and its answer; with the share ``absent`` it is not told."""
    asked = rng.choice(drawn)
    if rng.random() < absent and len(drawn) > 2:
        return [fact for fact in drawn if fact is not asked], asked.question, ABSENT
    return drawn, asked.question, asked.answer


def passage(rng: Random) -> Item:
    drawn = (facts if rng.random() < 0.5 else note)(rng, rng.randint(3, 6))
    shown, question, answer = _ask(rng, drawn, 0.15)
    if shown[0].sentence.count(". ") == 0:
        rng.shuffle(shown)
    text = " ".join(fact.sentence for fact in shown)
    return Item(f"{text}\nQuestion: {question}", answer)


def _notes(rng: Random) -> tuple[list[str], str, str, int]:
    """Notes of one or more sentences, a question, its answer, the number of its note (0: none)."""
    if rng.random() < 0.5:
        shown, question, answer = _ask(rng, facts(rng, rng.randint(2, 5)), 0.15)
        texts = [fact.sentence for fact in shown]
    else:
        every = [note(rng, rng.randint(2, 4)) for _ in range(rng.randint(1, 3))]
        asked = rng.choice(rng.choice(every))
        question, answer = asked.question, asked.answer
        texts = [" ".join(fact.sentence for fact in group) for group in every]
        if rng.random() < 0.15 and len(every) > 1:
            texts = [text for text, group in zip(texts, every, strict=True) if asked not in group]
            answer = ABSENT
        shown = [asked]
    source = next((fact.sentence for fact in shown if fact.answer == answer), None)
    rng.shuffle(texts)
    place = next((i for i, text in enumerate(texts, 1) if source and source in text), 0)
    return texts, question, answer, place if answer != ABSENT else 0


def _with_evidence(rng: Random) -> Item:
    texts, question, answer, _ = _notes(rng)
    return Item(question, answer, tuple(texts))


def _with_source(rng: Random) -> Item:
    texts, question, answer, place = _notes(rng)
    return Item(question, f"{answer} [{place}]" if place else answer, tuple(texts))


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
_SOURCE = (
    "Answer the question from the evidence and name its number.",
    "Answer, and give the number of the note in brackets.",
)
_DIALOGUE = (
    "Answer the question on the dialogue.",
    "Read the dialogue and answer the question.",
    "Answer the question.",
)


def draw(rng: Random) -> Form:
    """Questions over a passage, over numbered notes, or over a dialogue."""
    kind = rng.random()
    if kind < 0.45:
        return Form("questions/passage", _PASSAGE, passage)
    if kind < 0.7:
        return Form("questions/evidence", _EVIDENCE, _with_evidence)
    if kind < 0.82:
        return Form("questions/source", _SOURCE, _with_source, demonstrations=0)
    return Form("questions/dialogue", _DIALOGUE, _on_dialogue)


_BEGINNINGS = """b bl br c ch d dr f fl fr g gl gr h j k kl l m n p pl pr qu r s sh sk sp st
t tr v w""".split()
_MIDDLES = "a e i o u ai ea ee oo ou y".split()
_CLOSINGS = " b ck d ff g l ll m n nd ng nt p r rd rk s sh ss st t th x z".split(" ")


def strange_word(rng: Random) -> str:
    """A word that nobody knows, of one to three syllables."""
    return "".join(
        rng.choice(_BEGINNINGS) + rng.choice(_MIDDLES) + rng.choice(_CLOSINGS)
        for _ in range(rng.choice((1, 2, 2, 3)))
    )


def _strange_value(rng: Random) -> str:
    kind = rng.random()
    if kind < 0.45:
        return f"{rng.randint(2, 99)} {strange_word(rng)}s"
    if kind < 0.6:
        return strange_word(rng)
    if kind < 0.7:
        return strange_word(rng).capitalize()
    if kind < 0.8:
        return f"{rng.choice(FIRST_NAMES)} {strange_word(rng).capitalize()}"
    return _drawn_value(rng)


def _strange_fact(rng: Random, thing: str) -> Fact:
    """A fact in strange words: what is asked can be told by the words alone."""
    word, value = strange_word(rng), _strange_value(rng)
    told, asked = rng.choice(
        (
            (f"It {word}s {value}.", f"What does the {thing} {word}?"),
            (f"It is {word}ed by {value}.", f"By what is the {thing} {word}ed?"),
            (f"Its {word} is {value}.", f"Which {word} has the {thing}?"),
            (f"The {word} takes {value}.", f"What takes the {word} of the {thing}?"),
            (f"One can {word} it at {value}.", f"Where can one {word} the {thing}?"),
            (f"{_capital(value)} {word}s it.", f"Who {word}s the {thing}?"),
            (f"The {word} of it is {value}.", f"How much is the {word} of the {thing}?"),
            (f"We {word} it for {value}.", f"For what do you {word} the {thing}?"),
        )
    )
    return Fact(told, asked, _capital(value) if told.startswith(_capital(value)) else value)


def draw_strange(rng: Random) -> Form:
    """Questions over a note in strange words, in the input or as evidence."""
    as_evidence = rng.random() < 0.4

    def make(item_rng: Random) -> Item:
        thing = f"{item_rng.choice(list(ADJECTIVES))} {item_rng.choice(WARES)}"
        drawn = [_strange_fact(item_rng, thing) for _ in range(item_rng.randint(2, 6))]
        asked = item_rng.choice(drawn)
        text = f"The {thing}. " + " ".join(fact.sentence for fact in drawn)
        if as_evidence:
            return Item(asked.question, asked.answer, (text,))
        return Item(f"{text}\nQuestion: {asked.question}", asked.answer)

    return Form("questions/strange", _EVIDENCE if as_evidence else _PASSAGE, make)


def _marked_value(rng: Random) -> Callable[[Random], str]:
    """How the values of one property are drawn: what they have in common can be told from one."""
    unit = NOUNS[rng.choice(list(NOUNS))].plural if rng.random() < 0.5 else f"{strange_word(rng)}s"
    letter, words = rng.choice("ABCDEFGHKLMPRST"), rng.sample([*NOUNS, *ADJECTIVES], 6)
    return rng.choice(
        (
            lambda r: f"{r.randint(2, 60)} {unit}",
            lambda r: f"{r.randint(2, 60)} {unit}",
            lambda r: f"{letter}{r.randint(1, 40)}",
            lambda r: r.choice(words),
            lambda r: r.choice(LAST_NAMES),
            lambda r: f"{r.choice(FIRST_NAMES)} {r.choice(LAST_NAMES)}",
            lambda r: r.choice(TOWNS),
        )
    )


#: {k} the property's word, {v} its value; a told sentence and the questions that fit it
_FRAMES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Its {k} is {v}", ("What is the {k} of the {x}?", "Which {k} has the {x}?")),
    ("The {k} is {v}", ("Which is the {k} of the {x}?", "What {k} does the {x} have?")),
    ("The {k} comes to {v}", ("How much is the {k} of the {x}?", "What {k} has the {x}?")),
    ("It has a {k} of {v}", ("How large is the {k} of the {x}?", "Which {k} has the {x}?")),
    ("For the {k} one needs {v}", ("What does one need for the {k} of the {x}?",)),
    ("The {k} goes on for {v}", ("How long does the {k} of the {x} go on?",)),
    ("The {k} begins with {v}", ("With what does the {k} of the {x} begin?",)),
    ("It {k}s {v}", ("What does the {x} {k}?", "How much does the {x} {k}?")),
    ("We {k}ed it with {v}", ("With what did you {k} the {x}?", "What is the {x} {k}ed with?")),
    ("It was {k}ed by {v}", ("Who {k}ed the {x}?", "By whom was the {x} {k}ed?")),
    ("{v} {k}s it", ("Who {k}s the {x}?", "By whom is the {x} {k}ed?")),
    ("{v} gave it the {k}", ("Who gave the {x} its {k}?", "From whom has the {x} its {k}?")),
    ("One can {k} it in {v}", ("Where can one {k} the {x}?", "In what can the {x} be {k}ed?")),
    ("It lies under {k} {v}", ("Under which {k} is the {x}?", "Which {k} does the {x} lie under?")),
    ("Look for it at the {k} {v}", ("At which {k} is the {x}?", "Which {k} has the {x}?")),
    ("There are {v} at the {k}", ("How many are at the {k} of the {x}?", "What is at the {k}?")),
    ("We {k} it for {v}", ("For how much do you {k} the {x}?", "How long do you {k} the {x}?")),
    ("{k}: {v}", ("What about the {k} of the {x}?", "The {k} of the {x}?")),
    ("{v} is its {k}", ("What is the {x}'s {k}?", "Tell me the {k} of the {x}.")),
    ("Since it is {k}, it costs {v}", ("What does the {k} {x} cost?",)),
    ("To {k} it takes {v}", ("How long does it take to {k} the {x}?", "What takes it to {k} it?")),
    ("After {v} it {k}s", ("After how long does the {x} {k}?", "When does the {x} {k}?")),
)


class _Property(NamedTuple):
    """A word for a property, how it is told and asked, and how its values are drawn."""

    word: str
    told: str
    asked: tuple[str, ...]
    value: Callable[[Random], str]


def _properties(rng: Random, count: int) -> list[_Property]:
    words: list[str] = []
    while len(words) < count:
        word = strange_word(rng) if rng.random() < 0.7 else rng.choice(list(NOUNS))
        if word not in words:
            words.append(word)
    return [_Property(word, *rng.choice(_FRAMES), _marked_value(rng)) for word in words]


def _thing(rng: Random) -> str:
    return f"{rng.choice(list(ADJECTIVES))} {rng.choice(WARES)}"


def draw_properties(rng: Random) -> Form:
    """Questions over a note on a thing; the notes of an episode tell the same properties, so that
    the right value stands among those of its like in the demonstrations."""
    drawn = _properties(rng, rng.randint(3, 9))
    as_evidence, fewest = rng.random() < 0.4, min(3, len(drawn))

    def make(item_rng: Random) -> Item:
        thing = _thing(item_rng)
        told = item_rng.sample(drawn, item_rng.randint(fewest, len(drawn)))
        values = [p.value(item_rng) for p in told]
        sentences = [
            _capital(p.told.format(k=p.word, v=value)) + "."
            for p, value in zip(told, values, strict=True)
        ]
        asked = item_rng.randrange(len(told))
        question = item_rng.choice(told[asked].asked).format(k=told[asked].word, x=thing)
        text = f"The {thing}. " + " ".join(sentences)
        if as_evidence:
            return Item(_capital(question), values[asked], (text,))
        return Item(f"{text}\nQuestion: {_capital(question)}", values[asked])

    return Form("questions/properties", _EVIDENCE if as_evidence else _PASSAGE, make)


_CLOSED = (
    "Answer the question.",
    "Answer the question on the thing.",
    "What do you think? Answer in a few words.",
    "Give an answer.",
)


def draw_guesses(rng: Random) -> Form:
    """Questions without a text: nothing tells the value, but demonstrations tell its form."""
    drawn = _properties(rng, rng.randint(1, 6))

    def make(item_rng: Random) -> Item:
        p = item_rng.choice(drawn)
        question = item_rng.choice(p.asked).format(k=p.word, x=_thing(item_rng))
        return Item(_capital(question), p.value(item_rng))

    return Form("questions/guesses", _CLOSED, make)


def _any_unit(rng: Random) -> str:
    """What is counted: any word in the plural, or any word at all, so that it has to be copied."""
    kind = rng.random()
    if kind < 0.3:
        return NOUNS[rng.choice(list(NOUNS))].plural
    if kind < 0.65:
        return f"{strange_word(rng)}s"
    return rng.choice(WORDS)


def _counted(unit: str) -> Callable[[Random], str]:
    return lambda rng: f"{rng.randint(2, 99)} {unit}"


class _Detail(NamedTuple):
    """What notes tell in one of two ways and ask in any way that fits either, and its values."""

    word: str
    tellings: tuple[str, str]
    asked: tuple[str, ...]
    value: Callable[[Random], str]


def _details(rng: Random, count: int) -> list[_Detail]:
    out: list[_Detail] = []
    for word in {strange_word(rng) if rng.random() < 0.6 else rng.choice(WORDS): 0
                 for _ in range(count)}:  # fmt: skip
        (one, some), (other, more) = rng.sample(_FRAMES, 2)
        value = _counted(_any_unit(rng)) if rng.random() < 0.6 else _marked_value(rng)
        out.append(_Detail(word, (one, other), (*some, *more), value))
    return out


def draw_details(rng: Random) -> Form:
    """Questions over a note of many details, each told in one of two ways; what is counted in a
    note may be any word."""
    drawn = _details(rng, rng.randint(3, 8))
    as_evidence, fewest = rng.random() < 0.3, max(1, len(drawn) - 2)

    def make(item_rng: Random) -> Item:
        thing = _thing(item_rng)
        told = item_rng.sample(drawn, item_rng.randint(fewest, len(drawn)))
        values = [detail.value(item_rng) for detail in told]
        sentences = [
            _capital(item_rng.choice(detail.tellings).format(k=detail.word, v=value)) + "."
            for detail, value in zip(told, values, strict=True)
        ]
        at = item_rng.randrange(len(told))
        question = _capital(item_rng.choice(told[at].asked).format(k=told[at].word, x=thing))
        text = f"The {thing}. " + " ".join(sentences)
        if as_evidence:
            return Item(question, values[at], (text,))
        return Item(f"{text}\nQuestion: {question}", values[at])

    return Form("questions/details", _EVIDENCE if as_evidence else _PASSAGE, make)


def draw_openings(rng: Random) -> Form:
    """The questions of `draw_details` without a note: answers look like those that are shown."""
    drawn = _details(rng, rng.randint(1, 5))

    def make(item_rng: Random) -> Item:
        detail = item_rng.choice(drawn)
        question = item_rng.choice(detail.asked).format(k=detail.word, x=_thing(item_rng))
        return Item(_capital(question), detail.value(item_rng))

    return Form("questions/openings", _CLOSED, make)
