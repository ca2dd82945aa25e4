"""A reader takes the answer out of a completion, or says why it cannot.

>>> LabelReader(("positive", "negative")).read(" Positive.\\nInput: next").answer
'positive'
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from stepladder.errors import StepladderError
from stepladder.records import Failure, Json


class Reading(NamedTuple):
    answer: str
    """Empty after a failure."""
    failure: Failure | None


class Reader(Protocol):
    def read(self, text: str) -> Reading: ...
    def as_json(self) -> Json: ...


@dataclass(frozen=True, slots=True)
class TextReader:
    """The whole completion, without the space around it."""

    def read(self, text: str) -> Reading:
        return Reading(text.strip(), None)

    def as_json(self) -> Json:
        return {"kind": "text"}


@dataclass(frozen=True, slots=True)
class LabelReader:
    """One of a closed set of labels.

    Read, in this order, without regard to case: the first line is a label, but for punctuation
    around it; the text begins with a label (the longest such); exactly one label stands in it as a
    word. Anything else is a failure, never a guess.
    """

    labels: tuple[str, ...]

    def read(self, text: str) -> Reading:
        lines = text.strip().splitlines() or [""]
        first = lines[0].strip(" \t\"'`*.,:;!()[]").casefold()
        for label in self.labels:
            if label.casefold() == first:
                return Reading(label, None)
        by_length = sorted(self.labels, key=len, reverse=True)
        for label in by_length:
            if re.match(rf"{re.escape(label)}(?!\w)", text.strip(), re.IGNORECASE):
                return Reading(label, None)
        rest, inside = text, []
        for label in by_length:
            pattern = re.compile(rf"(?<!\w){re.escape(label)}(?!\w)", re.IGNORECASE)
            if pattern.search(rest):
                inside.append(label)
                rest = pattern.sub(" ", rest)
        if len(inside) == 1:
            return Reading(inside[0], None)
        return Reading("", Failure("unreadable label", detail=text.strip()[:80]))

    def as_json(self) -> Json:
        return {"kind": "label", "labels": list(self.labels)}


def reader_from_json(data: Json) -> Reader:
    """The inverse of `as_json`."""
    if data["kind"] == "label":
        return LabelReader(tuple(data["labels"]))
    if data["kind"] == "text":
        return TextReader()
    raise StepladderError(f"reader '{data['kind']}' is not known to this version; upgrade it")
