"""``inbox-labels``: messages to a museum of four houses, each put into the tray of one house.

The trays are called after the points of the compass, which tells nothing: only examples say that
vehicles stand in the north house, instruments in the east house, the body in the south house and
plants in the west house. One word of a message tells the house. None of the four points is a label
of the training, and vehicles, instruments and the body are classes of none of its episodes.
"""

from __future__ import annotations

from random import Random

from ..world import DAYS, FIRST_NAMES, KINDS, TOWNS, article, clock_time

_HOUSES = {"north": "vehicle", "east": "instrument", "south": "body", "west": "plant"}
LABELS = tuple(sorted(_HOUSES))
_MESSAGES = (
    "Is there a talk on the {w} on {d}?", "Our class would like to learn about the {w}.",
    "In which room can we look at the {w}?", "May one take a photo of the {w}?",
    "I read on your page that you show {aw}.", "Could {a} hear more on the {w} at {c}?",
    "The sign beside the {w} has a mistake.", "How old is the {w} that you show?",
    "We are {n} and would like to be shown the {w} on {d}.", "Is the model of the {w} for sale?",
    "A school from {t} asks for a picture of the {w}.", "My children loved your {w}.",
    "The lamp above the {w} is out.", "Who gave you the {w}?",
)  # fmt: skip
_OPENINGS = (
    "",
    "",
    "Hello. ",
    "Dear museum, one question. ",
    "Good day, this is {a}. ",
    "It is me again. ",
)
_CLOSINGS = ("", "", " Thank you!", " Tell {a}, please.", " I am at home on {d}.", " Yours, {a}.")


def row(rng: Random) -> dict[str, str]:
    """One row of the sample: message and tray."""
    tray = rng.choice(LABELS)
    word = rng.choice(KINDS[_HOUSES[tray]])
    message = rng.choice(_MESSAGES).format(
        a=rng.choice(FIRST_NAMES),
        aw=article(word),
        w=word,
        d=rng.choice(DAYS),
        t=rng.choice(TOWNS),
        c=clock_time(rng),
        n=rng.randint(2, 12),
    )
    who, day = rng.choice(FIRST_NAMES), rng.choice(DAYS)
    opening, closing = rng.choice(_OPENINGS), rng.choice(_CLOSINGS)
    text = opening.format(a=who) + message + closing.format(a=rng.choice(FIRST_NAMES), d=day)
    return {"message": text, "tray": tray}
