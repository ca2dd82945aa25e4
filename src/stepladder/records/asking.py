"""What an engine is given, and what it gives back."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Literal

from stepladder.errors import SamplingError
from stepladder.records.hashing import Json


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of a chat."""

    role: Literal["system", "user", "assistant"]
    text: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is asked, in both forms; the engine takes `turns` where its tokenizer has a chat
    template and `text` where it has none."""

    text: str
    turns: tuple[Turn, ...]
    joint: str = ""
    """What stands between `text` and an answer that continues it (a space after `Output:`).
    Decoder-only models without a chat template alone use it."""


def prompt_from_json(data: Json) -> Prompt:
    """The inverse of `asdict`."""
    turns = tuple(Turn(**turn) for turn in data["turns"])
    return Prompt(text=data["text"], turns=turns, joint=data["joint"])


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are drawn. Temperature 0 is greedy."""

    max_new_tokens: int = 64
    """Tokens an answer may have at most."""
    temperature: float = 0.0
    """0 takes the most probable token; higher values draw more freely."""
    top_p: float = 1.0
    """Draw from the smallest set of tokens whose probabilities reach this sum (0 to 1]."""
    top_k: int = 0
    """Draw from this many most probable tokens; 0 means all."""
    seed: int = 0
    """Seeds one generator a prompt, so that an answer does not depend on its batch."""
    stop: tuple[str, ...] = ()
    """The answer ends before the first of these strings."""
    beams: int = 1
    """Answers that are followed at once, of which the most probable is given; with more than 1
    nothing is drawn."""

    def __post_init__(self) -> None:
        if self.max_new_tokens < 1:
            raise SamplingError(f"max_new_tokens is {self.max_new_tokens}; give 1 or more")
        if not (math.isfinite(self.temperature) and self.temperature >= 0):
            raise SamplingError(
                f"temperature is {self.temperature}; give 0 (greedy) or a number above"
            )
        if not 0 < self.top_p <= 1:
            raise SamplingError(f"top_p is {self.top_p}; give a number above 0 and at most 1")
        if self.top_k < 0:
            raise SamplingError(f"top_k is {self.top_k}; give 0 (all tokens) or more")
        if any(not s for s in self.stop):
            raise SamplingError("a stop string is empty; leave it out")
        if self.beams < 1:
            raise SamplingError(f"beams is {self.beams}; give 1 or more")
        if self.beams > 1 and self.temperature > 0:
            raise SamplingError(
                f"{self.beams} beams are searched at temperature 0, and it is {self.temperature}; "
                "give one of the two"
            )

    def as_json(self) -> Json:
        """All fields, but for `beams` where it is 1: addresses of answers that were kept before
        there were beams still hold."""
        data = asdict(self)
        if self.beams == 1:
            del data["beams"]
        return data


Finish = Literal["end", "stop", "length", "over-context"]
"""Why an answer ended: the end token, a stop string, max_new_tokens, or a prompt that did not fit
(then nothing was answered). `end` also where an endpoint does not tell it from a stop string."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no proper answer."""

    cause: str
    """A few words, counted by: `prompt over the context`, `unreadable label`, ..."""
    machine: bool = False
    """True: the machine's fault, the answer is missing. False: the rung's own, scored as empty."""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Completion:
    """What an engine returns for the prompt at `index` of its list."""

    index: int
    text: str
    """Special tokens removed, cut before the stop string, otherwise as the model wrote it."""
    tokens: tuple[int, ...]
    """Token ids as generated; empty where the engine cannot know them (an endpoint)."""
    tokens_in: int | None
    """None where an endpoint does not report it."""
    tokens_out: int | None
    """None where an endpoint does not report it."""
    seconds: float
    """This prompt's share of the wall time of its batch, or of what was asked beside it."""
    finish: Finish | None
    """None after a failure."""
    failure: Failure | None = None
    """Why there is no answer; the text is then empty."""
    probability: float | None = None
    """Of the answer among all that were possible, by an engine that chooses among few (a head)."""


@dataclass(frozen=True, slots=True)
class LogLikelihood:
    """The log-probability (nats, summed over tokens) of a given answer after a prompt."""

    total: float
    tokens: int
    greedy: bool
    """Whether every token of the answer is the most probable one."""
