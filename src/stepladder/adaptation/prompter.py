r"""A prompter is data: instruction, evidence, demonstrations, stop strings. All render alike.

    >>> shown = (Demonstration("r1", "two cats", "cats: 2"),)
    >>> prompter = Prompter("Count.", Demonstrations(1, shown), stop=STOP)
    >>> prompter.render(Query("q", "three dogs")).text
    'Count.\n\nInput: two cats\nOutput: cats: 2\n\nInput: three dogs\nOutput:'

The cue ends without a space, and the answer brings it (`Prompt.joint`): a trailing space would be a
token of its own that models hardly ever saw before a word.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace

from stepladder.adaptation.evidence import Evidence
from stepladder.records import Json, Prompt, Query, Turn
from stepladder.retrieval import open_search

STOP = ("\nInput:",)
"""Brought by every method that shows examples, so that a base model does not go on with another."""


@dataclass(frozen=True, slots=True)
class Demonstration:
    """A training row as it is shown."""

    id: str
    input: str
    answer: str


@dataclass(frozen=True, slots=True)
class Demonstrations:
    """Which demonstrations a query is shown: the first of a pool, or the nearest in it."""

    k: int
    pool: tuple[Demonstration, ...]
    """Fixed: k rows and one to spare, for a query that is among them. Nearest: all rows."""
    nearest: str | None = None
    """`bm25`, or the name or folder of a sentence encoder; None: fixed."""
    apart: bool = False
    """A training behind it does not learn from the rows of the pool."""

    def shown(self, query: Query) -> list[Demonstration]:
        """At most k demonstrations, none of them the query itself; the nearest stands last."""
        chosen: list[Demonstration] = []
        for demonstration in self._in_order(query):
            if len(chosen) == self.k:
                break
            if demonstration.id != query.id and demonstration.input != query.input:
                chosen.append(demonstration)
        return chosen[::-1] if self.nearest else chosen

    def _in_order(self, query: Query) -> Iterator[Demonstration]:
        if self.nearest is None or self.k == 0:
            yield from self.pool
            return
        search = open_search(self.nearest, tuple(d.input for d in self.pool))
        yield from (self.pool[i] for i in search.ranked(query.input))


@dataclass(frozen=True, slots=True)
class Prompter:
    """The sections of a prompt."""

    instruction: str | None = None
    demonstrations: Demonstrations | None = None
    stop: tuple[str, ...] = ()
    evidence: Evidence | None = None
    """Stands before every input, a demonstration's too."""
    input_alone: bool = False
    """The input as it is: what features are taken of."""

    def render(self, query: Query) -> Prompt:
        """The prompt of one query, as plain text and as turns of a chat."""
        if self.input_alone:
            return Prompt(query.input, (Turn("user", query.input),))
        pairs = self.demonstrations.shown(query) if self.demonstrations else []
        queries = [*(Query(d.id, d.input) for d in pairs), query]
        evidence = [self.evidence.section(q) if self.evidence else "" for q in queries]
        given = [f"{e}Input: {q.input}" for e, q in zip(evidence, queries, strict=True)]
        blocks = [f"{g}\nOutput: {d.answer}" for g, d in zip(given, pairs, strict=False)]
        blocks.append(f"{given[-1]}\nOutput:")
        head = [self.instruction] if self.instruction else []
        # A turn is an input by itself, and is named one only beside its evidence.
        asked = [g if e else q.input for g, e, q in zip(given, evidence, queries, strict=True)]
        asked[0] = "\n\n".join([*head, asked[0]])
        turns: list[Turn] = []
        for text, pair in zip(asked, pairs, strict=False):
            turns += [Turn("user", text), Turn("assistant", pair.answer)]
        turns.append(Turn("user", asked[-1]))
        return Prompt("\n\n".join([*head, *blocks]), tuple(turns), joint=" ")

    def with_shots(self, k: int) -> Prompter:
        """The same prompter, showing fewer demonstrations."""
        if self.demonstrations is None:
            return self
        return replace(self, demonstrations=replace(self.demonstrations, k=k))

    def with_passages(self, k: int) -> Prompter:
        """The same prompter, showing fewer passages."""
        if self.evidence is None:
            return self
        return replace(self, evidence=replace(self.evidence, k=k))

    def as_json(self) -> Json:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Json) -> Prompter:
        shown = data["demonstrations"]
        if shown is not None:
            pool = tuple(Demonstration(**row) for row in shown["pool"])
            apart = shown.get("apart", False)
            shown = Demonstrations(shown["k"], pool, shown["nearest"], apart)
        evidence = data.get("evidence")
        found = Evidence.from_json(evidence) if evidence else None
        alone = data.get("input_alone", False)
        return cls(data["instruction"], shown, tuple(data["stop"]), found, alone)


def instruct(
    instruction: str | None, labels: tuple[str, ...], abstain: str | None = None
) -> str | None:
    """The instruction section: the task's own words, the choice where there are labels, and what
    to write where an answer cannot be known, if the task allows that."""
    choice = f"Answer with one of: {', '.join(labels)}." if labels else None
    unknown = f"If it cannot be known, write: {abstain}" if abstain else None
    return "\n".join(filter(None, (instruction, choice, unknown))) or None
