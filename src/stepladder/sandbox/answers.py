"""A program's value as the text of an answer."""

from __future__ import annotations

import math
from datetime import date, time
from decimal import Decimal
from typing import Any, NamedTuple

from stepladder.sandbox.confined import plain

MOST = 1_000
"""Characters of an answer."""
_WHOLE = 1e15
"""Floats below this without a fraction are written as whole numbers."""


class AnswerText(NamedTuple):
    text: str
    """Empty where the value is no answer."""
    reason: str
    """Why not."""


def answer_text(value: Any) -> AnswerText:
    """The text of a number, a text, a date, or a list of one of these.

    >>> answer_text(0.1 + 0.2).text, answer_text([24.0]).text, answer_text(None).reason
    ('0.3', '24', 'it sets no answer')
    """
    if value is None:
        return AnswerText("", "it sets no answer")
    if not isinstance(value, int | float | str | Decimal | date | time | list | tuple):
        return AnswerText("", f"its answer is a {type(value).__name__}")
    value = plain(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            return AnswerText("", f"its answer is {value}")
        whole = value.is_integer() and abs(value) < _WHOLE
        return AnswerText(str(int(value)) if whole else f"{value:.12g}", "")
    try:
        text = str(value).strip()
    except ValueError:
        return AnswerText("", "its answer has too many digits")
    if len(text) > MOST:
        return AnswerText("", f"its answer has {len(text):,} characters")
    return AnswerText(text, "" if text else "its answer is empty")
