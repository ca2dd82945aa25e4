"""The adaptation itself: data that answers queries when it is given an engine."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from stepladder.adaptation.prompter import Prompter
from stepladder.adaptation.readers import CitingReader, Reader, TextReader, reader_from_json
from stepladder.checkpoints import model_from_json, model_to_json
from stepladder.contracts import Engine
from stepladder.engines.opening import open_engine
from stepladder.records import (
    Completion,
    Example,
    Failure,
    Generation,
    Json,
    Model,
    Query,
    Sampling,
)

N = TypeVar("N", int, float)
OVER_CONTEXT = "prompt over the context"


@dataclass(frozen=True)
class Adaptation:
    """A checkpoint or an endpoint, a prompter, a reader, and how tokens are drawn.

    >>> Adaptation.load("my-summaries").answer("#Person1#: ...")   # doctest: +SKIP
    'Person1 asks ...'
    """

    checkpoint: Model
    prompter: Prompter = field(default_factory=Prompter)
    reader: Reader = field(default_factory=TextReader)
    sampling: Sampling = field(default_factory=Sampling)
    samples: int = 1
    """Completions that a query is asked for, each with a seed of its own; the answer that most of
    them come to is taken, the first of these where answers tie."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "_engine", None)

    @property
    def drawing(self) -> Sampling:
        """The sampling with the prompter's stop strings."""
        stop = (*self.sampling.stop, *self.prompter.stop)
        return replace(self.sampling, stop=tuple(dict.fromkeys(stop)))

    def wanted(self, example: Example) -> str | None:
        """What the model should write for this example, with a citation where its evidence carries
        the answer and citations are read; None where it is not known."""
        text, evidence = self.reader.wanted(example), self.prompter.evidence
        if text is None or evidence is None or not isinstance(self.reader, CitingReader):
            return text
        return evidence.cited(text, example.query)

    def generate(self, engine: Engine, queries: Sequence[Query]) -> Iterator[Generation]:
        """Answers queries, in the order in which the engine finishes them."""
        prompts = [self.prompter.render(query) for query in queries]
        drawn: dict[int, list[Generation]] = defaultdict(list)
        for sample in range(self.samples):
            drawing = replace(self.drawing, seed=self.drawing.seed + sample)
            for completion in engine.generate(prompts, drawing):
                rendered = engine.render(prompts[completion.index])
                generations = drawn[completion.index]
                generations.append(self._read(queries[completion.index], rendered, completion))
                if len(generations) == self.samples:
                    yield vote(generations)

    def _read(self, query: Query, rendered: str, completion: Completion) -> Generation:
        answer, failure, run = "", None, None
        evidence = self.prompter.evidence
        finding = evidence.took(query) if evidence else 0.0
        if completion.failure is not None:
            failure = completion.failure
        elif completion.finish == "over-context":
            tokens = completion.tokens_in
            failure = Failure(OVER_CONTEXT, detail="" if tokens is None else f"{tokens} tokens")
        else:
            answer, failure, run = self.reader.read(completion.text)
        return Generation(
            id=query.id,
            prompt=rendered,
            text=completion.text,
            answer=answer,
            tokens_in=completion.tokens_in,
            tokens_out=completion.tokens_out,
            seconds=completion.seconds + (run.seconds if run else 0.0) + finding,
            finish=completion.finish,
            failure=failure,
            runs=(run,) if run else (),
            probability=completion.probability,
        )

    def answer(self, text: str) -> str:
        """The answer to one input of the task; the model is loaded at the first call.

        An unreadable completion gives the empty answer.
        """
        return next(self.generate(self._own_engine(), [Query("", text)])).answer

    def _own_engine(self) -> Engine:
        engine: Engine | None = self.__dict__["_engine"]
        if engine is None:
            engine = open_engine(self.checkpoint)
            object.__setattr__(self, "_engine", engine)
        return engine

    @classmethod
    def load(cls, folder: str | Path) -> Adaptation:
        """Reads what `stepladder export` wrote."""
        from stepladder.adaptation.export import load

        return load(Path(folder))

    def as_json(self) -> Json:
        return {
            "checkpoint": model_to_json(self.checkpoint),
            "prompter": self.prompter.as_json(),
            "reader": self.reader.as_json(),
            "sampling": self.sampling.as_json(),
            "samples": self.samples,
        }

    @classmethod
    def from_json(cls, data: Json) -> Adaptation:
        return cls(
            model_from_json(data["checkpoint"]),
            Prompter.from_json(data["prompter"]),
            reader_from_json(data["reader"]),
            sampling_from_json(data["sampling"]),
            data.get("samples", 1),
        )


def vote(samples: Sequence[Generation]) -> Generation:
    """One generation out of several for the same query: a sample of the answer that most have, at
    the cost of all. Failures have no vote, unless all failed; what the machine owes is owed."""
    owed = next((g for g in samples if g.failure is not None and g.failure.machine), None)
    able = [g for g in samples if g.failure is None] or samples
    ballots = [(g.answer, g.failure.cause if g.failure else None) for g in able]
    most, _ = Counter(ballots).most_common(1)[0]
    chosen = owed or able[ballots.index(most)]
    return replace(
        chosen,
        tokens_in=_sum([g.tokens_in for g in samples]),
        tokens_out=_sum([g.tokens_out for g in samples]),
        seconds=_sum([g.seconds for g in samples]),
        runs=tuple(run for g in samples for run in g.runs),
    )


def _sum(values: Sequence[N | None]) -> N | None:
    known = [value for value in values if value is not None]
    return sum(known[1:], start=known[0]) if len(known) == len(values) else None


def sampling_from_json(data: Json) -> Sampling:
    return Sampling(**{**data, "stop": tuple(data["stop"])})
