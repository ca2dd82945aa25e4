"""What a training is to do, and what it did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from stepladder.records.asking import Prompt
from stepladder.records.examples import Example
from stepladder.records.hashing import Json, content_hash
from stepladder.records.models import Checkpoint


@dataclass(frozen=True, slots=True)
class FitSettings:
    """How the one fit loop runs; every training method has these."""

    epochs: float = 3.0
    """Passes over the training rows at most."""
    learning_rate: float = 1e-4
    batch_size: int = 8
    """Rows an update."""
    patience: int = 2
    """Evaluations on dev without a lower loss before training stops early; 0 never stops."""
    warmup: float = 0.1
    """Share of the updates over which the learning rate rises to its value."""


@dataclass(frozen=True, slots=True)
class OtherRow:
    """A row of other data, to be mixed into a training."""

    source: str
    """The task or file that it comes from."""
    prompt: Prompt
    answer: str


@dataclass(frozen=True, slots=True)
class TrainingJob:
    """All that a training needs, in a form that crosses a process boundary."""

    method: str
    """The training method, as in a list of rungs: `lora(rank=8)`."""
    checkpoint: Checkpoint
    train: tuple[tuple[Prompt, str], ...]
    dev: tuple[tuple[Prompt, str], ...]
    fit: FitSettings
    seed: int
    mixture: Mapping[str, int] = field(default_factory=dict)
    """Of `train`, the rows of other data by where they come from; for the log alone."""
    ids: tuple[str, ...] = ()
    """What to call the rows of `train`; for messages alone. Without them they are numbered."""

    def recipe(self) -> Json:
        """What decides the outcome, besides library versions: its hash is the build's address."""
        return {
            "method": self.method,
            "base": self.checkpoint.identity,
            "train": content_hash([[asdict(p), a] for p, a in self.train]),
            "dev": content_hash([[asdict(p), a] for p, a in self.dev]),
            "fit": asdict(self.fit),
            "seed": self.seed,
        }


@dataclass(frozen=True, slots=True)
class Pooling:
    """Which hidden states a text becomes a vector by. A sentence encoder has a way of its own."""

    layer: int = -1
    """Of the hidden states: 0 are the embeddings, -1 is the last layer."""
    pool: Literal["mean", "last"] = "mean"
    """Over the tokens of a text: their mean, or the last one."""
    dtype: str = "float32"
    """What the weights are loaded as."""


HeadKind = Literal["logistic", "ridge", "neighbours"]


@dataclass(frozen=True, slots=True)
class HeadJob:
    """All that fitting a head on features needs."""

    kind: HeadKind
    body: Checkpoint
    """Whose hidden states are the features: a model, or a sentence encoder."""
    pooling: Pooling
    rows: tuple[Example, ...]
    seed: int

    def features_recipe(self) -> Json:
        """What decides the features, besides library versions."""
        return {
            "features": self.body.identity,
            "pooling": asdict(self.pooling),
            "texts": content_hash([row.input for row in self.rows]),
        }

    def recipe(self) -> Json:
        """What decides the head, besides library versions: its hash is the build's address."""
        answers = [[row.references[0], row.group] for row in self.rows]
        return {
            **self.features_recipe(),
            "head": self.kind,
            "answers": content_hash(answers),
            "seed": self.seed,
        }


@dataclass(frozen=True, slots=True)
class Build:
    """What came out of a training."""

    folder: Path
    """Holds a peft adapter (`adapter_config.json`), a whole checkpoint (`config.json`), or a head
    (`head.json`)."""
    fingerprint: str
    seconds: float
    peak_memory: int | None
    """Bytes of resident memory above the same process before it loaded the model."""
    trainable: int
    """Trainable parameters."""
    stored: int
    """Bytes on disk."""
    log: Json = field(default_factory=dict)
    """Losses by step, the best step, precision used, rows left out and why."""
