"""An engine without a model: answers come from a function or a table. No torch.

    engine = FakeEngine({"2 + 2 =": " 4"})
    engine = FakeEngine(lambda prompt: prompt.upper(), context=50, fail_after=10)

For tests and dry runs. A token is a word: what stands between white space. Everything of the Engine
protocol holds: stop strings, max_new_tokens, a context, equal answers to equal prompts. With a
temperature above 0 the seed chooses between the answer and its words in another order, so that
drawn answers differ between seeds and nothing else.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence

from stepladder.errors import EngineError
from stepladder.records import (
    Capabilities,
    Completion,
    Finish,
    LogLikelihood,
    Prompt,
    Sampling,
    content_hash,
)


def last_line(prompt: str) -> str:
    """The default answer: the prompt's last line that holds anything."""
    return next((line.strip() for line in reversed(prompt.splitlines()) if line.strip()), "")


class FakeEngine:
    """Answers at once and always the same."""

    def __init__(
        self,
        answer: Callable[[str], str] | Mapping[str, str] = last_line,
        *,
        name: str = "fake",
        context: int | None = None,
        fail_after: int | None = None,
    ) -> None:
        """`answer` takes the rendered prompt; a table without it gives the empty answer. After
        `fail_after` completions an EngineError is raised, as by a machine that went down."""
        self._answer = answer
        self._name = name
        self._context = context
        self._fail_after = fail_after
        self.asked = 0
        """Completions given so far."""

    @property
    def identity(self) -> str:
        return content_hash(["fake", self._name, self._context])

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(scores=True, context=self._context)

    def render(self, prompt: Prompt) -> str:
        return prompt.text

    def count_tokens(self, prompts: Sequence[Prompt]) -> list[int]:
        return [len(prompt.text.split()) for prompt in prompts]

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> Iterator[Completion]:
        """One completion a prompt, in order."""
        for index, tokens_in in enumerate(self.count_tokens(prompts)):
            if self._context is not None and tokens_in + sampling.max_new_tokens > self._context:
                yield Completion(index, "", (), tokens_in, 0, 0.0, "over-context")
                continue
            if self._fail_after is not None and self.asked >= self._fail_after:
                raise EngineError(f"{self._name} is down, as it was told to be")
            self.asked += 1
            text, words, finish = self._complete(prompts[index].text, sampling)
            yield Completion(index, text, (), tokens_in, words, 0.0, finish)

    def log_likelihood(self, pairs: Sequence[tuple[Prompt, str]]) -> list[LogLikelihood]:
        """-1 nat a word of the engine's own answer, -2 a word of any other."""
        scores = []
        for prompt, answer in pairs:
            own = answer.strip() == self._look_up(prompt.text).strip()
            tokens = len(answer.split()) + 1  # the end token
            scores.append(LogLikelihood(-tokens * (1.0 if own else 2.0), tokens, own))
        return scores

    def close(self) -> None:
        """Nothing to free."""

    def _look_up(self, text: str) -> str:
        return (
            self._answer.get(text, "") if isinstance(self._answer, Mapping) else self._answer(text)
        )

    def _complete(self, prompt: str, sampling: Sampling) -> tuple[str, int, Finish]:
        """The answer, its words and why it ended."""
        text = self._look_up(prompt)
        if sampling.temperature > 0:
            rng = random.Random(content_hash([sampling.seed, prompt]))
            words = text.split()
            text = text if rng.random() < 0.5 else " ".join(rng.sample(words, len(words)))
        finish: Finish = "end"
        places = [place for place in (text.find(s) for s in sampling.stop) if place >= 0]
        if places:
            text, finish = text[: min(places)], "stop"
        words = text.split()
        if len(words) > sampling.max_new_tokens:
            return " ".join(words[: sampling.max_new_tokens]), sampling.max_new_tokens, "length"
        return text, len(words), finish
