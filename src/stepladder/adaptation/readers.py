"""A reader takes the answer out of a completion, or says why it cannot; and it says what a model
should write for an example, which is what demonstrations show and training teaches.

>>> LabelReader(("positive", "negative")).read(" Positive.\\nInput: next").answer
'positive'
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import NamedTuple, Protocol

from stepladder import sandbox
from stepladder.adaptation.evidence import without_citations
from stepladder.errors import StepladderError
from stepladder.records import Example, Failure, Fate, Json, ProgramRun


class Reading(NamedTuple):
    answer: str
    """Empty after a failure."""
    failure: Failure | None
    run: ProgramRun | None = None
    """The program behind it, from a reader that runs one."""


class Reader(Protocol):
    def read(self, text: str) -> Reading: ...
    def wanted(self, example: Example) -> str | None:
        """What a model should write for this example; None where it is not known."""
        ...

    def as_json(self) -> Json: ...


@dataclass(frozen=True, slots=True)
class TextReader:
    """The whole completion, without the space around it."""

    def read(self, text: str) -> Reading:
        return Reading(text.strip(), None)

    def wanted(self, example: Example) -> str | None:
        return example.references[0]

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

    def wanted(self, example: Example) -> str | None:
        return example.references[0]

    def as_json(self) -> Json:
        return {"kind": "label", "labels": list(self.labels)}


@dataclass(frozen=True, slots=True)
class CitingReader:
    """An answer that cites numbered evidence: read without its citations."""

    then: TextReader | LabelReader = field(default_factory=TextReader)

    def read(self, text: str) -> Reading:
        return self.then.read(without_citations(text))

    def wanted(self, example: Example) -> str | None:
        """Without a citation, which only the evidence can tell: see `Adaptation.wanted`."""
        return self.then.wanted(example)

    def as_json(self) -> Json:
        return {"kind": "citing", "then": self.then.as_json()}


_FENCE = re.compile(r"```[ \t]*(?:python|py)?[ \t]*\n(.*?)(?:^[ \t]*```|\Z)", re.S | re.M | re.I)
_CODE = re.compile(r"^\s*(?:[A-Za-z_]\w*\s*=|(?:def|class|import|from|for|while|if|print)\b)", re.M)


def program_in(text: str) -> str | None:
    """The program in a completion: its first block in fences, else the whole of it where a line
    looks like Python; None where there is none.

    >>> program_in("Here it is:\\n```python\\nanswer = 7\\n```\\nIt is 7.")
    'answer = 7'
    """
    fenced = _FENCE.search(text)
    program = textwrap.dedent(fenced[1] if fenced else text).strip()
    return program if program and (fenced or _CODE.search(program)) else None


@dataclass(frozen=True, slots=True)
class ProgramReader:
    """Runs the program in the completion in a sandbox, and reads the answer that it comes to."""

    then: TextReader | LabelReader = field(default_factory=TextReader)
    """Reads the program's answer, as it would a completion."""
    limits: sandbox.Limits = field(default_factory=sandbox.Limits)
    comments: bool = True
    """Whether programs to show or to learn from keep their lines of comment."""

    def read(self, text: str) -> Reading:
        program = program_in(text)
        if program is None:
            run = ProgramRun(text.strip(), "no program", detail="nothing in it looks like Python")
        else:
            run = sandbox.run(program, self.limits)
        if run.fate != "answered":
            return Reading("", Failure(FATES[run.fate], detail=run.detail), run)
        return self.then.read(run.answer)._replace(run=run)

    def wanted(self, example: Example) -> str | None:
        if example.program is None or self.comments:
            return example.program
        lines = example.program.splitlines()
        return "\n".join(line for line in lines if not line.lstrip().startswith("#")) or None

    def as_json(self) -> Json:
        return {
            "kind": "program",
            "then": self.then.as_json(),
            "limits": asdict(self.limits),
            "comments": self.comments,
        }


FATES: Mapping[Fate, str] = {
    "no program": "no program",
    "no answer": "program without an answer",
    "syntax": "program: syntax",
    "name": "program: unknown name",
    "timeout": "program: timeout",
    "memory": "program: memory",
    "refused": "program: refused",
    "error": "program: error",
}
"""The cause of failure of every fate but `answered`."""


def reader_from_json(data: Json) -> Reader:
    """The inverse of `as_json`."""
    if data["kind"] == "program":
        then = reader_from_json(data["then"])
        assert isinstance(then, TextReader | LabelReader)
        return ProgramReader(then, sandbox.Limits(**data["limits"]), data["comments"])
    if data["kind"] == "citing":
        then = reader_from_json(data["then"])
        assert isinstance(then, TextReader | LabelReader)
        return CitingReader(then)
    if data["kind"] == "label":
        return LabelReader(tuple(data["labels"]))
    if data["kind"] == "text":
        return TextReader()
    raise StepladderError(f"reader '{data['kind']}' is not known to this version; upgrade it")
