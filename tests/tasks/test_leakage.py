"""Leakage: planted copies and light paraphrases are found, other sentences are left alone."""

from __future__ import annotations

import json
import random
import string
from pathlib import Path

import pytest

from stepladder.records import Example
from stepladder.tasks import Task, leakage
from stepladder.tasks.leakage import doubles, normalise


def examples(texts: list[str], prefix: str) -> list[Example]:
    return [Example(f"{prefix}{i}", text, ("a",)) for i, text in enumerate(texts)]


def copy(text: str, rng: random.Random) -> str:
    """The same words in other case, spacing or punctuation."""
    bare = text.translate(str.maketrans("", "", string.punctuation))
    return rng.choice([text.upper(), bare.lower(), f"  {text.title()} !", "  ".join(text.split())])


def paraphrase(text: str, vocabulary: list[str], rng: random.Random) -> str:
    """One or two words exchanged with their neighbour, replaced, dropped or inserted."""
    words = text.split()
    for _ in range(rng.choice([1, 2])):
        at = rng.randrange(len(words) - 1)
        match rng.choice(["exchange", "replace", "drop", "insert"]):
            case "exchange":
                words[at], words[at + 1] = words[at + 1], words[at]
            case "replace":
                words[at] = rng.choice(vocabulary)
            case "drop":
                del words[at]
            case _:
                words.insert(at, rng.choice(vocabulary))
    return " ".join(words)


@pytest.mark.parametrize(
    ("left", "right", "kind"),
    [
        ("Tom looked around.", "tom LOOKED around", "exact"),
        ("I don't know; it's well-made.", "I dont know its well made", "exact"),
        ("What is 3 + 4?", "what is 3+4", "exact"),
        ("It costs 1,200 crowns.", "It costs 1200 crowns", "exact"),
        ("今日は天気がいいですね。", "今日は天気がいいですね", "exact"),
        ("今日は天気がいいですよね", "今日は天気がいいですね", "near"),
        ("He has as many books as his father.", "He has just as many books as his father.", "near"),
        ("A tin holds 3 red pens and 4 blue ones.", "A tin holds 3 red pens and 9 blue ones.",
         "numbers"),
        ("Tom looked around.", "Tom looked tired.", None),
        ("What is 3 + 4?", "What is 3 - 4?", None),
        ("46 91", "46 92", None),
        ("I don't think I'll go to Boston.", "I don't think I'll go to college.", None),
        ("This is a picture of Tom's family.", "This is a picture of Tom's wife.", None),
        (":)", ":(", None),
    ],
)  # fmt: skip
def test_what_counts_as_a_double(left: str, right: str, kind: str | None) -> None:
    found = doubles(examples([left], "l"), examples(["Something else.", right], "r"))
    assert [match.kind for match in found] == ([kind] if kind else [])


def test_keys_keep_numbers_apart() -> None:
    assert normalise("Don't PANIC -- it's 3 + 4!") == "dontpanicits3+4"
    assert normalise("1 2") != normalise("12")


@pytest.mark.parametrize(
    ("file", "field", "least_words", "least_near", "most_alarms"),
    [
        ("dialogsum/dialogsum.dev.jsonl", "dialogue", 3, 49, 2),
        ("gsm8k/test.jsonl", "question", 3, 47, 0),
        # Short sentences: a second changed word makes another sentence.
        ("tatoeba_en_sv/train.jsonl", "en", 9, 24, 4),
    ],
)
def test_recall_and_false_alarms_on_planted_rows(
    shared_data: Path, file: str, field: str, least_words: int, least_near: int, most_alarms: int
) -> None:
    """50 copies and 50 light paraphrases among real rows; alarms are true doubles in DialogSum."""
    with (shared_data / file).open(encoding="utf-8") as lines:
        texts = [json.loads(line)[field] for line in lines]
    rng = random.Random(3)
    rng.shuffle(texts)
    pool, clean = texts[: len(texts) * 3 // 5], texts[len(texts) * 3 // 5 :][:400]
    vocabulary = " ".join(pool[:300]).split()
    sources = rng.sample([text for text in pool if len(text.split()) >= least_words], 100)
    copies = examples([copy(text, rng) for text in sources[:50]], "copy")
    light = examples([paraphrase(text, vocabulary, rng) for text in sources[50:]], "light")
    found = doubles([*copies, *light, *examples(clean, "clean")], examples(pool, "pool"))
    exact = [m for m in found if m.kind == "exact" and m.id.startswith("copy")]
    near = [m for m in found if m.kind == "near" and m.id.startswith("light")]
    alarms = [m for m in found if m.kind != "numbers" and m.id.startswith("clean")]
    # A number without its decimal point is another number, so not every stripped copy is exact.
    assert len(exact) >= 47
    assert len(near) >= least_near
    assert len(alarms) <= most_alarms


def test_a_task_is_told_in_sentences() -> None:
    def row(text: str) -> dict[str, str]:
        return {"q": text, "a": "x"}

    task = Task.from_rows(
        {
            "train": [row("The old house on the hill is for sale."), row("Hello there!")],
            "dev": [row("hello there"), row("Good night.")],
            "test": [row("The old house on the hill is now for sale."), row("Hello, there.")],
        },
        input="q",
        references="a",
        metrics=["bleu"],
    )
    found = leakage(task)
    assert found.lines() == (
        "test: 2 of 2 inputs are in train too (1 exactly, 1 nearly)",
        "test: 1 of 2 inputs is in dev too (1 exactly, 0 nearly)",
        "dev: 1 of 2 inputs is in train too (1 exactly, 0 nearly)",
    )
    assert (found.pairs[0].id, found.pairs[0].other_id) == (task.test[0].id, task.train[0].id)


def test_thousands_of_equal_inputs_give_one_pair_each() -> None:
    pool = examples(["yes, this is one and the same long enough sentence"] * 3000, "p")
    found = doubles(examples([pool[0].input] * 2000, "o"), pool)
    assert len(found) == 2000
    assert {match.other_id for match in found} == {"p0"}
