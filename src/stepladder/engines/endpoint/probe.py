"""Finds out, before anything is spent, whether an endpoint is there and what it can do.

    endpoint = find_out(read_address("http://127.0.0.1:8000/v1#qwen"), Sampling())
    endpoint.reported, endpoint.capabilities

The list of models is read (context, and the nearest name for one that is not known); then one token
is asked for, with the user's own sampling, as a chat and, where the server has no chat for this
model, as a plain completion; then one token behind a text that is to be echoed with log-probs.
Each lack is one CheckpointError.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from stepladder.engines.endpoint.answers import read_answer
from stepladder.engines.endpoint.background import iterate
from stepladder.engines.endpoint.engine import score
from stepladder.engines.endpoint.pace import Pace
from stepladder.engines.endpoint.patience import Patience, persist
from stepladder.engines.endpoint.requests import request_of, way_of
from stepladder.engines.endpoint.troubles import Trouble
from stepladder.engines.endpoint.wire import Wire
from stepladder.errors import CheckpointError, nearest_name
from stepladder.records import Capabilities, Endpoint, Json, Prompt, Sampling

if TYPE_CHECKING:
    from openai import AsyncOpenAI

PROBING = Patience(request=60.0, answer=60.0, faults=3, malformed=2)
"""A server that loads the model at the first request needs some of this minute."""
_HELLO = Prompt("Hello", ())
_LISTING = 10.0
"""Seconds to wait for the list of models, which not every server has."""
_CONTEXT = ("max_model_len", "context_length", "context_window")
"""What servers call it in that list: vLLM; OpenRouter and others; Groq."""
_WITHOUT = ("max_tokens", "stop")
"""Parameters that can be done without, or under another name."""


def find_out(endpoint: Endpoint, sampling: Sampling, *, patience: Patience = PROBING) -> Endpoint:
    """The endpoint with its model as reported and its capabilities. Raises CheckpointError."""
    probe = _Probe(endpoint, patience)
    return next(iterate(partial(probe.found, sampling)))


class _Probe:
    """One look at one endpoint."""

    def __init__(self, endpoint: Endpoint, patience: Patience) -> None:
        self._endpoint = endpoint
        self._patience = patience
        self._wire = Wire(endpoint)
        self._listed: list[Json] = []

    async def found(self, sampling: Sampling) -> AsyncIterator[Endpoint]:
        """Yields once."""
        asked = replace(sampling, max_new_tokens=1)
        async with self._wire.open() as client:
            await self._list(client)
            try:
                found = await self._way(client, asked)
            except Trouble as trouble:
                raise self._refusal(trouble) from None
            scores = await self._scores(client)
            able = replace(found.capabilities, scores=scores, context=self._context())
            yield replace(found, capabilities=able)

    async def _list(self, client: AsyncOpenAI) -> None:
        """The models that the server lists; not having a list is no fault."""
        patience = replace(self._patience, request=_LISTING, answer=_LISTING)
        try:
            self._listed = await persist(partial(self._wire.models, client), patience, Pace(1))
        except Trouble as trouble:
            if trouble.status in (401, 403) or trouble.cause == "connection broken":
                raise self._refusal(trouble) from None

    async def _way(self, client: AsyncOpenAI, sampling: Sampling) -> Endpoint:
        """As a chat, or plainly."""
        chat = replace(self._endpoint, capabilities=Capabilities(chat=True))
        try:
            return await self._asked(client, chat, sampling)
        except Trouble as trouble:
            if not trouble.no_such_way:
                raise
        return await self._asked(client, self._endpoint, sampling)

    async def _asked(self, client: AsyncOpenAI, endpoint: Endpoint, sampling: Sampling) -> Endpoint:
        """Asks for one token, without the parameters that the server says it does not take."""
        way = way_of(endpoint)
        while True:
            request = request_of(endpoint, _HELLO, sampling)
            try:
                body = await persist(
                    partial(self._wire.post, client, way, request), self._patience, Pace(1)
                )
            except Trouble as trouble:
                named = trouble.parameter
                if named not in _WITHOUT or named in endpoint.not_taken:
                    raise
                endpoint = replace(endpoint, not_taken=(*endpoint.not_taken, named))
                continue
            return replace(endpoint, reported=read_answer(body, way, ()).reported)

    async def _scores(self, client: AsyncOpenAI) -> bool:
        """Whether a given text comes back with the log-probabilities of its tokens."""
        attempt = partial(score, self._wire, client, "Hello", " there, you")
        try:
            await asyncio.wait_for(attempt(), self._patience.request)
        except (Trouble, TimeoutError):
            return False
        return True

    def _context(self) -> int | None:
        own = next((row for row in self._listed if row["id"] == self._endpoint.model), {})
        sizes = [own[name] for name in _CONTEXT if isinstance(own.get(name), int)]
        return sizes[0] if sizes else None

    def _refusal(self, trouble: Trouble) -> CheckpointError:
        """One line: what is wrong, and what to do."""
        endpoint = self._endpoint
        if trouble.status in (401, 403):
            return CheckpointError(f"{endpoint.name}: {trouble}; {self._wire.about_key}")
        if trouble.cause == "connection broken":
            return CheckpointError(
                f"{endpoint.name}: nothing answers there ({trouble.detail}); start the server, or "
                "correct the address"
            )
        if trouble.no_such_model:
            return CheckpointError(
                f"{endpoint.name}: the server has no such model ({trouble.detail}); {self._hint()}"
            )
        if trouble.no_such_way:
            return CheckpointError(
                f"{endpoint.name}: there is neither chat/completions nor completions below "
                f"{endpoint.url} ({trouble.detail}); many servers have them below /v1"
            )
        return CheckpointError(
            f"{endpoint.name}: a request for one token was not answered: {trouble}; see to the "
            "server, or to the sampling settings"
        )

    def _hint(self) -> str:
        names: Sequence[str] = [row["id"] for row in self._listed]
        return nearest_name(self._endpoint.model, names) if names else "name one that it serves"
