"""What cannot work is told in a line, before anything is spent where it can be known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stepladder.checkpoints import resolve
from stepladder.engines.hf import HFEngine
from stepladder.errors import RungError
from stepladder.ledger import Ledger
from stepladder.study import Study
from stepladder.study.check import foresee
from stepladder.study.plan import make_plan
from stepladder.tasks import Task


def task_of(labels: list[str], train: int = 12, **settings: Any) -> Task:
    def rows(count: int) -> list[dict[str, str]]:
        return [{"x": f"the cat {i}", "y": labels[i % len(labels)]} for i in range(count)]

    given = {
        "name": "t",
        "input": "x",
        "references": "y",
        "labels": labels,
        "metrics": ["accuracy"],
        "sampling": {"max_new_tokens": 4},
    }
    splits = {"train": rows(train), "test": rows(10)}
    return Task.from_rows(splits, **(given | settings))


@pytest.fixture
def few_letters(tmp_path: Path, tiny_llama: Path) -> Path:
    """The minute model with a tokenizer of five words and one token for all else."""
    import shutil

    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    folder = tmp_path / "few"
    shutil.copytree(tiny_llama, folder)
    words = ["<pad>", "<eos>", "<unk>", "the", "cat", "yes", "Input", "Output"]
    vocabulary = {word: number for number, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>"
    ).save_pretrained(folder)
    return folder


def test_a_label_that_the_tokenizer_cannot_write_fails_the_rungs_that_write(
    few_letters: Path, tmp_path: Path
) -> None:
    task = task_of(["yes", "ναι"], rungs=["zero-shot", "features"])
    said = "cannot write 1 of the 2 labels: 'ναι' becomes ''"
    plan = make_plan(task, [resolve(str(few_letters))])
    notes = {p.name: p.notes for p in foresee(plan, tmp_path / "none.db").predictions}
    assert said in notes["zero-shot"][0] and notes["features"] == ()
    study = Study(task, [str(few_letters)], ledger=tmp_path / "ledger.db", go_on=True)
    zero, features = study.climb().rungs
    assert zero.state == "failed" and said in (zero.error or "")
    assert features.state == "measured"


def test_labels_of_any_script_can_be_written_in_bytes(tiny_llama: Path, tiny_t5: Path) -> None:
    labels = ["yes", "ναι", "はい", "👍 up", "Yes, of course!"]
    for folder in (tiny_llama, tiny_t5):
        assert HFEngine(resolve(str(folder))).unwritable(labels) == {}


def test_three_training_rows_go_on_and_it_is_said_that_dev_has_none(
    tiny_llama: Path, tmp_path: Path
) -> None:
    task = task_of(["yes", "no"], train=3, rungs=["features", "lora(epochs=1, rank=2)"])
    assert not task.dev and any("dev is made: 0 of 3 rows" in note for note in task.notes)
    plan = make_plan(task, [resolve(str(tiny_llama))])
    notes = {p.name: p.notes for p in foresee(plan, tmp_path / "none.db").predictions}
    assert notes["lora(epochs=1, rank=2)"] == ("no dev rows: its training stops by its plan alone",)
    url = tmp_path / "ledger.db"
    summary = Study(task, [str(tiny_llama)], name="s", ledger=url, go_on=True).climb()
    features, lora = summary.rungs
    assert features.notes == ("too few training rows to cross-validate; C is 0.01 untried",)
    assert "there were no dev rows, so its training stopped by its plan alone" in lora.notes
    assert lora.state == features.state == "measured"
    with Ledger.open(url, create=False) as ledger:
        assert sum(1 for _ in ledger.study("s").events("adapted")) == 2


def test_a_soft_prompt_that_leaves_no_row_any_room_is_told_beforehand(
    tiny_llama: Path, tmp_path: Path
) -> None:
    asked = "what did the dog say when it saw {x}"
    rungs = ["zero-shot", "prompt-tuning(250, epochs=1)"]
    task = task_of(["yes", "no"], input=asked, rungs=rungs)
    said = "none of the 10 training rows fits the model's context of 256 tokens, of which the soft"
    plan = make_plan(task, [resolve(str(tiny_llama))])
    (note,) = [
        note
        for p in foresee(plan, tmp_path / "none.db").predictions
        for note in p.notes
        if note.startswith("will fail")
    ]
    assert said in note and "prompt takes 250; take fewer virtual tokens" in note
    study = Study(task, [str(tiny_llama)], ledger=tmp_path / "ledger.db", go_on=True)
    _, tuned = study.climb().rungs
    assert tuned.state == "failed" and said in (tuned.error or "")


@pytest.mark.parametrize("second", ["full", "full + lora", "prompt-tuning(3)"])
def test_what_would_lose_a_soft_prompt_is_refused_before_it_is_trained(
    tiny_llama: Path, second: str
) -> None:
    task = task_of(["yes", "no"])
    rung = f"lora + prompt-tuning(3) + few-shot(1) + {second}"
    with pytest.raises(RungError, match="behind a soft prompt, which would be lost"):
        make_plan(task, [resolve(str(tiny_llama))], [rung])
    kept = ["prompt-tuning(3) + few-shot(1) + lora", "full + few-shot(1) + prompt-tuning(3)"]
    assert len(make_plan(task, [resolve(str(tiny_llama))], kept).rungs) == 2
