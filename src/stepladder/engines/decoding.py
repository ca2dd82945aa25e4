"""Which token comes next, and when an answer ends: drawing a row at a time, and stop strings.

    chooser = Chooser(Sampling(temperature=0.7))                 # in Stepladder's own loops
    tokens, near_ties = chooser.choose(logits, numbers)

    processor = RowDraws(Sampling(temperature=0.7, top_p=0.9), seeds=[11, 12])
    stop = StopStrings(tokenizer, ("\\n\\n",), width=prompt_width, rows=2)
    model.generate(..., do_sample=False, logits_processor=[processor], stopping_criteria=[stop])

`generate` draws for a whole batch from one global generator, so an answer there depends on its
neighbours; here each row has a generator of its own, and one number of it decides one token by the
inverse of the distribution function, which a change in the last bits of the logits hardly moves.
This module needs torch; import it where a model is at work.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from transformers.generation.logits_process import (
    LogitsProcessor,
    LogitsProcessorList,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)
from transformers.generation.stopping_criteria import StoppingCriteria

from stepladder.engines.asking import Answer, Look
from stepladder.records import Sampling

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


TIE = 1e-4
"""Two logits closer than this may change places between one way of computing them and another."""
_BLOCKS = (128, 64)
"""Most vocabularies are a multiple of one of these."""


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
        numbers = [row_numbers(seed, sampling.max_new_tokens) for seed in seeds]
        self._uniform = torch.stack(numbers) if numbers else torch.empty(0, 0)
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


def row_numbers(seed: int, count: int) -> torch.Tensor:
    """A row's numbers in [0, 1), one a token, shape (count,)."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, generator=generator, dtype=torch.float64)


class Chosen(NamedTuple):
    """One token a row."""

    tokens: list[int]
    near_ties: int
    """Rows whose two best logits lie within TIE: there a batch may choose otherwise than one row
    alone. 0 where tokens are drawn."""


class Chooser:
    """The next token of rows that need not be at the same step."""

    def __init__(self, sampling: Sampling) -> None:
        self._draws = RowDraws(sampling, []) if sampling.temperature > 0 else None

    @property
    def greedy(self) -> bool:
        """Whether the best token is taken, and the others do not matter."""
        return self._draws is None

    def choose(self, logits: torch.Tensor, numbers: Sequence[float]) -> Chosen:
        """Logits of shape (rows, vocabulary); a number in [0, 1) a row, where tokens are drawn."""
        if self._draws is not None:
            uniform = torch.tensor(numbers, dtype=torch.float64, device=logits.device)
            ids: Any = torch.empty(len(logits), 0, dtype=torch.long, device=logits.device)
            return Chosen(self._draws.draw(ids, logits, uniform).tolist(), 0)
        return leading(logits).chosen()


class Lead(NamedTuple):
    """The best token of each row, shape (rows,); the first of those that are equally good."""

    token: torch.Tensor
    gap: torch.Tensor
    """How far its logit lies above the next one, shape (rows,)."""

    def rows(self, places: Sequence[int]) -> Lead:
        """Those alone."""
        if len(places) == len(self.token):
            return self
        return Lead(self.token[places], self.gap[places])

    def chosen(self) -> Chosen:
        """It, where the best is what is wanted."""
        return Chosen(self.token.tolist(), int((self.gap < TIE).sum()))


def leading(logits: torch.Tensor) -> Lead:
    """Of logits of shape (rows, vocabulary).

    `topk` takes six times as long as reading the logits does, and is a twentieth of a step. So the
    largest logit of each block is taken first, and only the best block is looked through.
    """
    rows, vocabulary = logits.shape
    width = next((width for width in _BLOCKS if vocabulary % width == 0), vocabulary)
    blocks = logits.reshape(rows, -1, width)
    tops = blocks.amax(dim=-1)
    tops, order = tops.topk(min(2, tops.shape[-1]), dim=-1)
    inside, places = blocks[torch.arange(rows, device=logits.device), order[:, 0]].topk(
        min(2, width), dim=-1
    )
    others = torch.cat([tops[:, 1:], inside[:, 1:]], dim=-1)
    best = inside[:, 0]
    gap = best - others.amax(dim=-1) if others.shape[-1] else torch.zeros_like(best)
    token = order[:, 0] * width + places[:, 0]
    return Lead(token if bool((gap > 0).all()) else logits.argmax(dim=-1), gap)


