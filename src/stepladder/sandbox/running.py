"""Chooses the sandbox of a program: Monty, and CPython for what Monty cannot import."""

from __future__ import annotations

import re
import time
from dataclasses import replace

from stepladder.records import ProgramRun
from stepladder.sandbox import cpython, monty
from stepladder.sandbox.limits import LONGEST, Limits

_ABSENT = re.compile(r"ModuleNotFoundError: No module named '(\w+)")


def require() -> None:
    """Raises MissingExtraError where programs cannot be run at all."""
    monty.pool()


def run(program: str, limits: Limits | None = None) -> ProgramRun:
    """Runs one program. Whatever it does is told in the outcome; nothing is raised for it.

    Raises MissingExtraError where pydantic-monty is not installed.
    """
    limits = limits or Limits()
    began = time.perf_counter()
    if len(program) > LONGEST:
        detail = f"it has {len(program):,} characters, {LONGEST:,} are taken"
        return ProgramRun(program, "refused", detail=detail)
    outcome = monty.run(program, limits)
    if outcome.fate == "refused" and _for_cpython(outcome.detail):
        outcome = cpython.run(program, limits)
    return replace(outcome, seconds=time.perf_counter() - began)


def _for_cpython(detail: str) -> bool:
    """Whether Monty stopped at an import that CPython can do for it."""
    absent = _ABSENT.match(detail)
    return detail == monty.WILDCARD or (absent is not None and absent[1] in cpython.LIBRARIES)
