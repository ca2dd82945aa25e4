"""An engine that asks nothing twice: every completion is kept in the ledger under its address.

The address is a hash of the engine's identity (weights, adapter, tokenizer, template, dtype,
numerics version; of an endpoint, its address, the model as reported, and the day), the prompt as
rendered, and the sampling with its seed. Change one of them and it is another answer.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from stepladder.contracts import Engine
from stepladder.errors import EngineError
from stepladder.ledger import Store
from stepladder.records import (
    Capabilities,
    Completion,
    Failure,
    Json,
    LogLikelihood,
    Prompt,
    Sampling,
    content_hash,
)
from stepladder.study.labels import unwritable

SHARD_SECONDS = 2.0
"""Completions are written together, at least this often: what a kill can lose."""


class RecordedEngine:
    """Wraps an engine; `asked` counts the requests that really went to the model."""

    def __init__(self, engine: Engine, store: Store) -> None:
        self._engine = engine
        self._store = store
        self.asked = 0

    @property
    def identity(self) -> str:
        return self._engine.identity

    @property
    def capabilities(self) -> Capabilities:
        return self._engine.capabilities

    def render(self, prompt: Prompt) -> str:
        return self._engine.render(prompt)

    def count_tokens(self, prompts: Sequence[Prompt]) -> list[int] | None:
        return self._engine.count_tokens(prompts)

    def log_likelihood(self, pairs: Sequence[tuple[Prompt, str]]) -> list[LogLikelihood]:
        return self._engine.log_likelihood(pairs)

    def fits(self, prompt: Prompt, answer: str, kept_free: int = 0) -> bool:
        """Whether `log_likelihood` takes this pair, with so many tokens of the context to spare; an
        engine that does not say takes all."""
        fits = getattr(self._engine, "fits", None)
        return fits is None or bool(fits(prompt, answer, kept_free))

    def unwritable(self, texts: Sequence[str]) -> dict[str, str]:
        """Those that this model cannot write, with what it would; none where that is not known."""
        return unwritable(self._engine, texts)

    def way(self) -> Json | None:
        """How the model was asked and why so, and how many greedy steps all but tied; None where
        nothing was asked, or by an engine with one way only."""
        path = getattr(self._engine, "path", None) if self.asked else None
        if path is None:
            return None
        ties = getattr(self._engine, "near_ties", None)
        return {"path": path.name, "reason": path.reason, "near_ties": ties}

    def close(self) -> None:
        self._engine.close()

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> Iterator[Completion]:
        places: dict[str, list[int]] = defaultdict(list)
        for index, prompt in enumerate(prompts):
            places[self.address(prompt, sampling)].append(index)
        known = self._store.answers(list(places))
        for address in known:
            yield from _at(known[address], places[address])
        rest = {a: prompts[places[a][0]] for a in places if a not in known}
        for address, payload in self._ask(rest, sampling) if rest else ():
            yield from _at(payload, places[address])

    def address(self, prompt: Prompt, sampling: Sampling) -> str:
        return content_hash(self._parts(prompt, sampling))

    def _parts(self, prompt: Prompt, sampling: Sampling) -> list[Any]:
        """What an address is the hash of."""
        return [self.identity, self.render(prompt), sampling.as_json()]

    def _keep(
        self, shard: Mapping[str, Json], asked: Mapping[str, Prompt], sampling: Sampling
    ) -> None:
        recipes = {
            address: {
                "parts": self._parts(asked[address], sampling),
                "prompt": asdict(asked[address]),
            }
            for address in shard
        }
        self._store.keep_answers(shard, recipes)

    def _ask(self, asked: Mapping[str, Prompt], sampling: Sampling) -> Iterator[tuple[str, Json]]:
        """Asks and keeps, a shard at a time; what has been answered is kept whatever happens. What
        the machine owes is handed on and not kept, so that it is asked for again."""
        addresses = list(asked)
        shard: dict[str, Json] = {}
        written = time.monotonic()
        try:
            for completion in self._engine.generate(list(asked.values()), sampling):
                self.asked += completion.finish != "over-context"
                payload = asdict(completion)
                del payload["index"]
                if completion.failure is not None and completion.failure.machine:
                    yield addresses[completion.index], payload
                    continue
                shard[addresses[completion.index]] = payload
                if time.monotonic() - written > SHARD_SECONDS:
                    self._keep(shard, asked, sampling)
                    yield from shard.items()
                    shard, written = {}, time.monotonic()
        except EngineError:
            self._keep(shard, asked, sampling)
            yield from shard.items()
            raise
        except BaseException:
            self._keep(shard, asked, sampling)
            raise
        self._keep(shard, asked, sampling)
        yield from shard.items()


def _at(payload: Json, places: Sequence[int]) -> Iterator[Completion]:
    """A kept answer, once for each prompt that is the same."""
    failure = payload.get("failure")
    fields = {**payload, "tokens": tuple(payload["tokens"])}
    fields["failure"] = Failure(**failure) if failure else None
    for index in places:
        yield Completion(index=index, **fields)
