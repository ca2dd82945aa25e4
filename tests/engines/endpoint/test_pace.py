"""The bound on requests under way, against servers of which it is known what they take."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable

import pytest

from stepladder.engines.endpoint.pace import Pace, Shares
from stepladder.engines.endpoint.patience import Patience, persist
from stepladder.engines.endpoint.troubles import Trouble, retry_after


class Simulated:
    """A server with so many slots, each answer taking a second; time is counted, not waited."""

    def __init__(self, slots: int, most: int = 64) -> None:
        self.now = 0.0
        self.pace = Pace(most, clock=lambda: self.now)
        self.slots = [0.0] * slots
        self.limits: list[float] = []
        self._ends: list[tuple[float, int, float]] = []
        self._number = 0

    def run(self, answers: int, busy: Callable[[float, int], bool] = lambda now, n: False) -> float:
        """Answers a second."""
        started, done, ends = self.now, 0, self._ends
        while done < answers:
            while self.pace.under_way < int(self.pace.limit):
                asyncio.run(self.pace.enter())
                free = heapq.heappop(self.slots)
                end = max(free, self.now) + 1.0
                heapq.heappush(self.slots, end)
                heapq.heappush(ends, (end, self._number, self.now))
                self._number += 1
            self.now, _, sent = heapq.heappop(ends)
            if busy(self.now, self.pace.under_way):
                self.pace.leave(sent, busy=True)
            else:
                self.pace.leave(sent, seconds=self.now - sent)
                done += 1
            self.limits.append(self.pace.limit)
        return answers / (self.now - started)


@pytest.mark.parametrize("slots", [1, 4, 16, 48])
def test_it_settles_where_the_server_is_full_and_no_queue_is_long(slots: int) -> None:
    server = Simulated(slots)
    server.run(400)
    assert server.run(400) > 0.85 * slots
    settled = server.limits[400:]
    assert sum(settled) / len(settled) < 3 * slots + 5


def test_it_comes_down_when_the_server_is_busy_and_up_again() -> None:
    server = Simulated(64)
    server.run(200)
    assert server.pace.limit > 32
    server.run(400, busy=lambda now, under_way: under_way > 8)
    low = server.limits[-100:]
    assert sum(low) / len(low) < 13
    server.run(2000)
    assert server.pace.limit > 32


def test_one_wave_of_refusals_halves_once() -> None:
    server = Simulated(64)
    server.run(100)
    pace, before = server.pace, server.pace.limit
    for _ in range(5):
        pace.leave(server.now - 0.5, busy=True)
    assert pace.limit == pytest.approx(before / 2)


def test_the_bound_is_kept() -> None:
    server = Simulated(64, most=6)
    server.run(300)
    assert max(server.limits) == 6


def test_shares_are_of_the_time_under_way() -> None:
    now = 0.0
    shares = Shares(clock=lambda: now)
    first = shares.begin()
    now = 1.0
    second = shares.begin()
    now = 3.0
    assert shares.end(first) == 2.0  # one second alone, two seconds shared
    now = 4.0
    assert shares.end(second) == 2.0
    now = 10.0
    third = shares.begin()
    now = 11.0
    assert shares.end(third) == 1.0


@pytest.mark.parametrize(
    ("kind", "attempts"),
    [("fault", 4), ("malformed", 2), ("refused", 1), ("closed", 1), ("over-context", 1)],
)
def test_only_what_may_pass_is_tried_again(kind: str, attempts: int) -> None:
    tried = 0

    async def attempt() -> None:
        nonlocal tried
        tried += 1
        raise Trouble(kind, "x")  # type: ignore[arg-type]

    patience = Patience(faults=4, malformed=2, first_wait=0.001, longest_wait=0.002)
    with pytest.raises(Trouble):
        asyncio.run(persist(attempt, patience, Pace()))
    assert tried == attempts


def test_waits_are_drawn_and_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    async def attempt() -> None:
        raise Trouble("fault", "x")

    monkeypatch.setattr("stepladder.engines.endpoint.patience.asyncio.sleep", sleep)
    with pytest.raises(Trouble):
        asyncio.run(persist(attempt, Patience(faults=6, longest_wait=4.0), Pace()))
    for wait, longest in zip(waits, (0.5, 1.0, 2.0, 4.0, 4.0), strict=True):
        assert longest / 2 <= wait <= longest
    assert len(set(waits)) == 5


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("3", 3.0), ("0.5", 0.5), ("-1", 0.0), ("soon", None), (None, None)],
)
def test_retry_after_is_read(value: str | None, seconds: float | None) -> None:
    assert retry_after({} if value is None else {"retry-after": value}) == seconds


def test_retry_after_may_be_a_date() -> None:
    assert retry_after({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0.0
    far = retry_after({"retry-after": "Fri, 21 Oct 2060 07:28:00 GMT"})
    assert far is not None
    assert far > 1e8
