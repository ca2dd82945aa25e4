"""What one program may use."""

from __future__ import annotations

from dataclasses import dataclass

LONGEST = 15_000
"""Characters of a program; as JSON it then fits a pipe, so that handing it over cannot block."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one program, in either sandbox."""

    seconds: float = 1.0
    """Of computing. CPython's are whole seconds, rounded up."""
    monty_memory: int = 64_000_000
    """Bytes of Monty's heap."""
    cpython_memory: int = 600_000_000
    """Bytes of address space, which the libraries share."""
    depth: int = 500
    """Calls within calls in Monty; CPython has its own limit."""
    output: int = 10_000
    """Characters printed."""
