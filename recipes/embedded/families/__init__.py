"""The families of tasks: each module draws a form; `FAMILIES` gives their shares of the mixture."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import NamedTuple

from ..form import Form
from . import dialogues, labelling, numbers, questions, records, rewriting, swedish


class Family(NamedTuple):
    """How a form is drawn, and the weight among the episodes, from each step on that is named; from
    the first of them on it takes part."""

    draw: Callable[[Random], Form]
    shares: dict[int, float]

    def share(self, step: int) -> float:
        """The weight at a step of the training; 0 before it takes part."""
        begun = [start for start in self.shares if start <= step]
        return self.shares[max(begun)] if begun else 0.0


#: From these steps on families joined, when probes had shown what the others do not teach (log.md).
LATER = 2806
LATER_STILL = 4364
LATEST = 6452
#: From here on what is known well gives way to what demonstrations alone can tell.
LAST = 9252
FAMILIES: dict[str, Family] = {
    "labelling": Family(labelling.draw, {0: 0.22, LAST: 0.15}),
    "rewriting": Family(rewriting.draw, {0: 0.15, LAST: 0.1}),
    "swedish": Family(swedish.draw, {0: 0.15, LAST: 0.1}),
    "questions": Family(questions.draw, {0: 0.14, LAST: 0.1}),
    "dialogues": Family(dialogues.draw, {0: 0.07, LAST: 0.15}),
    "records": Family(records.draw, {0: 0.14, LAST: 0.2}),
    "numbers": Family(numbers.draw, {0: 0.13, LAST: 0.08}),
    "letters": Family(labelling.draw_letters, {LATER: 0.12, LAST: 0.08}),
    "strange": Family(questions.draw_strange, {LATER: 0.14, LAST: 0.08}),
    "prices": Family(numbers.draw_prices, {LATER: 0.12, LAST: 0.06}),
    "messages": Family(labelling.draw_messages, {LATER_STILL: 0.3, LAST: 0.7}),
    "properties": Family(questions.draw_properties, {LATER_STILL: 0.35, LAST: 0.15}),
    "guesses": Family(questions.draw_guesses, {LATER_STILL: 0.12, LAST: 0.1}),
    "parts": Family(numbers.draw_parts, {LATER_STILL: 0.2, LAST: 0.1}),
    "named": Family(numbers.draw_named, {LATEST: 0.3}),
    "patterns": Family(numbers.draw_patterns, {LATEST: 0.35, LAST: 0.9}),
    "details": Family(questions.draw_details, {LATEST: 0.4, LAST: 0.45}),
    "openings": Family(questions.draw_openings, {LATEST: 0.25, LAST: 0.3}),
}
