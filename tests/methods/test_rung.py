from __future__ import annotations

import pytest

from stepladder import registry
from stepladder.errors import RungError
from stepladder.methods import parse_rung
from stepladder.methods.prompting import FewShot


def test_a_list_is_read_left_to_right() -> None:
    rung = parse_rung("few-shot(2, nearest=bm25)  +  lora")
    assert rung.name == "few-shot(2, nearest=bm25) + lora"
    assert rung.methods[0] == FewShot(2, nearest="bm25")
    assert rung.trains


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("few-shots(2)", "did you mean 'few-shot'"),
        ("few-shot(shots=2)", "unknown setting 'shots'"),
        ("few-shot(two)", "not int"),
        ("few-shot(0)", "1 or more"),
        ("few-shot", "k"),
        ("zero-shot + few-shot(2)", "both fill"),
        ("one-shot + few-shot(2)", "both fill"),
        ("lora + lora", "of full, lora and prompt-tuning, each once at most"),
        ("lora +", "missing beside"),
        ("few-shot(2", "cannot read"),
        ("", "missing"),
    ],
)
def test_what_a_list_may_not_hold_is_refused_by_name(text: str, says: str) -> None:
    with pytest.raises(RungError, match=says):
        parse_rung(text)


def test_rungs_on_a_command_line_are_split_outside_brackets() -> None:
    text = "zero-shot, few-shot(3, nearest=bm25), lora + few-shot(1)"
    assert registry.split(text) == ["zero-shot", "few-shot(3, nearest=bm25)", "lora + few-shot(1)"]


def test_every_registered_method_can_be_described_and_read_back() -> None:
    for name in registry.names("methods"):
        text = "few-shot(3)" if name == "few-shot" else name
        method = registry.build("methods", text)
        assert registry.build("methods", registry.describe(name, method)) == method
