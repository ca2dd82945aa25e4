"""Texts out of a row: a field, a template over fields, or a choice of reference fields.

    Template("Q: {question}").fill(row, source)     # "Q: How many?"
    references(("summary1", "summary2"), row, source)

A template knows field names and nothing else: no attributes, no indices, no format codes; a literal
brace is doubled. Text is stripped at both ends, so that prompts have no stray line breaks.
"""

from __future__ import annotations

import math
import string
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from typing import Any

from stepladder.errors import TaskError, nearest_name
from stepladder.tasks.files import Row, Source


@dataclass(frozen=True)
class Template:
    """Literal pieces and field names in turn, as `string.Formatter` reads them."""

    text: str
    parts: tuple[tuple[str, str | None], ...]

    @classmethod
    def parse(cls, text: str, where: str) -> Template:
        """A bare field name, or a text with fields in braces."""
        if "{" not in text and "}" not in text:
            return cls(text, (("", text),))
        parts: list[tuple[str, str | None]] = []
        try:
            for literal, name, code, conversion in string.Formatter().parse(text):
                if code or conversion or (name is not None and not name.strip()):
                    raise ValueError("a field is written {name}, without anything else")
                parts.append((literal, name))
        except ValueError as error:
            raise TaskError(
                f"{where}: '{text}' is not a template ({error}); double a brace that is meant as "
                "such"
            ) from None
        if not any(name for _, name in parts):
            raise TaskError(f"{where}: '{text}' names no field; write one in braces: {{name}}")
        return cls(text, tuple(parts))

    @property
    def names(self) -> tuple[str, ...]:
        """The fields it needs."""
        return tuple(dict.fromkeys(name for _, name in self.parts if name is not None))

    def fill(self, row: Row, source: Source) -> str:
        """The text for one row; TaskError where a field is missing or empty."""
        filled = "".join(
            literal + (required_text(name, row, source) if name is not None else "")
            for literal, name in self.parts
        )
        return filled.strip()


def check_columns(names: Iterable[str], source: Source, key: str) -> None:
    """Refuses a field that no row has, with the nearest that there is."""
    for name in names:
        if name not in source.columns:
            hint = nearest_name(name, source.columns)
            raise TaskError(f"{source.name}: no field '{name}' (named by '{key}'); {hint}")


def required_text(name: str, row: Row, source: Source) -> str:
    """A field's text; TaskError where it is missing, empty or no text."""
    value = row.fields.get(name)
    if isinstance(value, list):
        raise TaskError(
            f"{source.name}: row {row.number}: field '{name}' holds a list where one text is "
            "expected"
        )
    text = text_of(value, name, row, source)
    if text is None:
        there = ", ".join(repr(field) for field in row.fields) or "nothing"
        state = "is empty" if name in row.fields else f"is missing; {there} came"
        raise TaskError(
            f"{source.name}: row {row.number}: field '{name}' {state}; fill it in or leave the "
            "row out"
        )
    return text


def references(names: Sequence[str], row: Row, source: Source) -> tuple[str, ...]:
    """The non-empty texts under `names`, each of which may hold a list. Equal ones are kept: a
    mean over references counts them twice, as the people who wrote them did."""
    found: list[str] = []
    for name in names:
        value = row.fields.get(name)
        for item in value if isinstance(value, list) else [value]:
            text = text_of(item, name, row, source)
            if text is not None:
                found.append(text)
    if not found:
        raise TaskError(
            f"{source.name}: row {row.number}: no reference in "
            f"{', '.join(repr(n) for n in names)}; fill it in or leave the row out"
        )
    return tuple(found)


def gold_texts(name: str, row: Row, source: Source) -> tuple[str, ...]:
    """The texts under `name`: one, a list, or none, since an answer need not stand anywhere."""
    value = row.fields.get(name)
    items = value if isinstance(value, list) else [value]
    texts = (text_of(item, name, row, source) for item in items)
    return tuple(text for text in texts if text is not None)


def text_of(value: Any, name: str, row: Row, source: Source) -> str | None:
    """A cell's value as text; None where there is none (null, NaN, blank).

    A float without a fraction loses its `.0`: JSON writers turn 18 into 18.0, people do not.
    """
    if value is None:
        return None
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        if math.isnan(value):
            return None
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, int | Decimal | date | time):
        return str(value)
    raise TaskError(
        f"{source.name}: row {row.number}: field '{name}' holds a {type(value).__name__} where a "
        "text is expected; name a field that holds text"
    )
