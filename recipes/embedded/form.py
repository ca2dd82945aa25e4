"""What a family of tasks hands over: a form (one task, its instructions) that makes items.

A family's ``draw(rng)`` returns a `Form`; ``form.make(rng)`` returns an `Item`. Everything that
shall stay the same through an episode (operation, label words, output pattern) is fixed in the
form; everything that differs from example to example is drawn in ``make``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random


@dataclass(frozen=True)
class Item:
    """One example: the input, its answer, and the notes that the answer may rest on."""

    input: str
    answer: str
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True)
class Form:
    """One task as an episode sees it."""

    name: str
    """family/operation, as the probes report it."""
    instructions: tuple[str, ...]
    """Paraphrases; empty where only demonstrations can tell the task."""
    make: Callable[[Random], Item]
    labels: tuple[str, ...] = ()
    """Label words that the instruction lists, if any."""
    repeats: float = 0.08
    """The share of items that repeat an earlier item of the episode exactly."""
    demonstrations: int = 0
    """The least number of demonstrations with which the task can be told."""
