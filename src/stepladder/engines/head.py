"""Answers by a head on features, behind the Engine protocol: nothing is generated.

    engine = HeadEngine(checkpoint)              # whose `head` is set
    (completion,) = engine.generate([prompt], Sampling())
    completion.text, completion.probability      # "south", .93

Prompts are read as they stand, without a chat template, and should hold the input alone. An answer
is one forward pass over the prompt, and the same whatever the sampling. It has no tokens: nothing
is written.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from functools import cached_property

from stepladder.checkpoints import open_features, out_of_memory, read_head
from stepladder.contracts import Encoder
from stepladder.engines.memory import release
from stepladder.errors import EngineError
from stepladder.records import (
    Capabilities,
    Checkpoint,
    Completion,
    LogLikelihood,
    Prompt,
    Sampling,
    content_hash,
)

NUMERICS = 1
"""Moved only when answers move: kept ones are then asked for anew."""
_AT_ONCE = 256
"""Texts between two looks at the clock."""


class HeadEngine:
    """Asks the head of one checkpoint, in the dtype that it was fitted in."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        if checkpoint.head is None:
            raise EngineError(f"{checkpoint.name} has no head to answer by")
        self.checkpoint = checkpoint
        self.head = read_head(checkpoint.head.folder)
        self._warm = False

    @property
    def identity(self) -> str:
        return content_hash(["head", self.checkpoint.identity, NUMERICS])

    @property
    def capabilities(self) -> Capabilities:
        return self.checkpoint.capabilities

    @cached_property
    def _encoder(self) -> Encoder:
        return open_features(self.checkpoint, self.head.pooling)

    def render(self, prompt: Prompt) -> str:
        return prompt.text

    def count_tokens(self, prompts: Sequence[Prompt]) -> list[int]:
        return self._encoder.count_tokens([prompt.text for prompt in prompts])

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> Iterator[Completion]:
        """One completion a prompt, those over the context first. Equal prompts are read once."""
        places: dict[str, list[int]] = {}
        for index, prompt in enumerate(prompts):
            places.setdefault(prompt.text, []).append(index)
        texts = list(places)
        counts = dict(zip(texts, self._encoder.count_tokens(texts), strict=True))
        room = self._encoder.context
        long = {text for text in texts if room is not None and counts[text] > room}
        for text in long:
            over = Completion(0, "", (), counts[text], 0, 0.0, "over-context")
            yield from (replace(over, index=index) for index in places[text])
        able = sorted((t for t in texts if t not in long), key=lambda t: -counts[t])
        for start in range(0, len(able), _AT_ONCE):
            for text, completion in self._answered(able[start : start + _AT_ONCE], counts, places):
                yield from (replace(completion, index=index) for index in places[text])

    def _answered(
        self, texts: Sequence[str], counts: dict[str, int], places: dict[str, list[int]]
    ) -> Iterator[tuple[str, Completion]]:
        try:
            if not self._warm:  # loading is nobody's bill
                self._encoder.encode(["a"])
                self._warm = True
            begun = time.perf_counter()
            answers = self.head.answers(self._encoder.encode(texts))
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            raise EngineError(
                f"out of memory with prompts of {counts[texts[0]]} tokens; use a smaller model or "
                "shorter inputs"
            ) from error
        seconds = (time.perf_counter() - begun) / sum(len(places[text]) for text in texts)
        for text, answer in zip(texts, answers, strict=True):
            yield (
                text,
                Completion(
                    index=0,
                    text=answer.text,
                    tokens=(),
                    tokens_in=counts[text],
                    tokens_out=0,
                    seconds=seconds,
                    finish="end",
                    probability=answer.probability,
                ),
            )

    def stream(self, prompt: Prompt, sampling: Sampling) -> Generator[str, None, Completion]:
        """The answer in one piece."""
        (completion,) = self.generate([prompt], sampling)
        if completion.text:
            yield completion.text
        return completion

    def log_likelihood(self, pairs: Sequence[tuple[Prompt, str]]) -> list[LogLikelihood]:
        """Refused: a head knows its own answers and no text."""
        raise EngineError(f"{self.checkpoint.name} answers by a head, which scores no given answer")

    def close(self) -> None:
        """Frees the model's memory."""
        self.__dict__.pop("_encoder", None)
        self._warm = False
        release()
