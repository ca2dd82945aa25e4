"""The first sandbox: Monty, an interpreter that can do nothing but compute.

One worker process is kept; every program gets a session of its own in it, with new globals.
"""

from __future__ import annotations

import atexit
from functools import cache
from typing import Any

from stepladder.errors import MissingExtraError
from stepladder.records import Fate, ProgramRun
from stepladder.sandbox.answers import answer_text
from stepladder.sandbox.limits import Limits

WILDCARD = "NotImplementedError: Wildcard imports (`from ... import *`) are not supported"
MOST_DETAIL = 500
"""Characters kept of what a fault says."""
_GRACE = 1.0
"""Seconds beyond a program's own until its worker is killed."""
_FATES: dict[str, Fate] = {
    "SyntaxError": "syntax",
    "NameError": "name",
    "UnboundLocalError": "name",
    "TimeoutError": "timeout",
    "MemoryError": "memory",
    "RecursionError": "memory",
    "ModuleNotFoundError": "refused",
    "ImportError": "refused",
    "PermissionError": "refused",
}


def fate_of(fault: str) -> Fate:
    """The fate of a program that ended with an exception, from `Class: message`.

    >>> fate_of("RecursionError: maximum recursion depth exceeded")
    'memory'
    """
    if fault == WILDCARD:
        return "refused"
    return _FATES.get(fault.partition(":")[0], "error")


@cache
def pool() -> Any:
    """The worker, started once. Raises MissingExtraError where Monty is not installed."""
    try:
        from pydantic_monty import Monty
    except ImportError:
        raise MissingExtraError("programs", "running programs") from None
    opened = Monty(max_processes=1, feed_duration_limit_grace=_GRACE)
    opened.__enter__()
    atexit.register(opened.__exit__, None, None, None)
    return opened


def run(program: str, limits: Limits) -> ProgramRun:
    """Runs a program in a session of its own."""
    from pydantic_monty import CollectString, MontyCrashedError, MontyError

    printed = CollectString(max_bytes=limits.output)
    settings = {
        "max_feed_duration_secs": limits.seconds,
        "max_memory": limits.monty_memory,
        "max_recursion_depth": limits.depth,
        "max_suspensions": 100,
        "max_total_sleep_secs": 0.0,
    }
    fate: Fate
    answer = ""
    try:
        with pool().checkout(limits=settings, os_policy={"sleep": "zero"}) as session:
            session.feed_run(program, print_callback=printed)
            value = _value(session, printed)
        answer, detail = answer_text(value)
        fate = "answered" if answer else "no answer"
    except MontyCrashedError as error:
        fate, detail = ("timeout" if error.timed_out else "memory"), str(error)
    except MontyError as error:
        detail = error.display("type-msg") if hasattr(error, "display") else str(error)
        fate = fate_of(detail)
    except Exception as error:  # noqa: BLE001  # a value that cannot be handed over
        fate, detail = "no answer", f"{type(error).__name__}: {error}"
    return ProgramRun(program, fate, answer, printed.output, detail[:MOST_DETAIL], "monty")


def _value(session: Any, printed: Any) -> Any:
    """The global `answer`, or what `solution()` returns; None where there is neither."""
    from pydantic_monty import MontyRuntimeError

    try:
        return session.feed_run("answer")
    except MontyRuntimeError:
        pass  # not set
    try:
        session.feed_run("solution")
    except MontyRuntimeError:
        return None
    return session.feed_run("solution()", print_callback=printed)
