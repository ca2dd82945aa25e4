"""What the runners of the transformers engine take and give, and an answer as it is written.

    for answered in runner.answers([Ask(0, (5, 6, 7), seed=1)], Sampling()):
        print(answered.key, answered.answer.tokens, answered.answer.finish)

No torch: a runner brings it.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import NamedTuple, Protocol

from stepladder.records import Finish, Sampling


class Ask(NamedTuple):
    """One row that is to be answered."""

    key: int
    """The caller's; comes back with the answer."""
    ids: tuple[int, ...]
    seed: int
    """Of the row's own generator, where tokens are drawn."""


class Answer(NamedTuple):
    """Token ids of one row, up to and with its end token, and why it ended."""

    tokens: tuple[int, ...]
    finish: Finish

    @property
    def written(self) -> tuple[int, ...]:
        """Without the end token, which is not a special one to every tokenizer."""
        return self.tokens[:-1] if self.finish == "end" else self.tokens


class Answered(NamedTuple):
    key: int
    answer: Answer
    seconds: float
    """This row's share of the wall time of the passes that it took part in."""


Look = Callable[[list[int]], bool]
"""Sees a single ask's tokens after each; what it returns ends the answer."""


class Runner(Protocol):
    """Asks one model in one way."""

    near_ties: int
    """Greedy steps whose two best logits lay within 1e-4, of all rows so far."""

    def answers(
        self, asks: Sequence[Ask], sampling: Sampling, look: Look | None = None
    ) -> Iterator[Answered]:
        """Every ask's answer, in any order. Raises EngineError where memory is short for a single
        row."""
        ...


def pieces(
    runner: Runner, ask: Ask, sampling: Sampling, decode: Callable[[Sequence[int]], str]
) -> Generator[str, None, Answer]:
    """An answer in pieces as it is written; the generator's value is the whole.

    The model works in a thread of its own, so that Ctrl-C reaches the caller at once.
    """
    news: queue.SimpleQueue[list[int] | Answer | BaseException] = queue.SimpleQueue()
    abandoned = threading.Event()

    def look(tokens: list[int]) -> bool:
        news.put(list(tokens))
        return abandoned.is_set()

    def work() -> None:
        try:
            for answered in runner.answers([ask], sampling, look):
                news.put(answered.answer)
        except BaseException as error:  # handed to the caller's thread, which raises it
            news.put(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        return (yield from _certain(news, sampling.stop, decode))
    finally:
        abandoned.set()
        thread.join(timeout=1)


def _certain(
    news: queue.SimpleQueue[list[int] | Answer | BaseException],
    stop: Sequence[str],
    decode: Callable[[Sequence[int]], str],
) -> Generator[str, None, Answer]:
    """New text as it becomes certain, until the answer is whole."""
    shown = 0
    while True:
        item = news.get()
        if isinstance(item, BaseException):
            raise item
        if isinstance(item, Answer):
            text = cut_at_stop(decode(item.written), stop)
        else:
            text = certain_part(decode(item), stop)
        if len(text) > shown:
            yield text[shown:]
            shown = len(text)
        if isinstance(item, Answer):
            return item


def cut_at_stop(text: str, stop: Sequence[str]) -> str:
    """The text before the first stop string in it."""
    places = [place for place in (text.find(s) for s in stop) if place >= 0]
    return text[: min(places)] if places else text


def certain_part(text: str, stop: Sequence[str]) -> str:
    """What of an unfinished answer can be shown: not an incomplete character at its end, nor what
    may turn out to be the beginning of a stop string."""
    text = cut_at_stop(text, stop).rstrip("\ufffd")
    for length in range(min(len(text), max((len(s) for s in stop), default=1) - 1), 0, -1):
        if any(s.startswith(text[-length:]) for s in stop):
            return text[:-length]
    return text
