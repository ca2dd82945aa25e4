from __future__ import annotations

import pytest

from stepladder.adaptation.readers import (
    LabelReader,
    ProgramReader,
    TextReader,
    program_in,
    reader_from_json,
)
from stepladder.errors import StepladderError
from stepladder.sandbox import Limits

READER = LabelReader(("positive", "negative", "not negative"))


@pytest.mark.parametrize(
    ("text", "label"),
    [
        (" positive", "positive"),
        ("Positive.\nInput: more", "positive"),
        ("**negative**", "negative"),
        ("not negative at all", "not negative"),
        ("negative, I think", "negative"),
        ("I would say it is not negative", "not negative"),
        ("The answer: POSITIVE!", "positive"),
    ],
)
def test_reads_a_label(text: str, label: str) -> None:
    assert READER.read(text)[:2] == (label, None)


@pytest.mark.parametrize("text", ["", "neutral", "positive or negative", "positively", "\n\n"])
def test_never_guesses(text: str) -> None:
    if text == "positive or negative":
        assert READER.read("either positive or negative").failure is not None
        return
    answer, failure, _ = READER.read(text)
    assert answer == ""
    assert failure is not None
    assert failure.cause == "unreadable label"
    assert not failure.machine


def test_text_is_stripped_and_otherwise_kept() -> None:
    assert TextReader().read(" two\nlines \n")[:2] == ("two\nlines", None)


def test_readers_survive_json_and_unknown_kinds_are_refused() -> None:
    for reader in (READER, TextReader(), ProgramReader(READER, Limits(seconds=3), False)):
        assert reader_from_json(reader.as_json()) == reader
    with pytest.raises(StepladderError, match="upgrade"):
        reader_from_json({"kind": "oracle"})


@pytest.mark.parametrize(
    ("text", "program"),
    [
        (" a = 2\nanswer = a * 3\n", "a = 2\nanswer = a * 3"),
        ("Sure:\n```python\nanswer = 7\n```\nIt is 7.", "answer = 7"),
        ("```\nanswer = 7\n```", "answer = 7"),
        ("```py\nanswer = 7", "answer = 7"),
        ("```python\nanswer = 1\n```\n```python\nanswer = 2\n```", "answer = 1"),
        ("    a = 1\n    answer = a", "a = 1\nanswer = a"),
        ("def solution():\n    return 3", "def solution():\n    return 3"),
        ("```\nno code at all\n```", "no code at all"),
        ("", None),
        ("5", None),
        ("The answer is 5.", None),
        ("```python\n```", None),
    ],
)
def test_the_program_in_a_completion(text: str, program: str | None) -> None:
    assert program_in(text) == program
