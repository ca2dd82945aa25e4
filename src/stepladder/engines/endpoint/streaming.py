"""An answer put together from the chunks of a stream.

spelling = Spelling("chat")
spelling.add(chunk)
spelling.text            # so far
spelling.answer(stop)    # once the stream has ended
"""

from __future__ import annotations

from collections.abc import Sequence

from stepladder.engines.asking import cut_at_stop
from stepladder.engines.endpoint.answers import Answer, read_answer
from stepladder.engines.endpoint.troubles import Trouble
from stepladder.engines.endpoint.wire import Way
from stepladder.records import Json


class Spelling:
    """What came so far."""

    def __init__(self, way: Way) -> None:
        self.text = ""
        self._way = way
        self._rest: Json = {}
        self._choice: Json = {}

    def add(self, chunk: Json) -> None:
        """Takes a chunk in; one without a choice brings counts of tokens alone."""
        self._rest |= {k: chunk[k] for k in ("model", "usage") if chunk.get(k) is not None}
        choices = chunk.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else {}
        delta = choice.get("delta") or {} if self._way == "chat" else choice
        self.text += delta.get("content" if self._way == "chat" else "text") or ""
        told = ("finish_reason", "stop_reason")
        self._choice |= {k: choice[k] for k in told if choice.get(k) is not None}

    def stopped(self, stop: Sequence[str]) -> bool:
        """Whether a stop string is there already that the server went past."""
        return cut_at_stop(self.text, stop) != self.text

    def answer(self, stop: Sequence[str]) -> Answer:
        """The whole answer. Raises Trouble where the stream ended before the answer did."""
        choice = self._choice
        if self.stopped(stop):
            choice = {"finish_reason": "stop", **choice}
        if "finish_reason" not in choice:
            raise Trouble("fault", "the answer broke off")
        spelt = {"message": {"content": self.text}, "text": self.text, **choice}
        return read_answer({**self._rest, "choices": [spelt]}, self._way, stop)
