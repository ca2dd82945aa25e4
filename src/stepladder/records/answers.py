"""What a reader makes of a completion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from stepladder.records.asking import Failure, Finish

Fate = Literal[
    "answered", "no answer", "no program", "syntax", "name", "timeout", "memory", "refused", "error"
]
"""What became of a program: it gave an answer, right or not; it set none; there was none in the
completion; it is no Python; it uses an unknown name; it took too long; it took too much memory,
output or depth; it asked for what programs do not get; another fault of its own."""


@dataclass(frozen=True, slots=True)
class ProgramRun:
    """A program that a model wrote, and what became of it."""

    program: str
    fate: Fate
    answer: str = ""
    """As text; empty unless the fate is `answered`."""
    output: str = ""
    """What it printed."""
    detail: str = ""
    """The fault's own message, or the reason for a refusal."""
    sandbox: Literal["monty", "cpython"] | None = None
    """None where it was not run."""
    seconds: float = 0.0
    """Of running it, its sandbox's start included."""


@dataclass(frozen=True, slots=True)
class Generation:
    """One answered query."""

    id: str
    prompt: str
    """As rendered for the model."""
    text: str
    """The completion."""
    answer: str
    """What the reader took from it; empty after a failure."""
    tokens_in: int | None
    tokens_out: int | None
    seconds: float | None
    finish: Finish | None
    """None where it cannot be known (a file of outputs)."""
    failure: Failure | None = None
    runs: tuple[ProgramRun, ...] = ()
    """The programs behind the answer, one a sample, where the reader runs them."""
    probability: float | None = None
    """Of the answer, where the engine tells it."""
