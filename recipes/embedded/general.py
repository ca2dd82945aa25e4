"""The guard set `general`: small tasks that the embedded model knows, and held-out text.

    python -m recipes.embedded.general src/stepladder/general

Its rows are drawn by the families that the model was trained on, from a seed of their own, so that
what a later training takes from it shows. Short ones, such as a sentence of four words, may stand
in the training word for word; the text as a whole does not. `write` makes each task's rows; its
task files are written by hand.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

from .families import stories, swedish, topics
from .families.questions import passage
from .families.rewriting import WORD_OPERATIONS
from .form import Item

SEED = 11
SIZES = {"train": 100, "test": 300}
TEXT_BYTES = 16_000
TOPICS = ("food", "money", "music", "school", "sport", "travel", "weather")


def _topic(rng: Random) -> Item:
    topic = rng.choice(TOPICS)
    return Item(topics.sentence(rng, topic), topic)


def _translated(rng: Random) -> Item:
    return Item(*swedish.sentence(rng))


_DRAWN: dict[str, Callable[[Random], Item]] = {
    "labels": _topic,
    "reading": passage,
    "rewriting": WORD_OPERATIONS["past"][1],
    "translation": _translated,
}
NAMES = tuple(_DRAWN)


def rows(name: str, seed: int = SEED) -> dict[str, list[dict[str, str]]]:
    """Split -> rows with id, input and answer; no input occurs twice."""
    rng, seen = Random(f"general/{name}/{seed}"), set[str]()
    out: dict[str, list[dict[str, str]]] = {}
    for split, size in SIZES.items():
        out[split] = []
        while len(out[split]) < size:
            item = _DRAWN[name](rng)
            if item.input not in seen:
                seen.add(item.input)
                id = f"{split}-{len(out[split]) + 1:03d}"
                out[split].append({"id": id, "input": item.input, "answer": item.answer})
    return out


def text(seed: int = SEED) -> str:
    """Plain texts as the training reads them, one after the other."""
    rng, parts, size = Random(f"general/text/{seed}"), list[str](), 0
    while size < TEXT_BYTES:
        parts.append(stories.text(rng))
        size += len(parts[-1].encode())
    return "\n\n".join(parts) + "\n"


def write(folder: Path) -> None:
    """The rows of every task, and the text."""
    for name in NAMES:
        (folder / name).mkdir(parents=True, exist_ok=True)
        for split, part in rows(name).items():
            lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in part)
            (folder / name / f"{split}.jsonl").write_text("".join(lines), encoding="utf-8")
    (folder / "held-out.txt").write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
