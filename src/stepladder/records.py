"""The frozen records that cross rooms: data only, behaviour lives in the rooms.

Query --prompter--> Prompt --engine--> Completion --reader--> Generation --metric--> Score
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from stepladder.errors import SamplingError

Json = dict[str, Any]


def content_hash(value: Any) -> str:
    """A SHA-256 (64 hexadecimal digits) of any JSON-able value, independent of key order."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class Query:
    """An example without its references: all that a prompter ever sees of a test item."""

    id: str
    input: str
    """The task's input field or template, filled in."""


@dataclass(frozen=True, slots=True)
class Example:
    """One row of a task."""

    id: str
    input: str
    references: tuple[str, ...]
    """Accepted answers, at least one; training uses the first."""
    group: str | None = None
    """Rows of one group are not independent: errors are clustered, and splits keep it whole."""
    program: str | None = None
    """Python that comes to the answer, for rows to learn from or to show; None where there is none
    and for test rows."""
    gold: tuple[str, ...] = ()
    """Texts of the passages in which the answer stands, or names of their sources, to measure
    retrieval by; no method shows them."""

    @property
    def query(self) -> Query:
        return Query(self.id, self.input)


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


Fate = Literal[
    "answered", "no answer", "no program", "syntax", "name", "timeout", "memory", "refused", "error"
]
"""What became of a program: it gave an answer, right or not; it set none; there was none in the
completion; it is no Python; it uses an unknown name; it took too long; it took too much memory,
output or depth; it asked for what programs do not get; another fault of its own."""


@dataclass(frozen=True, slots=True)
class ProgramRun:
    """A program that a model wrote, and what became of it."""

    program: str
    fate: Fate
    answer: str = ""
    """As text; empty unless the fate is `answered`."""
    output: str = ""
    """What it printed."""
    detail: str = ""
    """The fault's own message, or the reason for a refusal."""
    sandbox: Literal["monty", "cpython"] | None = None
    """None where it was not run."""
    seconds: float = 0.0
    """Of running it, its sandbox's start included."""


@dataclass(frozen=True, slots=True)
class Generation:
    """One answered query."""

    id: str
    prompt: str
    """As rendered for the model."""
    text: str
    """The completion."""
    answer: str
    """What the reader took from it; empty after a failure."""
    tokens_in: int | None
    tokens_out: int | None
    seconds: float | None
    finish: Finish | None
    """None where it cannot be known (a file of outputs)."""
    failure: Failure | None = None
    runs: tuple[ProgramRun, ...] = ()
    """The programs behind the answer, one a sample, where the reader runs them."""
    probability: float | None = None
    """Of the answer, where the engine tells it."""


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
    """Bytes that the training was expected to hold at its fullest moment, the libraries' own left
    out: of its process on a processor, of its tensors on a GPU."""
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

    def total_seconds(self, requests: int) -> float | None:
        """Building once and answering `requests` requests."""
        if self.build_seconds is None or self.seconds is None:
            return None
        return self.build_seconds + requests * self.seconds
