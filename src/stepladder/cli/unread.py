"""What of the documents could not be read, as index, find and check tell it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

_SHOWN = 10


def unread_lines(unread: Sequence[str]) -> Iterator[str]:
    """The first of them, and how many more there are."""
    yield from (f"not read: {line}" for line in unread[:_SHOWN])
    if len(unread) > _SHOWN:
        yield f"not read: {len(unread) - _SHOWN:,} more"
