"""How many requests are under way at once: as many as the server takes well.

    await pace.enter()             # waits for room, and while the server asked for a pause
    pace.leave(sent, seconds=1.2)  # an answer; or leave(sent, busy=True, retry_after=2.0)

Additive increase, multiplicative decrease (Chiu and Jain 1989), as in TCP: one request more each
round of answers (doubling at first, until the first sign of too much), half as many when the server
says that it is too much, and a quarter fewer when answers take more than twice as long as they did
at their quickest, since they are then waiting in the server's queue.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from statistics import median

FIRST = 4.0
MOST = 64
_BUSY = 0.5
_SLOW = 0.75
_SLACK = 2.0
_JITTER = 0.1
"""Seconds that an answer may take longer for reasons of the client's own machine."""
_ROUND = 4
"""Answers that a median is taken of at least."""


class Pace:
    """The bound on requests under way in one event loop."""

    def __init__(self, most: int = MOST, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit = min(FIRST, float(most))
        self.under_way = 0
        self._most = most
        self._clock = clock
        self._changed = asyncio.Event()
        self._doubling = True
        self._paused_until = 0.0
        self._lowered_at = -math.inf
        self._quickest: float | None = None
        self._round: list[float] = []
        self._round_size = _ROUND

    async def enter(self) -> float:
        """Waits for room; returns the time of sending. Every `enter` needs its `leave`."""
        while True:
            rest = self._paused_until - self._clock()
            if rest > 0:
                await asyncio.sleep(rest)
            elif self.under_way < int(self.limit):
                self.under_way += 1
                return self._clock()
            else:
                self._changed.clear()
                await self._changed.wait()

    def leave(
        self,
        sent: float,
        *,
        seconds: float | None = None,
        busy: bool = False,
        retry_after: float | None = None,
    ) -> None:
        """A request has ended: answered within `seconds`, or turned away by a busy server, or
        (neither) without saying anything about the server's load."""
        full = self.under_way >= int(self.limit)
        self.under_way -= 1
        if busy:
            self._lower(_BUSY, sent)
            self._paused_until = max(self._paused_until, self._clock() + (retry_after or 0.0))
        elif seconds is not None:
            self._answered(seconds, sent, full)
        self._changed.set()

    def _answered(self, seconds: float, sent: float, full: bool) -> None:
        self._round.append(seconds)
        if len(self._round) >= self._round_size:
            middle = median(self._round)
            self._begin_round()
            # With one request at a time nothing waits: this is how quick the server is by now.
            alone = self.limit < 2
            known = self._quickest
            self._quickest = middle if known is None or alone else min(known, middle)
            if middle > _SLACK * self._quickest + _JITTER:
                self._lower(_SLOW, sent)
                return
        if full:  # else the bound was not what held it back
            step = 1.0 if self._doubling else 1.0 / self.limit
            self.limit = min(float(self._most), self.limit + step)

    def _lower(self, factor: float, sent: float) -> None:
        """Once for all requests that were under way together."""
        if sent <= self._lowered_at:
            return
        self.limit = max(1.0, self.limit * factor)
        self._doubling = False
        self._lowered_at = self._clock()
        self._begin_round()

    def _begin_round(self) -> None:
        """As many answers as are under way together; were its size to grow with the bound, it
        would never end."""
        self._round.clear()
        self._round_size = max(_ROUND, int(self.limit))


class Shares:
    """Each answer's share of the wall time: a second with four answers under way is a quarter of a
    second of each, so that the shares of all sum up to the time that they took together."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._under_way = 0
        self._last = 0.0
        self._each = 0.0

    def begin(self) -> float:
        """Returns what `end` needs."""
        self._advance()
        self._under_way += 1
        return self._each

    def end(self, begun: float) -> float:
        """Seconds."""
        self._advance()
        self._under_way -= 1
        return self._each - begun

    def _advance(self) -> None:
        now = self._clock()
        if self._under_way:
            self._each += (now - self._last) / self._under_way
        self._last = now
