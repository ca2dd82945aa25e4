"""Splits and samples by a seeded hash, so that no row moves when others are added.

Each example (its group where there is one, its input elsewhere) has a fixed place in [0, 1) under a
seed. A missing dev takes the places from 0 to .1, a missing test those from .1 to .2, and train
keeps the rest: 80/10/10 where both are missing. Rows with the same input share a place and so never
stand on both sides of a split.

    made, notes = make_splits({"all": examples}, seed=0)
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from stepladder.records import Example

SPLITS = ("train", "dev", "test")

_SHARES: Mapping[str, tuple[float, float]] = {"dev": (0.0, 0.1), "test": (0.1, 0.2)}


class Splits(NamedTuple):
    """The three splits, and what was decided to make them."""

    examples: dict[str, list[Example]]
    notes: list[str]


def place(seed: int, text: str, salt: str) -> float:
    """A number in [0, 1), uniform over texts, fixed by its arguments. `salt` names the use, so
    that a sample of a made split is not the same end of the same line."""
    digest = hashlib.sha256(f"{salt}\n{seed}\n{text}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def make_splits(given: Mapping[str, Sequence[Example]], seed: int) -> Splits:
    """Fills in the splits that were not given from train, or from `all` where one file came.

    Without train rows nothing is made: prompting without examples and scoring need only test.
    """
    examples: dict[str, list[Example]] = {split: list(given.get(split, ())) for split in SPLITS}
    missing = [split for split in _SHARES if split not in given]
    pool = list(given.get("all", examples["train"]))
    notes: list[str] = []
    if not pool or not missing:
        return Splits(examples, notes)
    shares = {split: _SHARES[split] for split in missing}
    unit = "group" if any(e.group is not None for e in pool) else "input"
    examples["train"] = []
    for example in pool:
        key = example.input if example.group is None else example.group
        at = place(seed, key, "split")
        owner = next((s for s, (low, high) in shares.items() if low <= at < high), "train")
        examples[owner].append(example)
    origin = "the one file" if "all" in given else "train"
    for split in missing:
        notes.append(
            f"{split} is made: {len(examples[split]):,} of {len(pool):,} rows of {origin} (10 % "
            f"by a hash of the {unit}, seed {seed})"
        )
    return Splits(examples, notes)


def sample(examples: Sequence[Example], count: int, seed: int) -> list[Example]:
    """`count` of the examples, those with the lowest places, in their order."""
    if count >= len(examples):
        return list(examples)
    ranked = sorted(range(len(examples)), key=lambda i: place(seed, examples[i].id, "sample"))
    return [examples[i] for i in sorted(ranked[:count])]
