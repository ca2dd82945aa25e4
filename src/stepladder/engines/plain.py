"""Answers through transformers' own `generate`, for models that cannot take another path.

    runner = PlainRunner(model, tokenizer, budget, encoder_decoder=False)
    for answered in runner.answers(asks, Sampling(max_new_tokens=32)):
        ...                                      # batch by batch, as they finish

Rows are padded to the longest of their batch, a decoder's on the left. Beams are transformers' own
search, with its length penalty of 1; an answer goes on behind a stop string, and is cut there.
This module needs torch; import it where a model is at work.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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
        attention: str | None = None,
    ) -> None:
        """`attention` names transformers' own, for a model that is on the shared path besides."""
        self._seq2seq = encoder_decoder
        self._attention = attention
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
        # What one prompt takes up: it stands in every beam once.
        room = sampling.beams * sampling.max_new_tokens
        room += (sampling.beams - 1) * max((len(ask.ids) for ask in asks), default=0)
        return answer_by_batch(waiting, decode, self._budget, room=room)

    def _decode(self, batch: Sequence[Ask], sampling: Sampling, look: Look | None) -> list[Answer]:
        """One batch through `generate`."""
        model, pad = self._model, int(self._tokenizer.pad_token_id)
        left, rows = not self._seq2seq, [ask.ids for ask in batch]
        ids, mask = padded(rows, pad, left=left, device=model.device)
        width = ids.shape[1] if left else 1  # an encoder-decoder's answer has a start token
        ends = frozenset(model.generation_config.eos_token_id)
        ties = decoding.NearTies(width, ends)
        draws, beams = sampling.temperature > 0, sampling.beams > 1
        processor = decoding.RowDraws(sampling, [ask.seed for ask in batch]) if draws else ties
        stop = decoding.StopStrings(self._tokenizer, sampling.stop, width, len(batch))
        # Rows of a beam search are beams, and change places: none is a prompt's until the end.
        criteria: list[Any] = [stop] if sampling.stop and not beams else []
        criteria += [decoding.Watch(look, width)] if look and not beams else []
        config = copy.deepcopy(model.generation_config)
        config.update(
            max_new_tokens=sampling.max_new_tokens,
            do_sample=False,
            num_beams=sampling.beams,
            use_cache=True,
        )
        with quiet(), self._own_attention():
            output = model.generate(
                input_ids=ids,
                attention_mask=mask,
                generation_config=config,
                logits_processor=[] if beams else [processor],
                stopping_criteria=criteria,
            )
        self.near_ties += ties.count
        answers = output[:, width:].tolist()
        return [_answer(row, ends, at) for row, at in zip(answers, stop.ended, strict=True)]

    @contextmanager
    def _own_attention(self) -> Iterator[None]:
        """The model as transformers runs it, for as long as this takes."""
        usual = self._model.config._attn_implementation
        if self._attention in (None, usual):
            yield
            return
        self._model.set_attn_implementation(self._attention)
        try:
            yield
        finally:
            self._model.set_attn_implementation(usual)


def _answer(row: Sequence[int], ends: frozenset[int], stopped: int | None) -> Answer:
    """What one row of the output says; behind its end stands padding, which may look like it."""
    end = next((place + 1 for place, token in enumerate(row) if token in ends), None)
    if stopped is not None and (end is None or stopped <= end):
        return Answer(tuple(row[:stopped]), "stop")
    if end is not None:
        return Answer(tuple(row[:end]), "end")
    return Answer(tuple(row), "length")
