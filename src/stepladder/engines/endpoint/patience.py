"""How often and how long one answer is tried for.

    body = await persist(attempt, Patience(), Pace())

Only what may pass is tried again (see `troubles`), after a wait that doubles each time and is drawn
at random, so that requests turned away together do not come back together.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from stepladder.engines.endpoint.pace import Pace
from stepladder.engines.endpoint.troubles import Trouble

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Patience:
    """Bounds on one answer."""

    request: float = 120.0
    """Seconds for one request, from sending it to its last byte, however slowly they drip."""
    answer: float = 600.0
    """Seconds for all requests for one answer together, from the first one on."""
    faults: int = 6
    """Requests for one answer that may fail by 5xx, connection or timeout; the last is not followed
    by another."""
    malformed: int = 3
    """The same for responses that are no answer."""
    first_wait: float = 0.5
    """Seconds before the second request, on average three quarters of it."""
    longest_wait: float = 30.0
    """Seconds that waits grow up to, unless the server asks for more."""


async def persist(attempt: Callable[[], Awaitable[_T]], patience: Patience, pace: Pace) -> _T:
    """What `attempt` returns in the end. Raises the last Trouble."""
    failed: Counter[str] = Counter()
    deadline: float | None = None
    while True:
        sent = await pace.enter()
        deadline = sent + patience.answer if deadline is None else deadline
        try:
            found = await within(attempt, min(patience.request, deadline - sent))
        except Trouble as trouble:
            # A timeout is a server's way to say busy, too.
            busy = trouble.kind == "busy" or trouble.status == 503 or trouble.cause == "timeout"
            pace.leave(sent, busy=busy, retry_after=trouble.retry_after)
            failed[trouble.kind] += 1
            wait = _wait(trouble, failed.total(), patience)
            if not _again(trouble, failed, patience) or time.monotonic() + wait >= deadline:
                raise
        except BaseException:
            pace.leave(sent)
            raise
        else:
            pace.leave(sent, seconds=time.monotonic() - sent)
            return found
        await asyncio.sleep(wait)


async def within(attempt: Callable[[], Awaitable[_T]], seconds: float) -> _T:
    """What `attempt` returns, or a Trouble after so many seconds."""
    try:
        async with asyncio.timeout(seconds):
            return await attempt()
    except TimeoutError:
        raise Trouble("fault", "timeout", f"no answer within {seconds:.3g} s") from None


def _again(trouble: Trouble, failed: Counter[str], patience: Patience) -> bool:
    """Whether another request may help; being busy is bounded by time alone."""
    if trouble.kind == "fault":
        return failed["fault"] < patience.faults
    if trouble.kind == "malformed":
        return failed["malformed"] < patience.malformed
    return trouble.kind == "busy"


def _wait(trouble: Trouble, failures: int, patience: Patience) -> float:
    """Seconds until the next request."""
    longest = min(patience.longest_wait, patience.first_wait * 2 ** (failures - 1))
    drawn = random.uniform(longest / 2, longest)
    if trouble.retry_after is None:
        return drawn
    return trouble.retry_after + random.uniform(0, patience.first_wait)
