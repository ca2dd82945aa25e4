"""Public tasks as settings of a task file, for the experiments beside this file.

    settings = written("tatoeba", Path("../shared/data"), folder, tests=100)

The data are looked for in the `data` of the folder that STEPLADDER_SHARED names. A task is small
enough for the bundled model on two processors, and the first so many test rows are asked, whatever
the seed.
"""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path
from typing import Any

DATA = Path(os.environ.get("STEPLADDER_SHARED", "../shared")) / "data"
INDUCTION = {
    "sentiment": "Say whether the sentiment of the sentence is positive or negative.",
    "singular_to_plural": "Write the plural.",
    "letters_list": "Write the letters of the word, one by one.",
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


NAMES = (*INDUCTION, "tatoeba", "dialogsum")


def settings_of(name: str, data: Path) -> dict[str, Any]:
    """The task file, without rungs and guards."""
    if name in INDUCTION:
        return induction(data, name)
    return {"tatoeba": tatoeba, "dialogsum": dialogsum}[name](data)


def written(name: str, data: Path, folder: Path, tests: int) -> dict[str, Any]:
    """The settings, with the first so many test rows in a file of their own."""
    settings = settings_of(name, data)
    test = folder / "test.jsonl"
    with Path(settings["data"]["test"]).open(encoding="utf-8") as rows:
        test.write_text("".join(islice(rows, tests)), encoding="utf-8")
    settings["data"]["test"] = str(test)
    return {"name": name, **settings}


def missing() -> bool:
    """Whether the data are not there, which is said."""
    if not DATA.is_dir():
        print(f"no {DATA}: left out; STEPLADDER_SHARED names a folder of public data")
    return not DATA.is_dir()
