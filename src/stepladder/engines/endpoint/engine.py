"""A model behind an OpenAI-compatible endpoint, behind the Engine protocol.

    engine = EndpointEngine(find_out(read_address("http://127.0.0.1:8000/v1#qwen"), Sampling()))
    for completion in engine.generate(prompts, Sampling(max_new_tokens=50)):
        ...                                      # in the order in which the server answers
    for piece in engine.stream(prompt, Sampling()):
        print(piece, end="", flush=True)

An answer that cannot be had, after retries, is a Completion with a `failure` of the machine; the
others go on. Where the server has gone, or takes no request any more, EngineError ends the run.

What is NOT covered: whether the server cuts a prompt that is too long without saying so (Ollama
does), and whether equal requests get equal answers.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Generator, Iterator, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from stepladder.engines.asking import certain_part
from stepladder.engines.endpoint.answers import (
    Answer,
    read_answer,
    read_likelihood,
)
from stepladder.engines.endpoint.background import iterate
from stepladder.engines.endpoint.pace import MOST, Pace, Shares
from stepladder.engines.endpoint.patience import Patience, persist, within
from stepladder.engines.endpoint.requests import rendered, request_of, way_of
from stepladder.engines.endpoint.streaming import Spelling
from stepladder.engines.endpoint.troubles import Trouble
from stepladder.engines.endpoint.wire import Wire
from stepladder.errors import EngineError
from stepladder.records import (
    Capabilities,
    Completion,
    Endpoint,
    Failure,
    Json,
    LogLikelihood,
    Prompt,
    Sampling,
    content_hash,
)

if TYPE_CHECKING:
    from openai import AsyncOpenAI

OTHER_MODEL = "another model answered"
_MISSES = 8
"""So many answers in a row that could not be had: the server is gone."""


class EndpointEngine:
    """Asks one endpoint, with several requests under way at once."""

    def __init__(
        self, endpoint: Endpoint, *, patience: Patience | None = None, most: int = MOST
    ) -> None:
        """`most` bounds the requests under way. Raises CheckpointError for a key that cannot be
        used."""
        self.endpoint = endpoint
        self.day = datetime.now(UTC).date().isoformat()
        """The day (UTC) that this engine's answers are kept under."""
        self._patience = patience or Patience()
        self._most = most
        self._wire = Wire(endpoint)

    @property
    def identity(self) -> str:
        """Content hash of endpoint, model as reported, and day."""
        return content_hash([self.endpoint.identity, self.day])

    @property
    def capabilities(self) -> Capabilities:
        return self.endpoint.capabilities

    def render(self, prompt: Prompt) -> str:
        """The text, or the turns, that are sent; a chat template is the server's own."""
        return rendered(self.endpoint, prompt)

    def count_tokens(self, prompts: Sequence[Prompt]) -> None:
        """Only the server has the tokenizer."""
        return None

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> Iterator[Completion]:
        """One completion a prompt, in the order in which they are answered.

        Raises EngineError where no further request has a chance.
        """
        if not prompts:
            return
        missed = 0
        for completion in iterate(partial(self._completions, prompts, sampling)):
            machine = completion.failure is not None and completion.failure.machine
            missed = missed + 1 if machine else 0
            yield completion
            if missed >= _MISSES and completion.failure is not None:
                failure = completion.failure
                raise EngineError(
                    f"{self.endpoint.name}: {missed} answers in a row could not be had, the last "
                    f"one by '{failure.cause}' ({failure.detail}); see to the server and run the "
                    "same again"
                )

    def stream(self, prompt: Prompt, sampling: Sampling) -> Generator[str, None, Completion]:
        """The answer in pieces as they come; the generator's value is the whole Completion.

        Tried again only until the first piece is there. Raises EngineError where there is no
        answer, or where it breaks off.
        """
        try:
            for item in iterate(partial(self._pieces, prompt, sampling)):
                if isinstance(item, Completion):
                    return item
                yield item
        except Trouble as trouble:
            if trouble.kind == "over-context":
                return _failed(0, trouble, 0.0)
            raise self._no_answer(trouble) from None
        raise EngineError(f"{self.endpoint.name}: the answer broke off")

    def log_likelihood(self, pairs: Sequence[tuple[Prompt, str]]) -> list[LogLikelihood]:
        """In the order of the pairs, each over the prompt's plain text (`Prompt.text`) and without
        an end token, which no server scores. Raises EngineError where one cannot be had, or where
        this server scores nothing."""
        if not pairs:
            return []
        if not self.capabilities.scores:
            raise EngineError(f"{self.endpoint.name} does not score given answers")
        try:
            found = dict(iterate(partial(self._scores, pairs)))
        except Trouble as trouble:
            raise self._no_answer(trouble) from None
        return [found[index] for index in range(len(pairs))]

    def close(self) -> None:
        """Nothing to free: connections live as long as a call."""

    async def _completions(
        self, prompts: Sequence[Prompt], sampling: Sampling
    ) -> AsyncIterator[Completion]:
        """As many workers as requests may be under way take prompts in turn."""
        pace, shares = Pace(self._most), Shares()
        waiting = iter(enumerate(prompts))
        done: asyncio.Queue[Completion | BaseException] = asyncio.Queue()

        async def work(client: AsyncOpenAI) -> None:
            try:
                for index, prompt in waiting:
                    attempt = partial(self._attempt, client, prompt, sampling)
                    done.put_nowait(await self._answered(index, attempt, pace, shares))
            except Exception as error:  # raised where the completions are read
                done.put_nowait(error)

        async with self._wire.open() as client:
            count = min(self._most, len(prompts))
            workers = [asyncio.create_task(work(client)) for _ in range(count)]
            try:
                for _ in prompts:
                    item = await done.get()
                    if isinstance(item, BaseException):
                        raise item
                    yield item
            finally:
                for worker in workers:
                    worker.cancel()
                await asyncio.gather(*workers, return_exceptions=True)

    async def _answered(
        self, index: int, attempt: partial[Coroutine[Any, Any, Answer]], pace: Pace, shares: Shares
    ) -> Completion:
        """The completion for one prompt, a failed one included; EngineError for what holds for all
        others too."""
        begun = shares.begin()
        try:
            answer = await persist(attempt, self._patience, pace)
        except Trouble as trouble:
            seconds = shares.end(begun)
            if trouble.kind == "closed":
                raise self._no_answer(trouble) from None
            return _failed(index, trouble, seconds)
        return _completion(index, answer, shares.end(begun))

    async def _attempt(self, client: AsyncOpenAI, prompt: Prompt, sampling: Sampling) -> Answer:
        """One request."""
        way = way_of(self.endpoint)
        request = request_of(self.endpoint, prompt, sampling)
        body = await self._wire.post(client, way, request)
        answer = read_answer(body, way, sampling.stop)
        self._check_model(answer.reported)
        return answer

    def _check_model(self, reported: str | None) -> None:
        """An answer of another model than the one that was found out is none of this one's."""
        expected = self.endpoint.reported
        if reported != expected:
            raise Trouble("refused", OTHER_MODEL, f"{reported} instead of {expected}")

    async def _pieces(self, prompt: Prompt, sampling: Sampling) -> AsyncIterator[str | Completion]:
        """New text as it becomes certain, then the completion."""
        started, shown = time.monotonic(), 0
        spelling = Spelling(way_of(self.endpoint))
        async with self._wire.open() as client:
            begin = partial(self._begin, client, prompt, sampling)
            chunk, chunks = await persist(begin, self._patience, Pace(1))
            async with aclosing(chunks):
                while chunk is not None:
                    spelling.add(chunk)
                    certain = certain_part(spelling.text, sampling.stop)
                    if len(certain) > shown:
                        yield certain[shown:]
                        shown = len(certain)
                    ended = spelling.stopped(sampling.stop)
                    chunk = (
                        None
                        if ended
                        else await within(partial(_next, chunks), self._patience.request)
                    )
        answer = spelling.answer(sampling.stop)
        self._check_model(answer.reported)
        if len(answer.text) > shown:
            yield answer.text[shown:]
        yield _completion(0, answer, time.monotonic() - started)

    async def _begin(
        self, client: AsyncOpenAI, prompt: Prompt, sampling: Sampling
    ) -> tuple[Json | None, AsyncGenerator[Json]]:
        """A stream with its first chunk, which may be tried for again."""
        request = request_of(self.endpoint, prompt, sampling)
        chunks = self._wire.stream(client, way_of(self.endpoint), request)
        return await _next(chunks), chunks

    async def _scores(
        self, pairs: Sequence[tuple[Prompt, str]]
    ) -> AsyncIterator[tuple[int, LogLikelihood]]:
        pace, limit = Pace(self._most), asyncio.Semaphore(self._most)
        async with self._wire.open() as client:

            async def one(index: int, prompt: Prompt, answer: str) -> tuple[int, LogLikelihood]:
                before = prompt.text + prompt.joint
                attempt = partial(score, self._wire, client, before, answer)
                async with limit:
                    return index, await persist(attempt, self._patience, pace)

            tasks = [asyncio.create_task(one(i, *pair)) for i, pair in enumerate(pairs)]
            try:
                for task in tasks:
                    yield await task
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    def _no_answer(self, trouble: Trouble) -> EngineError:
        hint = f"; {self._wire.about_key}" if trouble.status in (401, 403) else ""
        return EngineError(f"{self.endpoint.name}: {trouble}{hint}")


