"""The line to one endpoint: its key, its client, one request and what it came to.

    wire = Wire(endpoint)
    async with wire.open() as client:
        body = await wire.post(client, "chat", {"messages": [...], "max_tokens": 8})

The key is read from the environment here and leaves only in the header of a request. Whatever a
server sends back is searched for it, since some repeat it. Errors come as Trouble.

What is NOT covered: a key of fewer than eight characters is taken for a placeholder (`none`) and
not searched for; and an answer that spells the key piece by piece while it is streamed is not seen
through.
"""

from __future__ import annotations

import ipaddress
import json
import os
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from stepladder.engines.endpoint.troubles import Trouble, trouble_of
from stepladder.errors import CheckpointError
from stepladder.records import Endpoint, Json

if TYPE_CHECKING:
    from openai import AsyncOpenAI

Way = Literal["chat", "plain"]
"""chat/completions, or completions."""

KEY_VARIABLE = "OPENAI_API_KEY"
_SHORTEST = 8
_CONNECT = 10.0
"""Seconds to wait for a connection."""


class Wire:
    """Speaks to one endpoint."""

    def __init__(self, endpoint: Endpoint) -> None:
        """Raises CheckpointError for a key that cannot be used."""
        self._endpoint = endpoint
        self._key = _key_of(endpoint)

    @property
    def about_key(self) -> str:
        """What to do where the server does not accept the key."""
        named = self._endpoint.key_variable
        if self._key is not None:
            return f"correct the variable {named or KEY_VARIABLE}"
        if named is None and not _private(self._endpoint.url):
            return (
                "over plain http a key is sent only where the address names its variable: "
                "...?key_from=VARIABLE#name"
            )
        return f"set {KEY_VARIABLE}, or name another variable: ...?key_from=VARIABLE#name"

    def hidden(self, text: str) -> str:
        """The text without the key."""
        if self._key is None or len(self._key) < _SHORTEST:
            return text
        return text.replace(self._key, "[key]")

    def open(self) -> AsyncOpenAI:
        """A client for the running event loop; close it. It tries nothing twice by itself."""
        import openai

        return openai.AsyncOpenAI(
            api_key=self._key or "none",
            base_url=self._endpoint.url,
            max_retries=0,
            timeout=openai.Timeout(None, connect=_CONNECT),
        )

    async def models(self, client: AsyncOpenAI) -> list[Json]:
        """The models that the server lists, each at least with an `id`."""
        try:
            raw = await client.models.with_raw_response.list(extra_headers=self._headers())
            found = json.loads(self.hidden(raw.http_response.text))
        except Exception as error:  # sorted, or raised again
            raise trouble_of(error, self.hidden) from None
        rows = found.get("data") if isinstance(found, dict) else None
        return [r for r in rows or () if isinstance(r, dict) and isinstance(r.get("id"), str)]

    async def post(self, client: AsyncOpenAI, way: Way, request: Json) -> Json:
        """The body of the response to a request without its model. Raises Trouble."""
        create = self._create(client, way, raw=True)
        try:
            raw = await create(**self._arguments(way, request))
            body = json.loads(self.hidden(raw.http_response.text))
        except Exception as error:  # sorted, or raised again
            # Without the library's exception, whose text may hold the key.
            raise trouble_of(error, self.hidden) from None
        if not isinstance(body, dict):
            raise Trouble("malformed", "malformed answer", f"a {type(body).__name__}")
        return body

    async def stream(self, client: AsyncOpenAI, way: Way, request: Json) -> AsyncGenerator[Json]:
        """The chunks of a streamed response, as they come. Raises Trouble."""
        create = self._create(client, way, raw=False)
        try:
            chunks = await create(**self._arguments(way, request), stream=True)
            async for chunk in chunks:
                yield json.loads(self.hidden(json.dumps(chunk.to_dict(), ensure_ascii=False)))
        except Exception as error:  # sorted, or raised again
            raise trouble_of(error, self.hidden) from None

    def _create(self, client: AsyncOpenAI, way: Way, *, raw: bool) -> Any:
        resource: Any = client.chat.completions if way == "chat" else client.completions
        return (resource.with_raw_response if raw else resource).create

    def _arguments(self, way: Way, request: Json) -> Json:
        """Everything goes by `extra_body`, as the library has no name for what servers add."""
        what = "messages" if way == "chat" else "prompt"
        rest = {key: value for key, value in request.items() if key != what}
        return {
            "model": self._endpoint.model,
            what: request[what],
            "extra_body": rest,
            "extra_headers": self._headers(),
        }

    def _headers(self) -> Json:
        import openai

        return {} if self._key is not None else {"Authorization": openai.omit}


def _key_of(endpoint: Endpoint) -> str | None:
    """The key, or None where there is none to send."""
    variable = endpoint.key_variable
    key = os.environ.get(variable or KEY_VARIABLE, "").strip()
    if variable is not None and not key:
        # The name is not repeated: it may be a key put there by mistake.
        raise CheckpointError(
            f"{endpoint.name}: the environment variable that key_from names is not set; "
            "set it to the key"
        )
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise CheckpointError(
            f"{endpoint.name}: {variable or KEY_VARIABLE} holds characters that no key has"
        )
    if variable is None and not _private(endpoint.url):
        return None
    return key or None


def _private(url: str) -> bool:
    """Whether nobody on the way can read along: https, or this very machine."""
    parts = urlsplit(url)
    if parts.scheme == "https" or parts.hostname == "localhost":
        return True
    try:
        return ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False
