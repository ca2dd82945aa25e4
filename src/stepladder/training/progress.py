"""How far a training is, as its process tells it to whoever waits: one JSON line a report.

{"step": 40, "steps": 150, "loss": 1.83, "dev_loss": null, "seconds": 12.4, "memory": 81788928}
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Progress:
    """One report."""

    step: int
    """Updates done."""
    steps: int
    """Updates planned; early stopping may end before."""
    loss: float | None
    """Of the last update, in nats a token of the answers."""
    dev_loss: float | None
    """Where the report follows an evaluation on dev."""
    seconds: float
    """Wall time so far, over all attempts at this training."""
    memory: int | None = None
    """Peak so far, in bytes, without what the libraries take."""


class Reporter:
    """Writes reports, at most about three a second besides those with a dev loss."""

    def __init__(self, path: Path, started: float) -> None:
        """`started` is this attempt's beginning on the monotonic clock."""
        earlier = Follower(path).new()
        self._path = path
        self._started = started
        self._before = earlier[-1].seconds if earlier else 0.0
        self._written = 0.0
        self.peak_before = max((r.memory for r in earlier if r.memory is not None), default=None)

    @property
    def seconds(self) -> float:
        """Wall time over all attempts; of an attempt that was killed, up to its last report."""
        return self._before + time.monotonic() - self._started

    def report(
        self,
        step: int,
        steps: int,
        loss: float | None,
        *,
        dev_loss: float | None = None,
        memory: int | None = None,
    ) -> None:
        now = time.monotonic()
        if dev_loss is None and now - self._written < 0.3:
            return
        self._written = now
        line = json.dumps(asdict(Progress(step, steps, loss, dev_loss, self.seconds, memory)))
        with self._path.open("a", encoding="utf-8") as out:
            out.write(line + "\n")


class Follower:
    """Reads reports as they come.

    A line that a killed process left unfinished swallows the first report of the next attempt, and
    both are skipped.
    """

    def __init__(self, path: Path, *, from_end: bool = False) -> None:
        self._path = path
        self._read = path.stat().st_size if from_end and path.exists() else 0

    def new(self) -> list[Progress]:
        """The reports in whole lines since the last call."""
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(self._read)
            content = file.read()
        whole = content[: content.rfind(b"\n") + 1]
        self._read += len(whole)
        found = []
        for line in whole.splitlines():
            try:
                found.append(Progress(**json.loads(line)))
            except (ValueError, TypeError):
                continue
        return found
