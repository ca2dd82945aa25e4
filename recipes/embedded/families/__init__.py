"""The families of tasks: each module draws a form; `FAMILIES` gives their shares of the mixture."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from ..form import Form
from . import dialogues, labelling, numbers, questions, records, rewriting, swedish

#: Family -> (how a form is drawn, share of the episodes).
FAMILIES: dict[str, tuple[Callable[[Random], Form], float]] = {
    "labelling": (labelling.draw, 0.22),
    "rewriting": (rewriting.draw, 0.15),
    "swedish": (swedish.draw, 0.15),
    "questions": (questions.draw, 0.14),
    "dialogues": (dialogues.draw, 0.07),
    "records": (records.draw, 0.14),
    "numbers": (numbers.draw, 0.13),
}
