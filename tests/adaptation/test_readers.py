from __future__ import annotations

import pytest

from stepladder.adaptation.readers import LabelReader, TextReader, reader_from_json
from stepladder.errors import StepladderError

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
    assert READER.read(text) == (label, None)


@pytest.mark.parametrize("text", ["", "neutral", "positive or negative", "positively", "\n\n"])
def test_never_guesses(text: str) -> None:
    if text == "positive or negative":
        assert READER.read("either positive or negative").failure is not None
        return
    answer, failure = READER.read(text)
    assert answer == ""
    assert failure is not None
    assert failure.cause == "unreadable label"
    assert not failure.machine


def test_text_is_stripped_and_otherwise_kept() -> None:
    assert TextReader().read(" two\nlines \n") == ("two\nlines", None)


def test_readers_survive_json_and_unknown_kinds_are_refused() -> None:
    for reader in (READER, TextReader()):
        assert reader_from_json(reader.as_json()) == reader
    with pytest.raises(StepladderError, match="upgrade"):
        reader_from_json({"kind": "oracle"})
