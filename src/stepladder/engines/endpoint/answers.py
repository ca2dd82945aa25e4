"""From a server's response to an answer: its text, why it ended, the tokens that were reported.

Servers differ in what they leave out, so nothing is relied on but a text and a reason to have
ended; the rest is None where it is not there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from stepladder.engines.asking import cut_at_stop
from stepladder.engines.endpoint.troubles import Trouble
from stepladder.engines.endpoint.wire import Way
from stepladder.records import Finish, Json, LogLikelihood


class Answer(NamedTuple):
    """What a response says."""

    text: str
    """Cut before the first stop string."""
    finish: Finish
    tokens_in: int | None
    tokens_out: int | None
    reported: str | None
    """The model's name as the server has it."""
    filtered: bool
    """Whether a content filter ended it."""


def read_answer(body: Json, way: Way, stop: Sequence[str]) -> Answer:
    """Reads a whole response. Raises Trouble for one that is no answer."""
    choice = first_choice(body)
    if way == "chat":
        message = choice.get("message")
        if not isinstance(message, dict):
            raise _malformed("no message")
        text = message.get("content")
    else:
        text = choice.get("text")
    if text is None and way == "chat":
        text = ""  # nothing but reasoning, or a refusal
    if not isinstance(text, str):
        raise _malformed("no text")
    ended = choice.get("finish_reason")
    if not isinstance(ended, str):
        raise _malformed("no finish_reason")
    cut = cut_at_stop(text, stop)
    # vLLM tells the stop string that it met.
    stopped = cut != text or isinstance(choice.get("stop_reason"), str)
    return Answer(
        text=cut,
        finish="stop" if stopped else "length" if ended == "length" else "end",
        tokens_in=usage(body, "prompt_tokens"),
        tokens_out=usage(body, "completion_tokens"),
        reported=reported(body),
        filtered=ended == "content_filter",
    )


def read_likelihood(body: Json, before: str, answer: str) -> LogLikelihood:
    """The score of `answer` in the echoed `before + answer`. Raises Trouble where there is none.

    A token across the border belongs to the answer. What was generated behind it is left out.
    """
    logprobs = first_choice(body).get("logprobs")
    if not isinstance(logprobs, dict):
        raise _malformed("no logprobs")
    try:
        rows = list(
            zip(
                logprobs["text_offset"],
                logprobs["tokens"],
                logprobs["token_logprobs"],
                logprobs.get("top_logprobs") or [None] * len(logprobs["tokens"]),
                strict=True,
            )
        )
        end = len(before) + len(answer)
        chosen = [
            (value, top)
            for offset, token, value, top in rows
            if offset + len(token) > len(before) and offset < end and value is not None
        ]
        total = math.fsum(value for value, _ in chosen)
        greedy = all(top and value >= max(top.values()) - 1e-6 for value, top in chosen)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _malformed(f"logprobs without {error}") from None
    if not chosen or not math.isfinite(total):
        raise _malformed("logprobs do not reach over the given text")
    return LogLikelihood(total, len(chosen), greedy)


def first_choice(body: Json) -> Json:
    """The one choice that was asked for. Raises Trouble."""
    choices = body.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise _malformed("no choices")
    return choices[0]


def usage(body: Json, name: str) -> int | None:
    """A count of tokens, where the server reports it."""
    counts = body.get("usage")
    found: Any = counts.get(name) if isinstance(counts, dict) else None
    return found if isinstance(found, int) and not isinstance(found, bool) and found >= 0 else None


def reported(body: Json) -> str | None:
    """The model's name, where the server reports it."""
    found = body.get("model")
    return found if isinstance(found, str) and found else None


def _malformed(what: str) -> Trouble:
    return Trouble("malformed", "malformed answer", what)
