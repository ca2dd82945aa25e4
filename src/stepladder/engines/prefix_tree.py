"""The tree of token prefixes that prompts share. No torch.

    homes = grow([Line((1, 2, 3, 4), limit=3), Line((1, 2, 3, 5), limit=3)], cost=0)
    homes[0].path()      # (1, 2, 3): both lines hang on the node that holds these tokens

Prefixes are found among the tokens of whole rendered prompts, so nothing is ever tokenised apart.
A node costs a pass of its own and a product of its own in every layer of every later step, so one
is made only where it saves more computing than that: two tokens in common are computed twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Line(NamedTuple):
    """One row's tokens."""

    ids: tuple[int, ...]
    limit: int
    """Tokens that may be shared at most; those behind have logits of their own to give."""


@dataclass(eq=False, frozen=True)
class Node:
    """A run of tokens that several lines share, behind those of its parents."""

    parent: Node | None
    start: int
    """Place of its first token in the lines."""
    tokens: tuple[int, ...]
    lines: int
    """How many lines share it."""

    @property
    def end(self) -> int:
        return self.start + len(self.tokens)

    def branch(self) -> list[Node]:
        """The nodes from the root to this one."""
        nodes: list[Node] = []
        node: Node | None = self
        while node is not None:
            nodes.append(node)
            node = node.parent
        return nodes[::-1]

    def path(self) -> tuple[int, ...]:
        """All tokens from the first of the line to the last of this node."""
        return tuple(token for node in self.branch() for token in node.tokens)


def grow(lines: Sequence[Line], *, cost: int) -> list[Node | None]:
    """The deepest node of each line, None where it shares nothing worth a node.

    A node of n tokens and m lines saves (m - 1) n tokens; it is made where that exceeds `cost`, and
    else its tokens go into the nodes below.
    """
    order = sorted(range(len(lines)), key=lambda i: lines[i].ids)
    arrays = [np.asarray(lines[i].ids, dtype=np.int64) for i in order]
    limits = [lines[i].limit for i in order]
    common = [
        min(shared(arrays[i], arrays[i + 1]), limits[i], limits[i + 1])
        for i in range(len(order) - 1)
    ]
    homes: list[Node | None] = [None] * len(lines)
    work: list[tuple[int, int, Node | None]] = [(0, len(order), None)] if lines else []
    while work:
        low, high, parent = work.pop()
        if high - low == 1:
            homes[order[low]] = parent
            continue
        depth = min(common[low : high - 1])
        start = parent.end if parent else 0
        if (high - low - 1) * (depth - start) > cost:
            ids = lines[order[low]].ids
            parent = Node(parent, start, ids[start:depth], high - low)
        cuts = [i + 1 for i in range(low, high - 1) if common[i] == depth]
        work += [(a, b, parent) for a, b in zip([low, *cuts], [*cuts, high], strict=True)]
    return homes


def shared(one: NDArray[np.int64], other: NDArray[np.int64]) -> int:
    """Tokens that two sequences have in common at their beginning."""
    length = min(len(one), len(other))
    differ = one[:length] != other[:length]
    return int(differ.argmax()) if differ.any() else length