async def score(wire: Wire, client: AsyncOpenAI, before: str, answer: str) -> LogLikelihood:
    """The log-likelihood of a given answer, by having the server echo it. Raises Trouble.

    One token is generated beside it, since not every server takes less.
    """
    request = {"prompt": before + answer, "max_tokens": 1, "temperature": 0.0}
    body = await wire.post(client, "plain", {**request, "echo": True, "logprobs": 1})
    return read_likelihood(body, before, answer)


async def _next(chunks: AsyncGenerator[Json]) -> Json | None:
    return await anext(chunks, None)


def _completion(index: int, answer: Answer, seconds: float) -> Completion:
    cause = "stopped by a content filter"
    return Completion(
        index=index,
        text="" if answer.filtered else answer.text,
        tokens=(),
        tokens_in=answer.tokens_in,
        tokens_out=answer.tokens_out,
        seconds=seconds,
        finish=None if answer.filtered else answer.finish,
        failure=Failure(cause) if answer.filtered else None,
    )


def _failed(index: int, trouble: Trouble, seconds: float) -> Completion:
    """Over the context, or without an answer."""
    over = trouble.kind == "over-context"
    failure = Failure(trouble.cause, trouble.kind != "filtered", trouble.detail)
    return Completion(
        index=index,
        text="",
        tokens=(),
        tokens_in=None,
        tokens_out=0 if over else None,
        seconds=0.0 if over else seconds,
        finish="over-context" if over else None,
        failure=None if over else failure,
    )
