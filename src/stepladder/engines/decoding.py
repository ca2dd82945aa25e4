"""What Stepladder adds to transformers' `generate`: drawing a row at a time, and stop strings.

    processor = RowDraws(Sampling(temperature=0.7, top_p=0.9), seeds=[11, 12])
    stop = StopStrings(tokenizer, ("\\n\\n",), width=prompt_width, rows=2)
    model.generate(..., do_sample=False, logits_processor=[processor], stopping_criteria=[stop])

`generate` draws for a whole batch from one global generator, so an answer there depends on its
neighbours; here each row has a generator of its own, and one number of it decides one token by the
inverse of the distribution function, which a change in the last bits of the logits hardly moves.
This module needs torch; import it where a model is at work.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from transformers.generation.logits_process import (
    LogitsProcessor,
    LogitsProcessorList,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)
from transformers.generation.stopping_criteria import StoppingCriteria

from stepladder.records import Sampling

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class RowDraws(LogitsProcessor):
    """Leaves one token of each row possible: the one drawn for it."""

    def __init__(self, sampling: Sampling, seeds: Sequence[int]) -> None:
        """`seeds` gives each row's generator; temperature, top-k and top-p act in transformers'
        order, through its own warpers."""
        self._warpers = LogitsProcessorList([TemperatureLogitsWarper(float(sampling.temperature))])
        if sampling.top_k > 0:
            self._warpers.append(TopKLogitsWarper(sampling.top_k))
        if sampling.top_p < 1:
            self._warpers.append(TopPLogitsWarper(sampling.top_p))
        self._uniform = torch.stack([_uniform(seed, sampling.max_new_tokens) for seed in seeds])
        self._step = 0

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        """Scores, shape (rows, vocabulary), to 0 for the drawn token and -inf for all others."""
        drawn = self.draw(input_ids, scores, self._uniform[:, self._step].to(scores.device))
        self._step += 1
        chosen = torch.full_like(scores, -torch.inf)
        return chosen.scatter_(1, drawn[:, None], 0.0)  # type: ignore[return-value]

    def draw(
        self, input_ids: torch.Tensor, scores: torch.Tensor, uniform: torch.Tensor
    ) -> torch.Tensor:
        """One token id a row, shape (rows,), from one number in [0, 1) a row."""
        # In double precision and below zero, a temperature near 0 makes -inf and never nan.
        shifted = scores.double() - scores.double().amax(dim=-1, keepdim=True)
        mass = self._warpers(input_ids, shifted).softmax(dim=-1).cumsum(dim=-1)  # type: ignore[arg-type]
        aim = uniform[:, None] * mass[:, -1:]
        place = torch.searchsorted(mass, aim, right=True)[:, 0]
        return place.clamp(max=scores.shape[-1] - 1)


def _uniform(seed: int, count: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, generator=generator, dtype=torch.float64)


class StopStrings(StoppingCriteria):
    """Ends a row when its text holds a stop string, and remembers after how many tokens."""

    def __init__(
        self, tokenizer: PreTrainedTokenizerBase, stop: Sequence[str], width: int, rows: int
    ) -> None:
        """`width`: tokens that stand before the answer in each row."""
        self._tokenizer = tokenizer
        self._stop = tuple(stop)
        self._width = width
        # A token writes a byte at least, special ones aside; the rest is for those and for the
        # space that some decoders drop at the head of what they are given.
        self._window = max((len(s.encode()) for s in stop), default=0) + 8
        self.ended: list[int | None] = [None] * rows

    def __call__(
        self, input_ids: torch.LongTensor, scores: torch.FloatTensor, **kwargs: object
    ) -> torch.BoolTensor:
        """Which rows have ended, shape (rows,)."""
        count = input_ids.shape[1] - self._width
        start = max(self._width, input_ids.shape[1] - self._window)
        for row, tail in enumerate(input_ids[:, start:].tolist()):
            if self.ended[row] is None:
                text = self._tokenizer.decode(tail, skip_special_tokens=True)
                if any(stop in text for stop in self._stop):
                    self.ended[row] = count
        flags = [end is not None for end in self.ended]
        return torch.tensor(flags, device=input_ids.device)  # type: ignore[return-value]


class Watch(StoppingCriteria):
    """Shows the first row's answer to `look` after each token; what it returns ends the answer."""

    def __init__(self, look: Callable[[list[int]], bool], width: int) -> None:
        self._look = look
        self._width = width

    def __call__(
        self, input_ids: torch.LongTensor, scores: torch.FloatTensor, **kwargs: object
    ) -> torch.BoolTensor:
        """Whether to end, shape (rows,)."""
        end = self._look(input_ids[0, self._width :].tolist())
        return torch.full((input_ids.shape[0],), end, device=input_ids.device)  # type: ignore[return-value]


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
