"""Forward passes of a decoder over rows that share prefixes, packed one behind the other.

    shared = SharedModel(model, PrefixStore(2**29))
    rows = [PassRow(own_ids, start=600, prefixes=(root,)), ...]
    logits = shared.forward(packed(rows, shared.device), cache, keep)

The model must be one that `proof` has let through. This module needs torch; import it where a model
is at work.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch

from stepladder.engines.cache import PassedCache, Prefix, PrefixStore
from stepladder.engines.decoding import Lead
from stepladder.engines.prefix_tree import Node
from stepladder.engines.screening import Head
from stepladder.engines.shared_attention import Packed, Pass, Segment, running

PASS_TOKENS = 2048
"""Tokens of a packed pass, unless a single row has more: beyond it the layers' activations fall out
of the processor's cache, and nothing is gained."""


class PassRow(NamedTuple):
    """What a pass computes of one row."""

    tokens: tuple[int, ...]
    start: int
    """Position of the first of them."""
    prefixes: tuple[Prefix, ...]
    """All that stands before them, in order."""


class Prepared(NamedTuple):
    """A pass and the tokens that go into it."""

    plan: Pass
    ids: torch.Tensor
    """Shape (tokens,)."""


class Layout(NamedTuple):
    """Where a packed pass's tokens belong."""

    rows: torch.Tensor
    """Number of the row of each token, shape (tokens,)."""
    places: torch.Tensor
    """Place of each token in its row's own part, shape (tokens,)."""
    last: torch.Tensor
    """Which token is the last of each row, shape (rows,)."""


def layout(lengths: Sequence[int], device: torch.device) -> Layout:
    """Of rows that bring so many tokens each."""
    counts = torch.tensor(lengths)
    rows = torch.arange(len(lengths)).repeat_interleave(counts)
    last = counts.cumsum(0) - 1
    places = torch.arange(int(counts.sum())) - (last + 1 - counts)[rows]
    return Layout(rows.to(device), places.to(device), last.to(device))


def packed(rows: Sequence[PassRow], device: torch.device) -> Prepared:
    """A pass over all tokens of the rows."""
    lengths = [len(row.tokens) for row in rows]
    width = max(lengths)
    where = layout(lengths, device)
    starts = torch.tensor([row.start for row in rows], device=device)
    full = min(lengths) == width
    plan = Pass(
        positions=starts[where.rows] + where.places,
        segments=segments([(row.prefixes, len(row.tokens)) for row in rows], device),
        own=Packed(starts, width, None if full else where.rows * width + where.places),
        width=width,
    )
    return Prepared(plan, torch.tensor([t for row in rows for t in row.tokens], device=device))


def segments(rows: Sequence[tuple[tuple[Prefix, ...], int]], device: torch.device) -> list[Segment]:
    """Which of a pass's tokens see which prefix, from each row's prefixes and number of tokens."""
    seen: dict[Prefix, list[tuple[int, int]]] = {}
    at = 0
    for prefixes, count in rows:
        for prefix in prefixes:
            spans = seen.setdefault(prefix, [])
            if spans and spans[-1][1] == at:
                spans[-1] = (spans[-1][0], at + count)
            else:
                spans.append((at, at + count))
        at += count
    return [
        Segment(prefix.keys, prefix.values, prefix.start, _tokens(spans, at, device))
        for prefix, spans in seen.items()
    ]


def _tokens(spans: Sequence[tuple[int, int]], total: int, device: torch.device) -> Any:
    if spans == [(0, total)]:
        return slice(None)
    if len(spans) == 1:
        return slice(*spans[0])
    return torch.tensor([i for a, b in spans for i in range(a, b)], device=device)


def chunks(rows: Iterable[PassRow], limit: int = PASS_TOKENS) -> Iterator[list[PassRow]]:
    """Rows of one pass after another, in order, of at most `limit` tokens or one row each."""
    chunk: list[PassRow] = []
    tokens = 0
    for row in rows:
        if chunk and tokens + len(row.tokens) > limit:
            yield chunk
            chunk, tokens = [], 0
        chunk.append(row)
        tokens += len(row.tokens)
    if chunk:
        yield chunk


