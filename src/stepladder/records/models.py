"""Whom to ask: weights with their adapters, or an endpoint."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stepladder.records.hashing import content_hash


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a model can do; a method names what it needs in the same words."""

    trains: bool = False
    scores: bool = False
    """Gives the log-likelihood of a given answer."""
    chat: bool = False
    encoder_decoder: bool = False
    context: int | None = None
    """Tokens of prompt and answer together (of the prompt alone for encoder-decoders)."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A model: a local folder in the hub's format, and adapters on top, first to last."""

    name: str
    """As the user named it, with the revision where it came from the hub."""
    folder: Path
    fingerprint: str
    """A content hash of weights, configuration, tokenizer and chat template."""
    capabilities: Capabilities
    adapters: tuple[Adapter, ...] = ()
    parameters: int | None = None
    head: Head | None = None
    """Answers in the place of the model's own output, from its hidden states."""

    @property
    def identity(self) -> str:
        """A content hash of everything that decides this model's logits, or its head's answers."""
        weights = content_hash([self.fingerprint, *(a.fingerprint for a in self.adapters)])
        return content_hash([weights, self.head.fingerprint]) if self.head else weights


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A model behind an OpenAI-compatible server. Its weights cannot be known."""

    url: str
    """Up to the part that requests are added to (`https://host/v1`); never a key in it."""
    model: str
    """As it is asked for."""
    key_variable: str | None = None
    """The environment variable that holds the key; None is the usual one."""
    reported: str | None = None
    """What the server calls the model that answers; None before it was asked, or where it does not
    say."""
    capabilities: Capabilities = Capabilities()
    """As found out."""
    not_taken: tuple[str, ...] = ()
    """Parameters of a request that the server was seen to refuse, and that are done without."""

    @property
    def name(self) -> str:
        """As the user named it."""
        return f"{self.url}#{self.model}"

    @property
    def identity(self) -> str:
        """A content hash of all that can be known of the model; not of its weights."""
        chat = self.capabilities.chat
        return content_hash(["endpoint", self.url, self.model, self.reported, chat])


@dataclass(frozen=True, slots=True)
class Adapter:
    """A peft adapter's folder and the content hash of its files."""

    folder: Path
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Head:
    """A small head on hidden states: its folder and the content hash of its files."""

    folder: Path
    fingerprint: str


Model = Checkpoint | Endpoint
"""What can be asked: files at hand, or somebody's server."""
