"""``phrasebook``: English to Swedish, with polite phrases, new words, and time before the verb.

The training knows the noun phrases and plain sentences, but none of these phrases, none of the new
words, and no sentence that begins with a time (Swedish then puts the verb second).
"""

from __future__ import annotations

from random import Random

from ..families.swedish import noun_phrase
from ..world import FIRST_NAMES, NOUNS, VERBS, Noun

_NEW = (
    Noun("towel", "towels", "new", "handduk", False, "handduken"),
    Noun("stamp", "stamps", "new", "frimärke", True, "frimärket"),
    Noun("postcard", "postcards", "new", "vykort", True, "vykortet"),
    Noun("blanket", "blankets", "new", "filt", False, "filten"),
    Noun("receipt", "receipts", "new", "kvitto", True, "kvittot"),
    Noun("candle", "candles", "new", "ljus", True, "ljuset"),
    Noun("bandage", "bandages", "new", "plåster", True, "plåstret"),
    Noun("suitcase", "suitcases", "new", "resväska", False, "resväskan"),
)
_KNOWN = [noun for noun in NOUNS.values() if noun.swedish and noun.kind != "job"]
_VERBS = [verb for verb in VERBS.values() if verb.present_sv]
_TIMES = {"Tomorrow": "I morgon", "Today": "I dag", "Tonight": "I kväll", "Soon": "Snart"}
_PHRASES = (
    ("Could I have {0}, please?", "Kan jag få {0}, tack?"),
    ("How much does {0} cost?", "Vad kostar {0}?"),
    ("I am looking for {0}.", "Jag letar efter {0}."),
    ("Do you have {0} for {1}?", "Har ni {0} till {1}?"),
)


def row(rng: Random) -> dict[str, str]:
    """One row of the sample."""
    nouns = list(_NEW) if rng.random() < 0.2 else _KNOWN
    english, swedish = noun_phrase(rng, nouns)
    name = rng.choice(FIRST_NAMES)
    if rng.random() < 0.3:
        verb, time = rng.choice(_VERBS), rng.choice(list(_TIMES))
        return {
            "english": f"{time} {name} {verb.third} {english}.",
            "swedish": f"{_TIMES[time]} {verb.present_sv} {name} {swedish}.",
        }
    phrase_en, phrase_sv = rng.choice(_PHRASES)
    return {"english": phrase_en.format(english, name), "swedish": phrase_sv.format(swedish, name)}
