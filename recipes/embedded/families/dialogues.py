"""Short dialogues and what they come to, in plain English sentences.

Topics: meeting, borrowing, buying, complaining, losing and finding, booking, leaving word. Some
change their mind on the way (a first day is refused, a first wish is corrected); the summary holds
the last word. A summary here is always a plain sentence; ``records`` writes the fields of a scene
in patterns drawn afresh. The house style of the bundled sample ``support-notes`` occurs nowhere,
and no dialogue here speaks of an order number or a call back, as the sample's do.
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
    """A dialogue, its summary, a short one, questions with answers, and what was settled."""

    text: str
    summary: str
    short: str
    questions: tuple[tuple[str, str], ...]
    fields: dict[str, str | None]
    """None: left open, or refused. The scenes of one topic have the same fields."""


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
        {"first": a, "second": b, "activity": activity, "day": day, "time": time, "place": place},
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
        asked = (("Who asks?", a), ("What does " + a + " need?", thing))
        fields = {"asker": a, "owner": b, "thing": thing, "day": None}
        return Scene(text, summary, short, asked, fields)
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
        {"asker": a, "owner": b, "thing": thing, "day": day},
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
    fields = {"name": name, "thing": thing_told, "price": cost if taken else None}
    return Scene(_join(*lines), summary, short, (*asked, ("What is it about?", thing)), fields)


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
        {"name": name, "thing": thing, "fault": fault, "wish": wish, "day": day},
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
        fields = {"loser": a, "finder": b, "thing": thing, "place": None}
        return Scene(_join(*lines), summary, short, (("Who looks for something?", a),), fields)
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
        {"loser": a, "finder": b, "thing": thing, "place": place},
    )


_BOOKED = ("a table", "a room", "a boat", "a taxi", "two seats", "the hall", "a lesson")


def booking(rng: Random) -> Scene:
    """Something is booked for a day and a time; the time may be changed, or all be full."""
    name, what, day = full_name(rng), rng.choice(_BOOKED), rng.choice(DAYS)
    time, people = clock_time(rng), rng.randint(2, 12)
    lines = [
        f"{name}: {rng.choice(['Can I book', 'I want to book', 'Is it possible to have'])} {what} "
        f"{rng.choice(['for', 'on'])} {day}?",
        f"Desk: {rng.choice(['For how many people?', 'How many will you be?'])}",
        f"{name}: {rng.choice([f'We are {people}.', f'{people} people.', f'For {people}.'])}",
    ]
    asked = (("Who books?", name), ("What is booked?", what), ("For how many people?", str(people)))
    fields = {"name": name, "booked": what, "day": day, "people": str(people)}
    if rng.random() < 0.2:
        lines.append(f"Desk: {rng.choice(['We are full then.', 'I have nothing left, sorry.'])}")
        summary, short = f"{name} does not get {what} on {day}.", f"no room on {day}"
        return Scene(_join(*lines), summary, short, asked, {**fields, "time": None})
    if rng.random() < 0.3:
        lines.append(f"Desk: Not at {clock_time(rng)}, but {time} is free.")
        lines.append(f"{name}: {rng.choice(['That is fine.', 'Good, I take it.'])}")
    else:
        lines.append(f"Desk: {rng.choice(['At what time?', 'When will you come?'])}")
        lines.append(f"{name}: {rng.choice(['At', 'About', 'We come at'])} {time}.")
    summary = f"{name} books {what} for {people} people on {day} at {time}."
    asked += (("At what time?", time),)
    return Scene(_join(*lines), summary, f"{what} on {day}", asked, {**fields, "time": time})


def leaving_word(rng: Random) -> Scene:
    """Somebody is out, and word is left: where to come, and what to bring."""
    caller, absent = two_names(rng)
    thing, place, day = rng.choice(WARES), rng.choice(PLACES), rng.choice(DAYS)
    bring = rng.choice([f"bring the {thing}", f"take the {thing} along", f"not forget the {thing}"])
    lines = [
        f"{caller}: {rng.choice(['Is', 'Hello, is'])} {absent} {rng.choice(['there', 'in'])}?",
        f"Desk: {rng.choice(['No, not today.', 'I am sorry, no.'])} Can I pass something on?",
        f"{caller}: {absent} shall come to the {place} on {day} and {bring}.",
    ]
    if rng.random() < 0.25:
        other = rng.choice([d for d in DAYS if d != day])
        lines[-1] = lines[-1].replace(f"on {day}", f"on {other}")
        lines.append(f"Desk: On {other}?")
        lines.append(f"{caller}: Oh, I mean {day}.")
    lines.append(f"Desk: {rng.choice(['I will say so.', 'I have written it down.'])}")
    return Scene(
        _join(*lines),
        f"{absent} shall bring the {thing} to the {place} on {day}, says {caller}.",
        f"word for {absent}",
        (
            ("Who shall come?", absent),
            ("Who asks for it?", caller),
            ("Where?", f"to the {place}"),
            ("What is needed?", thing),
            ("On which day?", day),
        ),
        {"caller": caller, "absent": absent, "thing": thing, "place": place, "day": day},
    )


TOPICS: dict[str, Callable[[Random], Scene]] = {
    "meeting": meeting,
    "borrowing": borrowing,
    "buying": buying,
    "complaining": complaining,
    "losing": losing,
    "booking": booking,
    "leaving word": leaving_word,
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
