"""The families of tasks: each module draws a form; `FAMILIES` gives their shares of the mixture."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import NamedTuple

from ..form import Form
from . import dialogues, labelling, numbers, questions, records, rewriting, swedish


class Family(NamedTuple):
    """How a form is drawn, the weight among the episodes, and the step from which it takes part."""

    draw: Callable[[Random], Form]
    share: float
    start: int = 0


#: From these steps on families joined, when probes had shown what the others do not teach (log.md).
LATER = 2806
LATER_STILL = 4364
LATEST = 6452
FAMILIES: dict[str, Family] = {
    "labelling": Family(labelling.draw, 0.22),
    "rewriting": Family(rewriting.draw, 0.15),
    "swedish": Family(swedish.draw, 0.15),
    "questions": Family(questions.draw, 0.14),
    "dialogues": Family(dialogues.draw, 0.07),
    "records": Family(records.draw, 0.14),
    "numbers": Family(numbers.draw, 0.13),
    "letters": Family(labelling.draw_letters, 0.12, LATER),
    "strange": Family(questions.draw_strange, 0.14, LATER),
    "prices": Family(numbers.draw_prices, 0.12, LATER),
    "messages": Family(labelling.draw_messages, 0.3, LATER_STILL),
    "properties": Family(questions.draw_properties, 0.35, LATER_STILL),
    "guesses": Family(questions.draw_guesses, 0.12, LATER_STILL),
    "parts": Family(numbers.draw_parts, 0.2, LATER_STILL),
    "named": Family(numbers.draw_named, 0.3, LATEST),
    "patterns": Family(numbers.draw_patterns, 0.35, LATEST),
    "details": Family(questions.draw_details, 0.4, LATEST),
    "openings": Family(questions.draw_openings, 0.25, LATEST),
}