class SharedModel:
    """A decoder on the shared path, and the prefixes that it has computed."""

    def __init__(self, model: Any, store: PrefixStore) -> None:
        """`model`: the PreTrainedModel itself, its adapter in place."""
        self._model = model
        self.store = store
        self.layers = int(model.config.get_text_config().num_hidden_layers)
        self.vocabulary = int(model.get_output_embeddings().weight.shape[0])
        self.device: torch.device = model.device
        self.head = Head(model)

    def lead(self, pass_: Prepared, cache: Any, keep: torch.Tensor | None) -> Lead:
        """The best token behind each kept one."""
        return self.head.lead(partial(self.forward, pass_, cache, keep))

    @torch.inference_mode()
    def forward(self, pass_: Prepared, cache: Any, keep: torch.Tensor | None) -> torch.Tensor:
        """Logits, shape (kept tokens, vocabulary), float32; of all tokens where `keep` is None."""
        with running(pass_.plan):
            output = self._model(
                input_ids=pass_.ids[None],
                position_ids=pass_.plan.positions[None],
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=0 if keep is None else keep,
            )
        logits: torch.Tensor = output.logits[0].float()
        return logits

    @torch.inference_mode()
    def run_alone(self, rows: Sequence[PassRow]) -> list[Prefix]:
        """The keys and values of rows that give no logits."""
        computed: list[Prefix] = []
        for chunk in chunks(rows):
            cache = PassedCache()
            first = torch.zeros(1, dtype=torch.long, device=self.device)
            self.forward(packed(chunk, self.device), cache, first)
            at = 0
            for row in chunk:
                cut = slice(at, at + len(row.tokens))
                at = cut.stop
                before = row.prefixes[-1].path if row.prefixes else ()
                keys = tuple(_own(layer.keys, cut) for layer in cache.layers)
                values = tuple(_own(layer.values, cut) for layer in cache.layers)
                computed.append(Prefix((*before, *row.tokens), row.start, keys, values))
        return computed


class Prefixes:
    """The prefixes that one call's rows share: computed when a row first needs them, given up when
    the last one has ended."""

    def __init__(self, shared: SharedModel, lines: int) -> None:
        """`lines`: rows of the call."""
        self._shared = shared
        # What a tenth of the rows share may well be shared by the next call too.
        self._common = max(2, lines // 10)
        self._held: dict[Node, Prefix] = {}
        self._left: dict[Node, int] = {}

    def compute(self, homes: Iterable[Node | None]) -> None:
        """Computes what is missing of these nodes and of those above them."""
        branches = (node.branch() for node in homes if node is not None)
        missing = {node: None for branch in branches for node in branch if node not in self._held}
        while missing:
            level = [n for n in missing if n.parent is None or n.parent in self._held]
            self._level(level)
            for node in level:
                del missing[node]

    def before(self, home: Node | None) -> tuple[Prefix, ...]:
        """All that stands before a row's own part, in order."""
        return tuple(self._held[node] for node in home.branch()) if home else ()

    def leave(self, home: Node | None) -> None:
        """A row of this node has ended."""
        for node in home.branch() if home else ():
            self._left[node] = self._left.get(node, node.lines) - 1
            if self._left[node] == 0:
                self._held.pop(node, None)

    def clear(self) -> None:
        """Gives up all of them, and those of earlier calls."""
        self._held.clear()
        self._shared.store.clear()

    def _level(self, nodes: Sequence[Node]) -> None:
        """Nodes whose parents are there, in one packed pass or a few."""
        store = self._shared.store
        known: dict[Node, list[Prefix]] = {}
        rows: dict[Node, PassRow] = {}
        for node in nodes:
            path = node.path()
            known[node] = store.find(path, node.start, node.end)
            start = len(known[node][-1].path) if known[node] else node.start
            if start < node.end:
                rows[node] = PassRow(path[start:], start, (*self.before(node.parent), *known[node]))
        computed = dict(zip(rows, self._shared.run_alone(list(rows.values())), strict=True))
        for node in nodes:
            pieces = [*known[node], *([computed[node]] if node in computed else [])]
            self._held[node] = pieces[0] if len(pieces) == 1 else _joined(pieces)
            if node.lines >= self._common and (len(pieces) > 1 or node in computed):
                store.keep(self._held[node])


def _own(states: Any, cut: slice) -> torch.Tensor:
    """A copy of some tokens' states, each head's in one piece."""
    own: torch.Tensor = states[0, :, cut].contiguous()
    return own


def _joined(pieces: Sequence[Prefix]) -> Prefix:
    """Pieces that follow one another, in one."""

    def join(states: Iterable[tuple[torch.Tensor, ...]]) -> tuple[torch.Tensor, ...]:
        return tuple(torch.cat(parts, dim=1) for parts in zip(*states, strict=True))

    keys, values = join(p.keys for p in pieces), join(p.values for p in pieces)
    return Prefix(pieces[-1].path, pieces[0].start, keys, values)
