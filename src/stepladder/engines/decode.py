"""Answers from a decoder on the shared path: prefixes once, rows that come and go.

    runner = SharedRunner(shared, budget, ends=frozenset({1}), tokenizer=tokenizer)
    for answered in runner.answers(asks, Sampling(max_new_tokens=32)):
        ...                                      # row by row, as they end

Rows at work lie in the first slots of a cache; each step brings one token of each. A row that ends
leaves at once, and once an eighth of the slots is free waiting rows take their place. Rows of one
cache differ by a factor of two in length at most, so little of it lies idle. This module needs
torch; import it where a model is at work.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import torch

from stepladder.engines.asking import Answer, Answered, Ask, Look
from stepladder.engines.cache import Prefix, RowCache
from stepladder.engines.decoding import Chooser, StopFinder, ending, row_numbers
from stepladder.engines.memory import Budget
from stepladder.engines.packed import (
    PASS_TOKENS,
    PassRow,
    Prefixes,
    Prepared,
    SharedModel,
    chunks,
    layout,
    packed,
    segments,
)
from stepladder.engines.prefix_tree import Line, Node, grow
from stepladder.engines.shared_attention import Held, Pass, Segment
from stepladder.records import Sampling

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

MOST_ROWS = 256
"""Rows of a batch at most: beyond it a step only takes longer, and Ctrl-C with it."""
_REFILL = 8
"""Waiting rows come in once this part of the slots is free (one eighth)."""
_NODE_COST = 64
_NODE_STEP_COST = 2
"""A node is made where it saves more tokens than 64 and 2 a step: what its own pass and its product
in every layer cost beside the computing of a token (measured, docs/log.md)."""


def node_cost(new_tokens: int) -> int:
    """Tokens of computing that a node of the prefix tree costs."""
    return _NODE_COST + _NODE_STEP_COST * new_tokens


@dataclass(eq=False)
class _Row:
    """A row from waiting to its end."""

    ask: Ask
    home: Node | None
    own: tuple[int, ...]
    numbers: list[float]
    tokens: list[int] = field(default_factory=list)
    seconds: float = 0.0
    prefixes: tuple[Prefix, ...] = ()

    @property
    def start(self) -> int:
        return self.home.end if self.home else 0

    def begin_again(self) -> None:
        self.tokens, self.prefixes = [], ()


class SharedRunner:
    """Asks rows of a decoder on the shared path."""

    def __init__(
        self,
        shared: SharedModel,
        budget: Budget,
        *,
        ends: frozenset[int],
        tokenizer: PreTrainedTokenizerBase,
    ) -> None:
        self.shared = shared
        self.budget = budget
        self.ends = ends
        self._tokenizer = tokenizer
        self.near_ties = 0
        """Greedy steps whose two best logits lay within 1e-4, of all rows so far."""

    def answers(
        self, asks: Sequence[Ask], sampling: Sampling, look: Look | None = None
    ) -> Iterator[Answered]:
        """Every ask's answer, as they end. Raises EngineError where memory is short for a single
        row."""
        waiting = deque(self._rows(asks, sampling))
        prefixes = Prefixes(self.shared, lines=len(asks))
        while waiting:
            capacity = max(len(r.own) for r in waiting) + sampling.max_new_tokens
            slots = max(1, min(self.budget.tokens // capacity, len(waiting), MOST_ROWS))
            cache = RowCache(self.shared.layers, slots, capacity)
            desk = _Desk(self, cache, prefixes, sampling, look)
            while waiting or desk.rows:
                came = desk.coming(waiting)
                if not came and not desk.rows:
                    break
                at_work = [*desk.rows, *came]
                ended = self.budget.within(
                    partial(desk.work, came),
                    rows=len(at_work),
                    longest=max(len(r.ask.ids) for r in at_work),
                    tokens=slots * capacity,
                )
                if ended is None:
                    for row in reversed(at_work):
                        row.begin_again()
                        waiting.appendleft(row)
                    prefixes.clear()
                    break
                for row, answer in ended:
                    yield Answered(row.ask.key, answer, row.seconds)

    def _rows(self, asks: Sequence[Ask], sampling: Sampling) -> list[_Row]:
        """The widest band of lengths first, in it the branches of the tree one after another."""
        lines = [Line(ask.ids, len(ask.ids) - 1) for ask in asks]
        homes = grow(lines, cost=node_cost(sampling.max_new_tokens))
        drawn = sampling.temperature > 0
        rows = []
        for ask, home in zip(asks, homes, strict=True):
            own = ask.ids[home.end if home else 0 :]
            numbers = row_numbers(ask.seed, sampling.max_new_tokens).tolist() if drawn else []
            rows.append(_Row(ask, home, own, numbers))
        order = {home: place for place, home in enumerate(dict.fromkeys(homes))}
        return sorted(
            rows,
            key=lambda r: (
                -(len(r.own) + sampling.max_new_tokens).bit_length(),
                order[r.home],
                -len(r.own),
            ),
        )

    def finder(self, sampling: Sampling) -> StopFinder:
        return StopFinder(self._tokenizer, sampling.stop)


_Ended = list[tuple[_Row, Answer]]


class _Fixed(NamedTuple):
    """What stays from step to step until a row comes or goes."""

    slots: torch.Tensor
    starts: torch.Tensor
    segments: list[Segment]


class _Desk:
    """Rows at work in one cache; the row at `rows[i]` lies in slot i."""

    def __init__(
        self,
        runner: SharedRunner,
        cache: RowCache,
        prefixes: Prefixes,
        sampling: Sampling,
        look: Look | None,
    ) -> None:
        self._runner = runner
        self._shared = runner.shared
        self._cache = cache
        self._prefixes = prefixes
        self._sampling = sampling
        self._look = look
        self._chooser = Chooser(sampling)
        self._finder = runner.finder(sampling)
        self.rows: list[_Row] = []
        self._fixed: _Fixed | None = None

    def coming(self, waiting: deque[_Row]) -> list[_Row]:
        """Takes the rows that come in now from those that wait."""
        free = self._cache.slots - len(self.rows)
        if self.rows and free * _REFILL < self._cache.slots:
            return []
        came: list[_Row] = []
        while waiting and len(came) < free:
            need = len(waiting[0].own) + self._sampling.max_new_tokens
            if need > self._cache.capacity or 2 * need < self._cache.capacity:
                break
            came.append(waiting.popleft())
        return came

    def work(self, came: Sequence[_Row]) -> _Ended:
        """Lets rows in, or takes a step with those that are there; those that end by it."""
        return self._admit(came) if came else self._step()

    def _admit(self, came: Sequence[_Row]) -> _Ended:
        begin, before = time.perf_counter(), len(self.rows)
        self._prefixes.compute(row.home for row in came)
        for row in came:
            row.prefixes = self._prefixes.before(row.home)
        limit = min(PASS_TOKENS, self._runner.budget.tokens)
        brought = (PassRow(row.own, row.start, row.prefixes) for row in came)
        self._fixed = None
        for chunk in chunks(brought, limit):
            first = len(self.rows)
            self.rows += came[first - before : first - before + len(chunk)]
            self._prefill(chunk, first)
        self._bill(came, time.perf_counter() - begin)
        return self._leave()

    def _prefill(self, chunk: Sequence[PassRow], first: int) -> None:
        """The first token of each row; they lie in slots from `first` on."""
        device = self._shared.device
        to = layout([len(row.tokens) for row in chunk], device)
        self._cache.write(to.rows + first, to.places)
        self._take(self.rows[first:], packed(chunk, device), to.last)

    def _step(self) -> _Ended:
        begin = time.perf_counter()
        if self._fixed is None:
            self._fixed = _fixed(self.rows, self._shared.device)
        fixed, device = self._fixed, self._shared.device
        places = [len(row.own) + len(row.tokens) - 1 for row in self.rows]
        width = max(places) + 1
        where = torch.tensor(places, device=device)
        self._cache.write(fixed.slots, where, read=(len(self.rows), width))
        plan = Pass(fixed.starts + where, fixed.segments, Held(fixed.starts), width)
        ids = torch.tensor([row.tokens[-1] for row in self.rows], device=device)
        self._take(self.rows, Prepared(plan, ids), None)
        self._bill(self.rows, time.perf_counter() - begin)
        return self._leave()

    def _take(self, rows: Sequence[_Row], pass_: Prepared, keep: torch.Tensor | None) -> None:
        """The next token of each of these rows, behind the kept tokens of a pass."""
        if self._chooser.greedy:
            chosen = self._shared.lead(pass_, self._cache, keep).chosen()
        else:
            numbers = [row.numbers[len(row.tokens)] for row in rows]
            logits = self._shared.forward(pass_, self._cache, keep)
            chosen = self._chooser.choose(logits, numbers)
        self._runner.near_ties += chosen.near_ties
        for row, token in zip(rows, chosen.tokens, strict=True):
            row.tokens.append(token)

    def _bill(self, rows: Sequence[_Row], seconds: float) -> None:
        for row in rows:
            row.seconds += seconds / len(rows)

    def _leave(self) -> _Ended:
        """Takes out the rows that have ended, and closes the gaps with the last ones."""
        ended: _Ended = []
        stay: list[int] = []
        for place, row in enumerate(self.rows):
            answer = ending(
                row.tokens,
                self._runner.ends,
                self._sampling.max_new_tokens,
                self._finder,
                self._look,
            )
            if answer is None:
                stay.append(place)
            else:
                ended.append((row, answer))
        if ended:
            self._close_gaps(stay)
            for row, _ in ended:
                self._prefixes.leave(row.home)
        return ended

    def _close_gaps(self, stay: Sequence[int]) -> None:
        kept = set(stay)
        gaps = [place for place in range(len(stay)) if place not in kept]
        movers = [place for place in stay if place >= len(stay)]
        if movers:
            longest = max(len(self.rows[m].own) + len(self.rows[m].tokens) for m in movers)
            self._cache.move(movers, gaps, longest)
        for mover, gap in zip(movers, gaps, strict=True):
            self.rows[gap] = self.rows[mover]
        del self.rows[len(stay) :]
        self._fixed = None


def _fixed(rows: Sequence[_Row], device: torch.device) -> _Fixed:
    return _Fixed(
        slots=torch.arange(len(rows), device=device),
        starts=torch.tensor([row.start for row in rows], device=device),
        segments=segments([(row.prefixes, 1) for row in rows], device),
    )
