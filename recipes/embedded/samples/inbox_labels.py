"""``inbox-labels``: messages to a house where many people live, each sorted into one of four trays.

The trays are called after the points of the compass, which tells nothing: only examples say that
what is lost goes north, what is broken south, who comes east, and what is paid west. None of the
four is a topic or a label word of the training.
"""

from __future__ import annotations

from random import Random

from ..world import DAYS, FIRST_NAMES, PLACES, TOWNS, WARES, article, clock_time, price

LABELS = ("east", "north", "south", "west")
_MESSAGES = {
    "north": (
        "Has anybody seen my {w}? I had it in the {p}.", "I found {aw} in the {p}. Whose is it?",
        "My {w} is gone since {d}.", "Somebody took my {w} by mistake.",
        "{aw} was left in the {p} on {d}.", "I miss my {w}. Has {a} got it?",
        "I have lost the {w} of {a} somewhere near the {p}.",
    ),
    "south": (
        "The {w} in the {p} is broken.", "The door of the {p} does not close.",
        "Water drips from the roof of the {p}.", "Can somebody mend the {w} in the {p}?",
        "The {w} on our floor makes a loud noise.", "The light in the {p} is out since {d}.",
        "The {w} fell down and has a crack, {a} says.",
    ),
    "east": (
        "My sister comes on {d}. Is a room free?", "We shall be {n} people on {d}.",
        "Can I see you on {d} at {c}?", "{a} wants to visit us on {d}.",
        "{a} and I will come to the {p} at {c}.", "Is {d} all right for a talk?",
        "A friend from {t} will stay with us until {d}.",
    ),
    "west": (
        "I have not got the bill for the {w}.", "The bill says {m}, but I paid {m2}.",
        "When must I pay the {m}?", "Send the bill to {a} in {t}.", "I paid twice for the {w}.",
        "The rent for the {p} is too high.", "{a} still has to pay {m} for the {w}.",
    ),
}  # fmt: skip


_OPENINGS = (
    "",
    "",
    "Hello. ",
    "Dear all, one question. ",
    "Good day, this is {a}. ",
    "It is me again. ",
)
_CLOSINGS = ("", "", " Thank you!", " Tell {a}, please.", " I am at home on {d}.", " Yours, {a}.")


def row(rng: Random) -> dict[str, str]:
    """One row of the sample: message and tray."""
    tray, ware = rng.choice(LABELS), rng.choice(WARES)
    message = rng.choice(_MESSAGES[tray]).format(
        a=rng.choice(FIRST_NAMES),
        aw=article(ware),
        w=ware,
        p=rng.choice(PLACES),
        d=rng.choice(DAYS),
        t=rng.choice(TOWNS),
        c=clock_time(rng),
        n=rng.randint(2, 12),
        m=price(rng),
        m2=price(rng),
    )
    who, day = rng.choice(FIRST_NAMES), rng.choice(DAYS)
    opening, closing = rng.choice(_OPENINGS), rng.choice(_CLOSINGS)
    text = message[0].upper() + message[1:]
    text = f"{opening.format(a=who)}{text}{closing.format(a=rng.choice(FIRST_NAMES), d=day)}"
    return {"message": text, "tray": tray}
