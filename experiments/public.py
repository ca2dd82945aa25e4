"""Public tasks as task files, for the experiments beside this file and for the command line.

    STEPLADDER_SHARED=FOLDER python experiments/public.py xquad --to runs/xquad
    stepladder climb runs/xquad/task.yaml --rungs "zero-shot, rag(k=1), rag(k=1) + lora" --all

    settings = written("tatoeba", Path("../shared/data"), folder, tests=100)

The data are looked for in the `data` of the folder that STEPLADDER_SHARED names. A task is small
enough for the bundled model on two processors, and the first so many test rows are asked, whatever
the seed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import yaml

DATA = Path(os.environ.get("STEPLADDER_SHARED", "../shared")) / "data"
INDUCTION = {
    "sentiment": "Say whether the sentiment of the sentence is positive or negative.",
    "singular_to_plural": "Write the plural.",
    "letters_list": "Write the letters of the word, one by one.",
    "first_word_letter": "Write the first letter of the word.",
    "active_to_passive": "Write the sentence in the passive voice.",
    "negation": "Negate the sentence.",
    "larger_animal": "Write the larger of the two animals.",
}


def induction(data: Path, name: str) -> dict[str, Any]:
    """One of the tasks of instruction induction (Honovich et al. 2022): 200 and 100 rows."""
    folder = data / "instruction_induction"
    found: dict[str, Any] = {
        "data": {part: str(folder / part / f"{name}.jsonl") for part in ("train", "test")},
        "input": "input",
        "references": "outputs",
        "instruction": INDUCTION[name],
        "metrics": ["exact_match", "chrf"],
        "sampling": {"max_new_tokens": 40},
    }
    if name == "sentiment":
        found |= {"labels": ["positive", "negative"], "metrics": ["accuracy"]}
        found["sampling"] = {"max_new_tokens": 8}
    return found


def tatoeba(data: Path) -> dict[str, Any]:
    files = {"train": "train", "dev": "valid", "test": "test"}
    return {
        "data": {part: str(data / f"tatoeba_en_sv/{name}.jsonl") for part, name in files.items()},
        "input": "en",
        "references": "sv",
        "instruction": "Translate into Swedish.",
        "metrics": ["chrf"],
        "sampling": {"max_new_tokens": 32},
        "sample": {"train": 300, "dev": 60},
    }


def dialogsum(data: Path) -> dict[str, Any]:
    folder = data / "dialogsum"
    return {
        "data": {
            "train": str(folder / "dialogsum.train.jsonl.gz"),
            "dev": str(folder / "dialogsum.dev.jsonl"),
            "test": str(folder / "dialogsum.test.jsonl"),
        },
        "id": "fname",
        "input": "dialogue",
        "references": {
            "train": "summary",
            "dev": "summary",
            "test": ["summary1", "summary2", "summary3"],
        },
        "instruction": "Summarize the following conversation.",
        "metrics": ["rougeL"],
        "sampling": {"max_new_tokens": 50},
        "sample": {"train": 120, "dev": 30},
    }


def gsm8k(data: Path) -> dict[str, Any]:
    return {
        "data": {part: str(data / f"gsm8k/{part}.jsonl") for part in ("train", "test")},
        "input": "question",
        "references": "answer",
        "instruction": "Solve the problem.",
        "metrics": ["number"],
        "sampling": {"max_new_tokens": 100},
        "sample": {"train": 800, "dev": 60},
    }


NAMES = (*INDUCTION, "tatoeba", "dialogsum")
"""Tasks that every rung can be tried on; GSM8K and SVAMP want programs, and XQuAD documents."""
LADDER = ("sentiment", "singular_to_plural", "letters_list", "tatoeba", "dialogsum")
"""Those of them that are tried unless others are named."""


def settings_of(name: str, data: Path) -> dict[str, Any]:
    """The task file, without rungs and guards."""
    if name in INDUCTION:
        return induction(data, name)
    return {"tatoeba": tatoeba, "dialogsum": dialogsum, "gsm8k": gsm8k}[name](data)


def written(name: str, data: Path, folder: Path, tests: int) -> dict[str, Any]:
    """The settings, with the first so many test rows in a file of their own."""
    settings = settings_of(name, data)
    test = folder / "test.jsonl"
    with Path(settings["data"]["test"]).open(encoding="utf-8") as rows:
        lines_to(test, islice(rows, tests))
    settings["data"]["test"] = str(test)
    return {"name": name, **settings}


def missing() -> bool:
    """Whether the data are not there, which is said."""
    if not DATA.is_dir():
        print(f"no {DATA}: left out; STEPLADDER_SHARED names a folder of public data")
    return not DATA.is_dir()


def xquad(data: Path, folder: Path) -> dict[str, Any]:
    """Questions on paragraphs: the first half of the articles trains, the other is asked, and the
    paragraphs of both are the documents, a file each. Errors are clustered by paragraph."""
    articles = json.loads((data / "xquad/xquad.en.json").read_text("utf-8"))["data"]
    (folder / "paragraphs").mkdir(exist_ok=True)
    rows: dict[str, list[Mapping[str, str]]] = {"train": [], "test": []}
    for number, article in enumerate(articles):
        part = rows["train" if number < len(articles) / 2 else "test"]
        for place, paragraph in enumerate(article["paragraphs"]):
            name = f"{number:02}-{place}"
            (folder / "paragraphs" / f"{name}.txt").write_text(paragraph["context"], "utf-8")
            part += [
                {
                    "question": row["question"],
                    "answer": row["answers"][0]["text"],
                    "paragraph": name,
                    "gold": paragraph["context"],
                }
                for row in paragraph["qas"]
            ]
    for name, some in rows.items():
        lines_to(folder / f"{name}.jsonl", (json.dumps(row) + "\n" for row in some))
    return {
        "name": "xquad",
        "data": {name: f"{name}.jsonl" for name in rows},
        "input": "question",
        "references": "answer",
        "group": "paragraph",
        "knowledge": {"files": "paragraphs", "gold": "gold"},
        "instruction": "Answer the question.",
        "metrics": ["token_f1", "exact_match"],
        "sampling": {"max_new_tokens": 24},
    }


def svamp(data: Path, folder: Path, tests: int) -> dict[str, Any]:
    """SVAMP's problems, shown and taught by GSM8K's training rows, which have calculator marks."""
    with (data / "pal/svamp.jsonl").open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in islice(lines, tests)]
    asked = [{"question": row["input"], "answer": f"{row['target']:.12g}"} for row in rows]
    lines_to(folder / "test.jsonl", (json.dumps(row) + "\n" for row in asked))
    settings = gsm8k(data)
    files = {**settings["data"], "test": "test.jsonl"}
    return {"name": "svamp", **settings, "data": files}


def lines_to(path: Path, lines: Iterable[str]) -> None:
    path.write_text("".join(lines), encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description="Writes the task file of a public task.")
    names = (*NAMES, "gsm8k", "svamp", "xquad")
    parser.add_argument("task", choices=names)
    parser.add_argument("--to", type=Path, required=True, help="a folder")
    parser.add_argument("--tests", type=int, default=100, help="test items, of all but XQuAD")
    given = parser.parse_args()
    if missing():
        return 0
    given.to.mkdir(parents=True, exist_ok=True)
    if given.task == "xquad":
        settings = xquad(DATA, given.to)
    elif given.task == "svamp":
        settings = svamp(DATA, given.to, given.tests)
    else:
        settings = written(given.task, DATA, given.to, given.tests)
    (given.to / "task.yaml").write_text(yaml.safe_dump(settings, sort_keys=False), "utf-8")
    print(given.to / "task.yaml")
    return 0


if __name__ == "__main__":
    sys.exit(main())