class NearTies(LogitsProcessor):
    """Counts the steps of unfinished rows whose two best logits lie within TIE."""

    def __init__(self, width: int, ends: Collection[int]) -> None:
        """`width`: tokens that stand before the answer in each row."""
        self._width = width
        self._ends = torch.tensor(sorted(ends))
        self.count = 0

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        """Scores, shape (rows, vocabulary), as they came."""
        answers = input_ids[:, self._width :]
        at_work = ~torch.isin(answers, self._ends.to(answers.device)).any(dim=-1)
        self.count += int(((leading(scores).gap < TIE) & at_work).sum())
        return scores


class StopFinder:
    """Whether an answer's last token completes a stop string.

    Most tokens cannot: what ends a stop string has its last character. Only the others have the
    answer's tail decoded, which is the expensive part.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, stop: Sequence[str]) -> None:
        self._tokenizer = tokenizer
        self._stop = tuple(stop)
        # A token writes a byte at least, special ones aside; the rest is for those and for the
        # space that some decoders drop at the head of what they are given.
        self._window = max((len(s.encode()) for s in stop), default=0) + 8
        self._may_end: dict[int, bool] = {}

    def ends(self, answer: Sequence[int]) -> bool:
        """Whether the tail of the answer, whose last token is new, holds a stop string."""
        if not self._stop or not self._can_end(answer[-1]):
            return False
        text = self._decode(answer[-self._window :])
        return any(stop in text for stop in self._stop)

    def _can_end(self, token: int) -> bool:
        known = self._may_end.get(token)
        if known is None:
            piece = self._decode([token])
            # Alone, a token may lose its space, or be a part of a character.
            unsure = not piece.strip() or "\ufffd" in piece
            known = unsure or any(s[-1].isspace() or s[-1] in piece for s in self._stop)
            self._may_end[token] = known
        return known

    def _decode(self, tokens: Sequence[int]) -> str:
        return str(self._tokenizer.decode(list(tokens), skip_special_tokens=True))


def ending(
    tokens: list[int],
    ends: Collection[int],
    most: int,
    finder: StopFinder,
    look: Look | None = None,
) -> Answer | None:
    """The answer, where its last token ended it: by a stop string, as an end token, or as number
    `most`, or because `look` says so."""
    enough = look is not None and look(tokens)
    if finder.ends(tokens):
        return Answer(tuple(tokens), "stop")
    if tokens[-1] in ends:
        return Answer(tuple(tokens), "end")
    return Answer(tuple(tokens), "length") if enough or len(tokens) == most else None


class StopStrings(StoppingCriteria):
    """Ends a row when its text holds a stop string, and remembers after how many tokens."""

    def __init__(
        self, tokenizer: PreTrainedTokenizerBase, stop: Sequence[str], width: int, rows: int
    ) -> None:
        """`width`: tokens that stand before the answer in each row."""
        self._finder = StopFinder(tokenizer, stop)
        self._width = width
        self.ended: list[int | None] = [None] * rows

    def __call__(
        self, input_ids: torch.LongTensor, scores: torch.FloatTensor, **kwargs: object
    ) -> torch.BoolTensor:
        """Which rows have ended, shape (rows,)."""
        for row, answer in enumerate(input_ids[:, self._width :].tolist()):
            if self.ended[row] is None and self._finder.ends(answer):
                self.ended[row] = len(answer)
        flags = [end is not None for end in self.ended]
        return torch.tensor(flags, device=input_ids.device)  # type: ignore[return-value]


class Watch(StoppingCriteria):
    """Shows the first row's answer to `look` after each token; what it returns ends the answer."""

    def __init__(self, look: Look, width: int) -> None:
        self._look = look
        self._width = width

    def __call__(
        self, input_ids: torch.LongTensor, scores: torch.FloatTensor, **kwargs: object
    ) -> torch.BoolTensor:
        """Whether to end, shape (rows,)."""
        end = self._look(input_ids[0, self._width :].tolist())
        return torch.full((input_ids.shape[0],), end, device=input_ids.device)  # type: ignore[return-value]
