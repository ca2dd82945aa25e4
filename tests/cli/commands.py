"""What a command of the tests came to."""

from __future__ import annotations

from typing import NamedTuple


class Ran(NamedTuple):
    code: int
    out: str
    err: str
