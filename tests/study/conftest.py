"""A task of upper-casing words, and an engine that can do it only when it is shown how."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stepladder.engines.fake import FakeEngine
from stepladder.records import Capabilities, Checkpoint
from stepladder.tasks import Task


def loud_if_shown(prompt: str) -> str:
    """Upper case where the prompt holds a demonstration; else the input as it is."""
    word = prompt.rsplit("Input: ", 1)[1].removesuffix("\nOutput:")
    return f" {word.upper()}" if prompt.count("Output:") > 1 else f" {word}"


@pytest.fixture
def make_task() -> Callable[..., Task]:
    def make(test: int = 120, **settings: Any) -> Task:
        def rows(split: str, count: int) -> list[dict[str, str]]:
            return [
                {"id": f"{split}{i}", "text": f"word{split}{i}", "loud": f"WORD{split}{i}".upper()}
                for i in range(count)
            ]

        given = {
            "name": "loud",
            "id": "id",
            "input": "text",
            "references": "loud",
            "instruction": "Write it loud.",
            "metrics": ["exact_match(case=yes)", "token_f1"],
            "sampling": {"max_new_tokens": 8},
            "rungs": ["zero-shot", "one-shot", "few-shot(3)"],
        }
        splits = {"train": rows("a", 20), "dev": rows("b", 5), "test": rows("c", test)}
        return Task.from_rows(splits, **(given | settings))

    return make


@pytest.fixture
def checkpoint(tmp_path: Path) -> Checkpoint:
    return Checkpoint("fake", tmp_path, "0" * 64, Capabilities(), parameters=1000)


@pytest.fixture
def open_fake() -> Callable[[Checkpoint], FakeEngine]:
    return lambda checkpoint: FakeEngine(loud_if_shown)


@pytest.fixture
def shown_how() -> Callable[[str], str]:
    return loud_if_shown
