"""Short dialogues and what they come to, in plain English sentences.

Topics: meeting, borrowing, buying, complaining, losing and finding. Some change their mind on
the way (a first day is refused, a first wish is corrected); the summary holds the last word.
A summary here is always a plain sentence: the house style of the bundled sample (``samples.py``)
occurs nowhere, and no dialogue here speaks of an order number or a call back, as the sample's do.
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
    FAULTS,
    PLACES,
    WARES,
    article,
    clock_time,
    full_name,
    price,
    two_names,
)


class Scene(NamedTuple):
    """A dialogue, its summary, a short one, and questions with answers."""

    text: str
    summary: str
    short: str
    questions: tuple[tuple[str, str], ...]


def _join(*lines: str) -> str:
    return "\n".join(line for line in lines if line)


def meeting(rng: Random) -> Scene:
    """Two people agree when and where to meet."""
    a, b = two_names(rng)
    activity, place = rng.choice(ACTIVITIES), rng.choice(PLACES)
    first, day = rng.sample(DAYS, 2)
    time = clock_time(rng)
    changed = rng.random() < 0.4
    hello = rng.choice([f"Hi {b}!", f"Hello {b}.", f"{b}, one question."])
    opening = rng.choice(["Shall we", "Would you like to", "Do you want to"])
    lines = [f"{a}: {hello} {opening} {activity} on {first if changed else day}?"]
    if changed:
        no = rng.choice(["Sorry, I have no time then.", "I can not that day.", "Not then."])
        lines.append(f"{b}: {no} {rng.choice(['How about', 'Is it all right on'])} {day}?")
        lines.append(f"{a}: {rng.choice(['Yes', 'Good', 'Fine'])}. At {time} at the {place}?")
        lines.append(f"{b}: {rng.choice(['See you there!', 'Good, I will come.', 'All right.'])}")
    else:
        lines.append(f"{b}: {rng.choice(['Gladly.', 'Yes, why not.', 'Good idea!'])} Where?")
        lines.append(f"{a}: At the {place}, at {time}.")
        lines.append(f"{b}: {rng.choice(['I will be there.', 'See you then.', 'Fine!'])}")
    return Scene(
        _join(*lines),
        f"{a} and {b} will {activity} on {day} at {time} at the {place}.",
        f"They meet on {day} at the {place}.",
        (
            ("On which day do they meet?", day),
            ("Where do they meet?", f"at the {place}"),
            ("When do they meet?", f"at {time}"),
        ),
    )


def borrowing(rng: Random) -> Scene:
    """One asks another for a thing; it is lent until a day, or not."""
    a, b = two_names(rng)
    thing, day = rng.choice(WARES), rng.choice(DAYS)
    ask = rng.choice(
        [f"Can I borrow your {thing}?", f"May I have your {thing} for a while?",
         f"I need {article(thing)}. Have you one for me?"]
    )  # fmt: skip
    if rng.random() < 0.3:
        why = rng.choice(["I need it myself.", "it is broken.", "I can not find it."])
        no = rng.choice(["Sorry,", "I am afraid", "No,"])
        text = _join(f"{a}: {ask}", f"{b}: {no} {why}", f"{a}: {rng.choice(['A pity.', 'I see.'])}")
        summary, short = f"{b} does not lend {a} the {thing}.", f"No {thing} for {a}."
        return Scene(text, summary, short, (("Who asks?", a), ("What does " + a + " need?", thing)))
    yes = rng.choice(["Yes, of course.", "Gladly.", "Take it."])
    until = rng.choice([f"I want it back on {day}.", f"But I need it on {day}.", f"Until {day}."])
    text = _join(
        f"{a}: {ask}", f"{b}: {yes} {until}", f"{a}: {rng.choice(['Thank you!', 'Good.'])}"
    )
    return Scene(
        text,
        f"{a} borrows the {thing} from {b} until {day}.",
        f"{a} gets the {thing}.",
        (("What does " + a + " borrow?", thing), ("Until when?", day), ("Whose is it?", b)),
    )


def buying(rng: Random) -> Scene:
    """A customer buys a thing, or finds it too dear."""
    name, thing, cost = full_name(rng), rng.choice(WARES), price(rng)
    colour = rng.choice([w for w in ADJECTIVES if w not in ("broken", "dirty")])
    thing_told = f"{colour} {thing}" if rng.random() < 0.5 else thing
    clerk = rng.choice(["Clerk", "Seller", "Shop"])
    lines = [
        f"{clerk}: {rng.choice(['Good morning!', 'Hello!', 'Can I help you?'])}",
        f"{name}: {rng.choice(['I want', 'I would like', 'Do you sell'])} {article(thing_told)}.",
        f"{clerk}: {rng.choice(['This one costs', 'Here it is. It costs', 'That makes'])} {cost}.",
    ]
    taken = rng.random() < 0.7
    if taken:
        lines.append(f"{name}: {rng.choice(['I take it.', 'Good, here you are.', 'Fine.'])}")
        summary, short = f"{name} bought {article(thing_told)} for {cost}.", f"{thing} for {cost}"
    else:
        lines.append(f"{name}: {rng.choice(['That is too much.', 'No, too dear.', 'Oh no.'])}")
        summary = f"{name} did not buy the {thing_told} for {cost}."
        short = f"no {thing}"
    asked = (("What does it cost?", cost), ("Who is the customer?", name))
    return Scene(_join(*lines), summary, short, (*asked, ("What is it about?", thing)))


_WISHES = {"a refund": "gets a refund", "a new one": "gets a new one", "a repair": "gets a repair"}


def complaining(rng: Random) -> Scene:
    """A customer brings a thing back to the shop."""
    name, thing, fault = full_name(rng), rng.choice(WARES), rng.choice(FAULTS)
    wish, day = rng.choice(list(_WISHES)), rng.choice(DAYS)
    trouble = rng.choice(
        [f"The {thing} I bought is {fault}.", f"I have bought {article(thing)} and it is {fault}.",
         f"My new {thing} is {fault}."]
    )  # fmt: skip
    lines = [f"{name}: {rng.choice(['Hello.', 'Good day.', 'Excuse me.'])} {trouble}"]
    lines.append(f"Clerk: {rng.choice(['I am sorry.', 'Oh, sorry.'])} What would you like?")
    if rng.random() < 0.3:
        other = rng.choice([w for w in _WISHES if w != wish])
        lines.append(f"{name}: I want {other}. No, {wish} is better.")
    else:
        lines.append(f"{name}: {rng.choice(['I want', 'I would like', 'Please,'])} {wish}.")
    when = rng.choice([f"You get it on {day}.", f"Come back on {day}.", f"It is ready on {day}."])
    lines.append(f"Clerk: {rng.choice(['All right.', 'Of course.', 'Good.'])} {when}")
    return Scene(
        _join(*lines),
        f"The {thing} of {name} is {fault}, and {name.split()[0]} {_WISHES[wish]} on {day}.",
        f"{name.split()[0]} {_WISHES[wish]}.",
        (
            ("What is wrong?", f"the {thing} is {fault}"),
            ("What does the customer want?", wish),
            ("Who is the customer?", name),
            ("When?", f"on {day}"),
        ),
    )


def losing(rng: Random) -> Scene:
    """Something is lost; somebody knows where it is, or does not."""
    a, b = two_names(rng)
    thing, place = rng.choice(WARES), rng.choice(PLACES)
    ask = rng.choice(
        [f"Have you seen my {thing}?", f"Where is my {thing}?", f"I have lost my {thing}."]
    )
    if rng.random() < 0.3:
        no = rng.choice(["No, I have not seen it.", "I do not know.", "Sorry, I have no idea."])
        lines = [f"{a}: {ask}", f"{b}: {no}", f"{a}: Then I must look on."]
        summary, short = f"{a} can not find the {thing}.", f"The {thing} is lost."
        return Scene(_join(*lines), summary, short, (("Who looks for something?", a),))
    there = rng.choice(["It is", "I saw it", "Look", "You left it"])
    lines = [
        f"{a}: {ask}",
        f"{b}: {there} in the {place}.",
        f"{a}: {rng.choice(['Thanks!', 'Oh!'])}",
    ]
    return Scene(
        _join(*lines),
        f"{b} tells {a} that the {thing} is in the {place}.",
        f"The {thing} is found.",
        (("Where is the " + thing + "?", f"in the {place}"), ("Who has lost something?", a)),
    )


TOPICS: dict[str, Callable[[Random], Scene]] = {
    "meeting": meeting,
    "borrowing": borrowing,
    "buying": buying,
    "complaining": complaining,
    "losing": losing,
}
_SUMMARY = (
    "Summarize the dialogue in one sentence.",
    "Write a summary of the dialogue.",
    "Say in one sentence what the dialogue comes to.",
    "Sum up the talk.",
)
_SHORT = (
    "Say in a few words what the dialogue is about.",
    "Write a very short summary.",
    "Give the dialogue a short title.",
)


def any_scene(rng: Random) -> Scene:
    """A scene of any topic."""
    return TOPICS[rng.choice(list(TOPICS))](rng)


def draw(rng: Random) -> Form:
    """Summaries, long or short, of one topic or of all."""
    short = rng.random() < 0.2
    mixed = rng.random() < 0.5
    topic = rng.choice(list(TOPICS))
    scene = any_scene if mixed else TOPICS[topic]

    def make(item_rng: Random) -> Item:
        drawn = scene(item_rng)
        return Item(drawn.text, drawn.short if short else drawn.summary)

    name = f"dialogues/{'short' if short else 'summary'}"
    return Form(name, _SHORT if short else _SUMMARY, make)
