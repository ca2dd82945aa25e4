from __future__ import annotations

import json

import pytest

from stepladder.adaptation import Demonstration, Demonstrations, Prompter
from stepladder.adaptation.prompter import STOP, instruct
from stepladder.records import Query

ROWS = tuple(
    Demonstration(f"r{i}", text, answer)
    for i, (text, answer) in enumerate(
        [("two cats", "cats: 2"), ("three dogs", "dogs: 3"), ("one red lamp", "lamp: 1")]
    )
)


def test_zero_shot_text() -> None:
    prompt = Prompter("Count.").render(Query("q", "five hens"))
    assert prompt.text == "Count.\n\nInput: five hens\nOutput:"
    assert prompt.joint == " "
    assert [(t.role, t.text) for t in prompt.turns] == [("user", "Count.\n\nfive hens")]


def test_demonstrations_stand_between_instruction_and_query_in_the_same_form() -> None:
    prompter = Prompter("Count.", Demonstrations(2, ROWS), STOP)
    prompt = prompter.render(Query("q", "five hens"))
    assert prompt.text == (
        "Count.\n\nInput: two cats\nOutput: cats: 2\n\nInput: three dogs\nOutput: dogs: 3\n\n"
        "Input: five hens\nOutput:"
    )
    assert [t.role for t in prompt.turns] == ["user", "assistant", "user", "assistant", "user"]
    assert prompt.turns[0].text == "Count.\n\ntwo cats"
    assert prompt.turns[-1].text == "five hens"


def test_without_instruction_the_prompt_begins_with_the_input() -> None:
    assert Prompter().render(Query("q", "x")).text == "Input: x\nOutput:"


@pytest.mark.parametrize("nearest", [None, "bm25"])
def test_a_row_is_never_its_own_demonstration(nearest: str | None) -> None:
    shown = Demonstrations(2, ROWS, nearest)
    for row in ROWS:
        ids = [d.id for d in shown.shown(Query(row.id, row.input))]
        assert row.id not in ids
        assert len(ids) == 2
    same_words_other_id = shown.shown(Query("other", "two cats"))
    assert "r0" not in [d.id for d in same_words_other_id]


def test_the_nearest_demonstration_stands_last() -> None:
    shown = Demonstrations(2, ROWS, "bm25").shown(Query("q", "which lamp is red?"))
    assert shown[-1].id == "r2"


def test_fewer_shots_keep_the_first() -> None:
    prompter = Prompter("Count.", Demonstrations(2, ROWS), STOP).with_shots(1)
    assert prompter.render(Query("q", "x")).text.count("Output:") == 2


def test_json_gives_the_same_prompter_back() -> None:
    prompter = Prompter("Count.", Demonstrations(2, ROWS, "bm25"), STOP)
    assert Prompter.from_json(json.loads(json.dumps(prompter.as_json()))) == prompter


def test_labels_are_named_in_the_instruction() -> None:
    assert instruct("Judge.", ("good", "bad")) == "Judge.\nAnswer with one of: good, bad."
    assert instruct(None, ()) is None
    assert instruct(None, ("a", "b")) == "Answer with one of: a, b."
