"""What was measured, and what it cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from stepladder.records.hashing import Json


@dataclass(frozen=True, slots=True)
class Score:
    """A metric over one rung's answers, on the scale of the metric's own tool."""

    metric: str
    value: float | None
    """None where nothing could be measured; never a stand-in number."""
    low: float | None
    """95 % confidence interval (BCa over examples, or over groups)."""
    high: float | None
    n: int
    signature: str
    """All settings that decide the value, the scale among them."""
    better: Literal["higher", "lower"] = "higher"
    times: float = 100.0
    """What the value is multiplied by to be shown on a scale of 0 to 100."""
    details: Mapping[str, float] = field(default_factory=dict)
    """Parts of the measure: precision and recall, n-gram precisions, brevity penalty."""


DEV_LOSS = "dev loss"
"""The measure of trials that are short trainings, nats a token."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A setting that was tried before the rung was built, with what it came to on dev."""

    setting: str
    """In words, such as `temperature=0.7, n=5`."""
    score: Score
    seconds: float | None
    """Of trying it; None where it is not known."""
    answers: int = 0
    """Completions that it took: several a row where there is a vote."""
    chosen: bool = False


def trial_from_json(data: Json) -> Trial:
    """The inverse of `asdict`."""
    return Trial(**{**data, "score": Score(**data["score"])})


@dataclass(frozen=True, slots=True)
class Cost:
    """What a rung costs: once to build, and each request. None is unknown."""

    build_seconds: float | None = 0.0
    peak_memory: int | None = None
    """Bytes while training; None where nothing was trained."""
    foretold_memory: int | None = None
    """Bytes that the training was expected to hold at its fullest moment: of its process on a
    processor, with what libraries grow by there, of its tensors on a GPU."""
    foretold_seconds: float | None = None
    """That `build_seconds` were expected to be, when its trainings began and if dev stops none of
    them early."""
    trainable: int = 0
    stored: int = 0
    """Bytes to keep beside the base checkpoint."""
    labels: int = 0
    """Labelled rows used, to train on, stop by or show."""
    tokens_in: float | None = None
    """Mean per request."""
    tokens_out: float | None = None
    """Mean per request."""
    seconds: float | None = None
    """Mean per request, as measured in batches on this machine."""
    foretold_request: float | None = None
    """That `seconds` were expected to be when the study began, by a probe of this machine."""

    def total_seconds(self, requests: int) -> float | None:
        """Building once and answering `requests` requests."""
        if self.build_seconds is None or self.seconds is None:
            return None
        return self.build_seconds + requests * self.seconds
