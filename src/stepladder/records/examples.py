"""What a task holds, and what of it a prompter sees."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Query:
    """An example without its references: all that a prompter ever sees of a test item."""

    id: str
    input: str
    """The task's input field or template, filled in."""


@dataclass(frozen=True, slots=True)
class Example:
    """One row of a task."""

    id: str
    input: str
    references: tuple[str, ...]
    """Accepted answers, at least one; training uses the first."""
    group: str | None = None
    """Rows of one group are not independent: errors are clustered, and splits keep it whole."""
    program: str | None = None
    """Python that comes to the answer, for rows to learn from or to show; None where there is none
    and for test rows."""
    gold: tuple[str, ...] = ()
    """Texts of the passages in which the answer stands, or names of their sources, to measure
    retrieval by; no method shows them."""

    @property
    def query(self) -> Query:
        return Query(self.id, self.input)
