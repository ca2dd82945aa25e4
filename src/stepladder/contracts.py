"""The protocols between rooms. A third party implements one of these and registers its name."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from stepladder.records import (
    Build,
    Capabilities,
    Completion,
    Example,
    FitSettings,
    HeadJob,
    LogLikelihood,
    OtherRow,
    Prompt,
    Sampling,
    TrainingJob,
    Trial,
)

if TYPE_CHECKING:
    from stepladder.adaptation import Adaptation
    from stepladder.tasks.knowledge import KnowledgeSource

Floats = NDArray[np.float64]


@runtime_checkable
class Interpolates(Protocol):
    """A training method whose outcome may lie between what it began with and what it trained."""

    wise_ft: float

    def interpolate(self, model: Any, base: Any) -> None:
        """Changes the trained model in place; `base` is as before the training. Called where
        `wise_ft` is below 1."""
        ...


@runtime_checkable
class Engine(Protocol):
    """Asks one model. It never knows task, method or metric."""

    @property
    def identity(self) -> str:
        """Content hash of everything besides prompt and sampling that decides an answer."""
        ...

    @property
    def capabilities(self) -> Capabilities: ...

    def render(self, prompt: Prompt) -> str:
        """The very text that the model will read."""
        ...

    def count_tokens(self, prompts: Sequence[Prompt]) -> list[int] | None:
        """None where they cannot be counted beforehand (an endpoint)."""
        ...

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> Iterator[Completion]:
        """One completion a prompt, in any order, each naming the prompt's index. A prompt that
        does not fit the context gives `finish="over-context"`; nothing is ever cut. An answer that
        failed alone says so in its `failure`; EngineError ends the run."""
        ...

    def log_likelihood(self, pairs: Sequence[tuple[Prompt, str]]) -> list[LogLikelihood]:
        """How probable each answer is after its prompt, in the order of the pairs."""
        ...

    def close(self) -> None:
        """Frees the model's memory; the engine is of no use afterwards."""
        ...


class StreamingEngine(Engine, Protocol):
    """An engine that shows an answer while it is written."""

    def stream(self, prompt: Prompt, sampling: Sampling) -> Generator[str, None, Completion]:
        """The answer in pieces; the generator's value is the whole Completion."""
        ...


class Encoder(Protocol):
    """Texts to vectors: a sentence encoder, or the hidden states of a model."""

    @property
    def identity(self) -> str: ...

    @property
    def context(self) -> int | None:
        """Tokens that a text may have; None where nothing bounds them."""
        ...

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """As the encoder reads them, nothing cut."""
        ...

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors, shape (texts, dimensions)."""
        ...


class Workbench(Protocol):
    """What the study lends to a method. It knows no test example."""

    seed: int

    @property
    def replay(self) -> Sequence[OtherRow]:
        """Other data that a training may mix in, in the order of their draw; empty where none is
        named."""
        ...

    @property
    def knowledge(self) -> KnowledgeSource | None:
        """The task's documents, where it has any."""
        ...

    def train(self, job: TrainingJob, *, trial: bool = False) -> Build:
        """Trains in a process of its own, or returns the build that the ledger has of the same
        recipe. A trial is no part of the rung, which pays for it as the method records it. Raises
        TrainingError."""
        ...

    def fit_head(self, job: HeadJob) -> Build:
        """Fits a head on features, which are computed once and kept; or returns the build that the
        ledger has of the same recipe. Raises TrainingError."""
        ...

    def score_dev(self, setting: str, adaptation: Adaptation, dev: Sequence[Example]) -> Trial:
        """What an adaptation comes to on these rows, by the measure that decides the study. Raises
        TrainingError where the machine owes an answer."""
        ...

    def record_trials(self, trials: Sequence[Trial]) -> None:
        """Keeps what was tried, the chosen one marked: in the log, the report and the bill."""
        ...


class Method(Protocol):
    """Turns one adaptation into another. The object is its frozen configuration."""

    fills: ClassVar[str | None]
    """The section of the prompter that it fills, or `reader` (filling one twice is an error);
    `sampling` for one that chooses how tokens are drawn, which is done last; `head` for one that
    answers by a head of its own, beside which nothing can stand; None for a method that trains."""
    requires: ClassVar[Capabilities]

    def adapt(
        self,
        base: Adaptation,
        train: Sequence[Example],
        dev: Sequence[Example],
        bench: Workbench,
    ) -> Adaptation: ...


class TrainingMethod(Method, Protocol):
    """A method that trains also says how: the one fit loop calls these in a process of its own."""

    def fit_settings(self) -> FitSettings: ...

    def prepare(self, model: Any) -> Any:
        """The model (a torch module) with what is to be trained marked as such."""
        ...

    def save(self, model: Any, folder: Path) -> None:
        """Writes what was trained, in peft's or transformers' own format."""
        ...


@runtime_checkable
class BeginsFromText(Protocol):
    """A training method whose new parameters may begin as the words of the prompts."""

    def begin(self, model: Any, ids: Sequence[int]) -> None:
        """Called once between `prepare` and the first update, with the token ids that all training
        prompts begin with."""
        ...


class Metric(Protocol):
    """Statistics first, score second: intervals and paired tests only sum statistics again."""

    @property
    def name(self) -> str:
        """As in a task file, settings that differ from their defaults included."""
        ...

    @property
    def signature(self) -> str:
        """All settings that decide the value, versions and the scale."""
        ...

    @property
    def better(self) -> Literal["higher", "lower"]: ...

    @property
    def times(self) -> float:
        """What a value is multiplied by to be shown on 0 to 100."""
        ...

    @property
    def mean(self) -> bool:
        """True: the score is the mean of column 0, in [0, 1]. False: a corpus measure."""
        ...

    def statistics(self, answers: Sequence[str], references: Sequence[Sequence[str]]) -> Floats:
        """One row an example, shape (examples, columns). A failure comes as an empty answer."""
        ...

    def aggregate(self, statistics: Floats) -> float | None:
        """The score from rows of statistics; None from no rows."""
        ...

    def details(self, statistics: Floats) -> dict[str, float]:
        """Parts of the score worth showing (precision, recall, brevity penalty); may be empty."""
        ...
