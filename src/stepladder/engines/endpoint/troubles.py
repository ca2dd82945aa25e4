"""What can go wrong with a request, sorted by what is to be done about it.

    trouble_of(error, hidden)      # a Trouble out of whatever the client library raised

The text of a Trouble may come from the server, which may have put the key into it; it goes through
`hidden` before anybody sees it, and the library's own exception is left behind.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal

Kind = Literal["busy", "fault", "malformed", "over-context", "filtered", "refused", "closed"]
"""`busy`: later (429). `fault`: again, a few times (5xx, connection, timeout, a cut answer).
`malformed`: again, once or twice. The others never again: the prompt is too long, is filtered (or
cannot be sent at all), or is refused; `closed` (key, quota, no such model or path) holds for every
other request too."""

Hide = Callable[[str], str]

_FAULTS = (500, 502, 503, 504)
_OVER_CONTEXT = re.compile(
    r"context[ _-]?(length|window|size)|maximum context|exceeds? the (available )?context"
    r"|(prompt|input|request) is too long|too many (input )?tokens",
    re.IGNORECASE,
)
_NO_MODEL = re.compile(
    r"model.{0,200}(not found|not exist|unknown|not supported|not available|not served|invalid)"
    r"|(no such|unknown|invalid) model",
    re.IGNORECASE | re.DOTALL,
)
_NO_CHAT = re.compile(r"chat[ _]template|not a chat model|chat.{0,40}not supported", re.IGNORECASE)
_LONGEST = 200
"""Characters of a server's message that are passed on."""


class Trouble(Exception):
    """A request without an answer."""

    def __init__(
        self,
        kind: Kind,
        cause: str,
        detail: str = "",
        *,
        retry_after: float | None = None,
        status: int | None = None,
        parameter: str | None = None,
    ) -> None:
        """`cause` is a few words to count by, `detail` what the server said; `retry_after` are
        seconds, `parameter` the part of the request that the server refuses, where it says so."""
        super().__init__(f"{cause} ({detail})" if detail else cause)
        self.kind = kind
        self.cause = cause
        self.detail = detail
        self.retry_after = retry_after
        self.status = status
        self.parameter = parameter

    @property
    def no_such_model(self) -> bool:
        """Whether the server says that it does not know the model."""
        return self.status in (400, 404, 422) and bool(_NO_MODEL.search(self.detail))

    @property
    def no_such_way(self) -> bool:
        """Whether the server does not know this way of asking."""
        missing = self.status in (404, 405, 501) and not self.no_such_model
        return missing or bool(_NO_CHAT.search(self.detail))


def trouble_of(error: Exception, hidden: Hide) -> Trouble:
    """Sorts what the client library raised. Anything that is no trouble with a request is raised
    again."""
    import httpx2
    import openai

    if isinstance(error, TimeoutError | openai.APITimeoutError | httpx2.TimeoutException):
        return Trouble("fault", "timeout")
    if isinstance(error, openai.APIStatusError):
        return _of_status(error.status_code, error.body, error.response.headers, hidden)
    if isinstance(error, openai.APIConnectionError | httpx2.HTTPError):
        return Trouble("fault", "connection broken", hidden(_innermost(error)))
    if isinstance(error, openai.APIError):  # an error told inside a stream
        return _of_status(500, error.body, {}, hidden)
    if isinstance(error, UnicodeEncodeError):
        return Trouble("filtered", "prompt is no valid Unicode text")
    if isinstance(error, ValueError):
        return Trouble("malformed", "malformed answer", hidden(str(error))[:_LONGEST])
    raise error


def _of_status(status: int, body: Any, headers: Mapping[str, str], hidden: Hide) -> Trouble:
    fields = body if isinstance(body, dict) else {}
    text = fields.get("message") or fields.get("detail") or fields.get("error") or body or ""
    detail = " ".join(hidden(str(text)).split())[:_LONGEST] or f"HTTP {status}"
    codes = {str(fields.get("code")), str(fields.get("type"))}
    parameter = fields.get("param")

    def trouble(kind: Kind, cause: str) -> Trouble:
        named = parameter if isinstance(parameter, str) else None
        wait = retry_after(headers)
        return Trouble(kind, cause, detail, retry_after=wait, status=status, parameter=named)

    if status in (400, 413, 422, 500) and (
        codes & {"context_length_exceeded", "exceed_context_size_error"}
        or _OVER_CONTEXT.search(detail)
    ):
        return trouble("over-context", "prompt over the context")
    if status == 400 and "content_filter" in codes:
        return trouble("filtered", "stopped by a content filter")
    if status in (401, 403):
        return trouble("closed", "the key is not accepted")
    if status == 402 or "insufficient_quota" in codes:
        return trouble("closed", "the account has no quota left")
    if status == 404 or "model_not_found" in codes:
        return trouble("closed", "not found")
    if status == 429:
        return trouble("busy", "rate limited")
    if status in _FAULTS:
        return trouble("fault", f"HTTP {status}")
    return trouble("refused", "request refused")


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the server asks to wait: a number, or a date (RFC 9110, section 10.2.3).

    >>> retry_after({"retry-after": "2"})
    2.0
    """
    value = headers.get("retry-after")
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None


def _innermost(error: BaseException) -> str:
    """What began it, in a few words: the library says no more than `Connection error.`"""
    while error.__cause__ is not None:
        error = error.__cause__
    said = str(getattr(error, "strerror", None) or error) or type(error).__name__
    return " ".join(said.split())[:_LONGEST]
