"""The bundled sample tasks: rows drawn by code from a seed, in forms that the training never holds.

    python -m recipes.embedded.samples src/stepladder/samples

A sample's module has ``row(rng)``, which draws one row; ``shop_questions`` draws its notes first
and splits them, so that no question of the test is on a note of the training rows.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from random import Random

from . import inbox_labels, phrasebook, shop_questions, support_notes, till_sums

SEED = 7
SIZES = {"train": 400, "dev": 100, "test": 300}
_Row = dict[str, str]
_DRAWN: dict[str, Callable[[Random], _Row]] = {
    "support-notes": support_notes.row,
    "till-sums": till_sums.row,
    "inbox-labels": inbox_labels.row,
    "phrasebook": phrasebook.row,
}
NAMES = (*_DRAWN, "shop-questions")


def rows(name: str, seed: int = SEED) -> dict[str, list[_Row]]:
    """Split -> rows, each with an id; no first field (the input) occurs twice."""
    rng = Random(f"{name}/{seed}")
    if name == "shop-questions":
        return {split: _named(split, part) for split, part in shop_questions.rows(rng, SIZES)}
    out: dict[str, list[_Row]] = {}
    seen: set[str] = set()
    for split, size in SIZES.items():
        part: list[_Row] = []
        while len(part) < size:
            row = _DRAWN[name](rng)
            if (first := next(iter(row.values()))) not in seen:
                seen.add(first)
                part.append(row)
        out[split] = _named(split, part)
    return out


def _named(split: str, part: list[_Row]) -> list[_Row]:
    return [{"id": f"{split}-{number:03d}", **row} for number, row in enumerate(part, 1)]


def notes(seed: int = SEED) -> dict[str, str]:
    """File name -> text: the notes of ``shop-questions``."""
    return shop_questions.files(Random(f"shop-questions/{seed}"))


def write(folder: Path) -> None:
    """The three files of every sample, and the notes."""
    for name in NAMES:
        (folder / name).mkdir(parents=True, exist_ok=True)
        for split, part in rows(name).items():
            lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in part)
            (folder / name / f"{split}.jsonl").write_text("".join(lines), encoding="utf-8")
    shelf = folder / "shop-questions/notes"
    shelf.mkdir(exist_ok=True)
    for file, text in notes().items():
        (shelf / file).write_text(text, encoding="utf-8")
