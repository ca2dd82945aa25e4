"""Answers through transformers' own `generate`, for models that cannot take another path.

    runner = PlainRunner(model, tokenizer, budget, encoder_decoder=False)
    for answered in runner.answers(asks, Sampling(max_new_tokens=32)):
        ...                                      # batch by batch, as they finish

Rows are padded to the longest of their batch, a decoder's on the left. This module needs torch;
import it where a model is at work.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from stepladder.checkpoints import quiet
from stepladder.engines import decoding
from stepladder.engines.asking import Answer, Answered, Ask, Look
from stepladder.engines.batching import answer_by_batch
from stepladder.engines.likelihood import padded
from stepladder.engines.memory import Budget
from stepladder.records import Sampling

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class PlainRunner:
    """Asks rows of any model that generates."""

    def __init__(
        self,
        model: Any,
        tokenizer: PreTrainedTokenizerBase,
        budget: Budget,
        *,
        encoder_decoder: bool,
    ) -> None:
        self._seq2seq = encoder_decoder
        self._model = model
        self._tokenizer = tokenizer
        self._budget = budget
        self.near_ties = 0
        """Greedy steps whose two best logits lay within 1e-4, of all rows so far."""

    def answers(
        self, asks: Sequence[Ask], sampling: Sampling, look: Look | None = None
    ) -> Iterator[Answered]:
        """Every ask's answer, the longest first. Raises EngineError where memory is short for a
        single row."""
        waiting = sorted(asks, key=lambda ask: -len(ask.ids))
        decode = partial(self._decode, sampling=sampling, look=look)
        return answer_by_batch(waiting, decode, self._budget, room=sampling.max_new_tokens)

    def _decode(self, batch: Sequence[Ask], sampling: Sampling, look: Look | None) -> list[Answer]:
        """One batch through `generate`."""
        model, pad = self._model, int(self._tokenizer.pad_token_id)
        left, rows = not self._seq2seq, [ask.ids for ask in batch]
        ids, mask = padded(rows, pad, left=left, device=model.device)
        width = ids.shape[1] if left else 1  # an encoder-decoder's answer has a start token
        ends = frozenset(model.generation_config.eos_token_id)
        ties = decoding.NearTies(width, ends)
        draws = sampling.temperature > 0
        processor = decoding.RowDraws(sampling, [ask.seed for ask in batch]) if draws else ties
        stop = decoding.StopStrings(self._tokenizer, sampling.stop, width, len(batch))
        criteria: list[Any] = [stop] if sampling.stop else []
        criteria += [decoding.Watch(look, width)] if look else []
        config = copy.deepcopy(model.generation_config)
        config.update(
            max_new_tokens=sampling.max_new_tokens, do_sample=False, num_beams=1, use_cache=True
        )
        with quiet():
            output = model.generate(
                input_ids=ids,
                attention_mask=mask,
                generation_config=config,
                logits_processor=[processor],
                stopping_criteria=criteria,
            )
        self.near_ties += ties.count
        answers = output[:, width:].tolist()
        return [_answer(row, ends, at) for row, at in zip(answers, stop.ended, strict=True)]


def _answer(row: Sequence[int], ends: frozenset[int], stopped: int | None) -> Answer:
    """What one row of the output says; behind its end stands padding, which may look like it."""
    end = next((place + 1 for place, token in enumerate(row) if token in ends), None)
    if stopped is not None and (end is None or stopped <= end):
        return Answer(tuple(row[:stopped]), "stop")
    if end is not None:
        return Answer(tuple(row[:end]), "end")
    return Answer(tuple(row), "length")
