"""Which prompts are answered together: equal ones once, the others by length and a token budget.

    requests = gather(encoded)                     # [Request(ids, places), ...], longest first
    batch = take(requests, budget=8192, room=64)   # rows * (longest + room) <= budget

Rows of one length waste no padding. The longest batch goes first, so that a budget which is too
large for this machine's memory shows at once and not after an hour.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple, Protocol, TypeVar

from stepladder.engines.asking import Answer, Answered, Ask
from stepladder.engines.memory import Budget


class Request(NamedTuple):
    """One distinct prompt."""

    ids: tuple[int, ...]
    places: tuple[int, ...]
    """Where it stands in the list that was asked."""
    rendered: str


def gather(encoded: Sequence[tuple[str, Sequence[int]]]) -> list[Request]:
    """Rendered prompts with their token ids to distinct requests, longest first."""
    places: dict[tuple[str, tuple[int, ...]], list[int]] = {}
    for place, (rendered, ids) in enumerate(encoded):
        places.setdefault((rendered, tuple(ids)), []).append(place)
    requests = [Request(ids, tuple(at), rendered) for (rendered, ids), at in places.items()]
    return sorted(requests, key=lambda r: (-len(r.ids), r.places))


class _HasIds(Protocol):
    @property
    def ids(self) -> tuple[int, ...]: ...


_Asked = TypeVar("_Asked", bound=_HasIds)


def take(requests: Sequence[_Asked], *, budget: int, room: int) -> Sequence[_Asked]:
    """The first requests that fit into `budget` tokens with `room` tokens an answer; at least one.

    `requests` come longest first, so the first one's length is what all rows are padded to.
    """
    width = len(requests[0].ids) + room
    return requests[: max(1, budget // width)]


def tokens_of(batch: Sequence[_HasIds], *, room: int) -> int:
    """Tokens that a batch takes up, padding and answers included."""
    return len(batch) * (len(batch[0].ids) + room)


def answer_by_batch(
    waiting: Sequence[Ask],
    decode: Callable[[Sequence[Ask]], list[Answer]],
    budget: Budget,
    *,
    room: int,
) -> Iterator[Answered]:
    """One batch after another, which `decode` answers in order, in halves where memory runs out.

    `waiting` comes longest first. Raises EngineError where memory is short for a single row.
    """
    while waiting:
        batch = take(waiting, budget=budget.tokens, room=room)
        begin = time.perf_counter()
        answers = budget.within(
            partial(decode, batch),
            rows=len(batch),
            longest=len(batch[0].ids),
            tokens=tokens_of(batch, room=room),
        )
        if answers is None:
            continue
        waiting = waiting[len(batch) :]
        seconds = (time.perf_counter() - begin) / len(batch)
        for ask, answer in zip(batch, answers, strict=True):
            yield Answered(ask.key, answer, seconds)
