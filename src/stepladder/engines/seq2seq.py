"""Answers from an encoder-decoder: each distinct input encoded once, rows that leave when they end.

    runner = Seq2SeqRunner(model, tokenizer, budget)
    for answered in runner.answers(asks, Sampling(max_new_tokens=32)):
        ...                                      # row by row, as they end

All rows of a batch are at the same step, since decoders with relative positions (T5) count steps
for the whole batch; so nothing comes in while a batch is at work, and it shrinks instead. This
module needs torch; import it where a model is at work.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from transformers.cache_utils import EncoderDecoderCache
from transformers.modeling_outputs import BaseModelOutput

from stepladder.checkpoints import PairTokens, quiet
from stepladder.engines.asking import Answer, Answered, Ask, Look
from stepladder.engines.batching import answer_by_batch
from stepladder.engines.cache import GrowingCache, PassedCache
from stepladder.engines.decoding import Chooser, Chosen, Lead, StopFinder, ending, row_numbers
from stepladder.engines.likelihood import LOGITS, padded, scores_of
from stepladder.engines.memory import Budget
from stepladder.engines.proof import UNEXPECTED, failed, judged, prove_head
from stepladder.engines.screening import Head
from stepladder.records import LogLikelihood, Sampling

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_ENCODED = 2048
"""Tokens of one pass of the encoder, padding included."""
_SCORES = 2**25
"""Attention scores of one layer of the encoder at most (128 MB in float32): relative positions are
added to all of them at once."""
_STAY = 0.8
"""A batch closes its gaps once fewer of its rows than this are still at work: it costs a copy of
the keys and values of those that stay."""


class Encoded(NamedTuple):
    """Encoder outputs of a batch."""

    states: torch.Tensor
    """Shape (rows, tokens, width)."""
    mask: torch.Tensor
    """Shape (rows, tokens)."""

    def rows(self, index: torch.Tensor) -> Encoded:
        return Encoded(self.states[index], self.mask[index])


class Seq2SeqModel:
    """The passes of an encoder-decoder."""

    def __init__(self, model: Any, pad: int) -> None:
        self.model = model
        self.pad = pad
        config = model.config
        self.head = Head(model)
        self.heads = int(getattr(config, "num_attention_heads", 0) or config.num_heads)
        self.start = model.generation_config.decoder_start_token_id
        if self.start is None:
            self.start = config.decoder_start_token_id

    @torch.inference_mode()
    def encode(self, inputs: Sequence[tuple[int, ...]]) -> Encoded:
        """Of inputs with the longest first, so that few of them are filled up by much."""
        encoder, device = self.model.get_encoder(), self.model.device
        parts, masks = [], []
        at, width = 0, len(inputs[0])
        while at < len(inputs):
            longest = len(inputs[at])
            rows = min(_ENCODED // longest, _SCORES // (self.heads * longest * longest))
            chunk = inputs[at : at + max(1, rows)]
            ids, mask = padded(chunk, self.pad, left=False, device=device)
            states = encoder(input_ids=ids, attention_mask=mask).last_hidden_state
            fill = width - longest
            parts.append(torch.nn.functional.pad(states, (0, 0, 0, fill)))
            masks.append(torch.nn.functional.pad(mask, (0, fill)))
            at += len(chunk)
        return Encoded(torch.cat(parts), torch.cat(masks))

    @torch.inference_mode()
    def decode(self, encoded: Encoded, ids: torch.Tensor, cache: Any) -> torch.Tensor:
        """Logits of shape (rows, tokens, vocabulary) for decoder inputs of shape (rows, tokens);
        `cache` None looks at nothing before them."""
        output = self.model(
            encoder_outputs=BaseModelOutput(last_hidden_state=encoded.states),
            attention_mask=encoded.mask,
            decoder_input_ids=ids,
            past_key_values=cache,
            use_cache=cache is not None,
        )
        logits: torch.Tensor = output.logits.float()
        return logits


class Decoded:
    """The decoder's side of a batch of rows at one step."""

    def __init__(self, model: Seq2SeqModel, encoded: Encoded, capacity: int) -> None:
        """`capacity`: tokens that an answer may have, its start token included."""
        self._model = model
        self._encoded = encoded
        self._own = GrowingCache(capacity)
        self._cross = PassedCache()
        self._cache = EncoderDecoderCache(self._own, self._cross)

    def step(self, tokens: Sequence[int]) -> torch.Tensor:
        """The logits behind each row's newest token, shape (rows, vocabulary)."""
        ids = torch.tensor(tokens, device=self._encoded.mask.device)[:, None]
        return self._model.decode(self._encoded, ids, self._cache)[:, -1]

    def lead(self, tokens: Sequence[int]) -> Lead:
        """The best token behind each row's newest one."""
        return self._model.head.lead(partial(self.step, tokens))

    @torch.inference_mode()
    def keep(self, rows: Sequence[int]) -> None:
        """Closes the gaps: only these rows go on."""
        index = torch.tensor(rows, device=self._encoded.mask.device)
        encoded = self._encoded.rows(index)
        self._own.keep(index)
        self._cross.keep(index)
        self._encoded = encoded


class Seq2SeqRunner:
    """Asks rows of an encoder-decoder."""

    def __init__(
        self, model: Seq2SeqModel, tokenizer: PreTrainedTokenizerBase, budget: Budget
    ) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._budget = budget
        config = model.model.generation_config
        self._ends = frozenset(config.eos_token_id)
        self._first, self._last = _one(config.forced_bos_token_id), _one(config.forced_eos_token_id)
        self.near_ties = 0
        """Greedy steps whose two best logits lay within 1e-4, of all rows so far."""

    def answers(
        self, asks: Sequence[Ask], sampling: Sampling, look: Look | None = None
    ) -> Iterator[Answered]:
        """Every ask's answer, batches of the longest inputs first. Raises EngineError where memory
        is short for a single row."""
        waiting = sorted(asks, key=lambda ask: (-len(ask.ids), ask.ids))
        decode = partial(self._decode, sampling=sampling, look=look)
        return answer_by_batch(waiting, decode, self._budget, room=sampling.max_new_tokens)

    def _decode(self, batch: Sequence[Ask], sampling: Sampling, look: Look | None) -> list[Answer]:
        """One batch, step by step."""
        most, drawn = sampling.max_new_tokens, sampling.temperature > 0
        numbers = [row_numbers(ask.seed, most).tolist() if drawn else [] for ask in batch]
        decoded = Decoded(self._model, self._encoded(batch), capacity=most + 1)
        chooser, finder = Chooser(sampling), StopFinder(self._tokenizer, sampling.stop)
        tokens: list[list[int]] = [[] for _ in batch]
        answers: dict[int, Answer] = {}
        rows = list(range(len(batch)))  # of the batch, as they lie in the decoder
        for step in range(most):
            newest = [tokens[row][-1] if tokens[row] else self._model.start for row in rows]
            at_work = [place for place, row in enumerate(rows) if row not in answers]
            if drawn:
                steps = [numbers[rows[place]][step] for place in at_work]
                chosen = chooser.choose(decoded.step(newest)[at_work], steps)
            else:
                chosen = decoded.lead(newest).rows(at_work).chosen()
            for place, token in zip(at_work, self._taken(chosen, step, most), strict=True):
                row = rows[place]
                tokens[row].append(token)
                answer = ending(tokens[row], self._ends, most, finder, look)
                if answer is not None:
                    answers[row] = answer
            stay = [place for place, row in enumerate(rows) if row not in answers]
            if not stay:
                break
            if len(stay) < _STAY * len(rows):
                decoded.keep(stay)
                rows = [rows[place] for place in stay]
        return [answers[row] for row in range(len(batch))]

    def _taken(self, chosen: Chosen, step: int, most: int) -> list[int]:
        """A token a row; some checkpoints say which is the first, or the last where an answer is
        cut."""
        if step == 0 and self._first is not None:
            return [self._first] * len(chosen.tokens)
        if step == most - 1 and self._last is not None:
            return [self._last] * len(chosen.tokens)
        self.near_ties += chosen.near_ties
        return chosen.tokens

    def _encoded(self, batch: Sequence[Ask]) -> Encoded:
        """Of rows in an order that has equal inputs beside one another."""
        distinct = {ask.ids: None for ask in batch}
        encoded = self._model.encode(list(distinct))
        if len(distinct) == len(batch):
            return encoded
        place = {ids: number for number, ids in enumerate(distinct)}
        index = torch.tensor([place[ask.ids] for ask in batch], device=encoded.mask.device)
        return encoded.rows(index)


def _one(tokens: int | list[int] | None) -> int | None:
    """The token that transformers takes where a setting names several."""
    return min(tokens) if isinstance(tokens, list) else tokens


def seq2seq_log_likelihoods(
    model: Seq2SeqModel, budget: Budget, pairs: Sequence[PairTokens]
) -> list[LogLikelihood]:
    """One LogLikelihood a pair, in order; the prompt of many answers is encoded once. Raises
    EngineError where memory is short for a single pair."""
    waiting = sorted(
        range(len(pairs)), key=lambda i: (-len(pairs[i].prompt_ids), pairs[i].prompt_ids)
    )
    vocabulary = int(model.model.get_output_embeddings().weight.shape[0])
    found: dict[int, LogLikelihood] = {}
    while waiting:
        room = max(len(pairs[i].answer_ids) for i in waiting)
        width = len(pairs[waiting[0]].prompt_ids) + room
        most = min(budget.tokens // width, LOGITS // (vocabulary * room))
        batch = waiting[: max(1, most)]
        scores = budget.within(
            partial(_scored, model, [pairs[i] for i in batch]),
            rows=len(batch),
            longest=width,
            tokens=len(batch) * width,
        )
        if scores is not None:
            found.update(zip(batch, scores, strict=True))
            waiting = waiting[len(batch) :]
    return [found[i] for i in range(len(pairs))]


@torch.inference_mode()
def _scored(model: Seq2SeqModel, pairs: Sequence[PairTokens]) -> list[LogLikelihood]:
    """Of pairs whose prompts come longest first."""
    distinct = {tuple(pair.prompt_ids): None for pair in pairs}
    encoded = model.encode(list(distinct))
    place = {ids: number for number, ids in enumerate(distinct)}
    index = [place[tuple(pair.prompt_ids)] for pair in pairs]
    answers = [pair.answer_ids for pair in pairs]
    device = encoded.mask.device
    given = [[model.start, *answer[:-1]] for answer in answers]
    ids, mask = padded(given, model.pad, left=False, device=device)
    logits = model.decode(encoded.rows(torch.tensor(index, device=device)), ids, None)
    return list(scores_of(logits[mask.bool()], answers))


class ProvedSeq2Seq(NamedTuple):
    model: Seq2SeqModel | None
    reason: str | None
    """Why the model is asked through `generate`; None where it is not."""


def prove_seq2seq(model: Any, pad: int) -> ProvedSeq2Seq:
    """Three inputs of different lengths, encoded together and decoded step by step while one row
    leaves, must give the logits of plain forward passes of each alone."""
    try:
        with quiet():
            gap, scale = _largest_gap(model, pad)
    except UNEXPECTED as error:
        return ProvedSeq2Seq(None, failed(error))
    reason = judged(gap, scale, model.dtype)
    if reason is not None:
        return ProvedSeq2Seq(None, reason)
    proved = Seq2SeqModel(model, pad)
    encoded = proved.encode([(0, 1, 2, 3)])
    prove_head(proved.head, lambda: Decoded(proved, encoded, 1).step([proved.start]))
    return ProvedSeq2Seq(proved, None)


@torch.inference_mode()
def _largest_gap(model: Any, pad: int) -> tuple[float, float]:
    """Between logits on both ways, and the spread of the true ones."""
    generator, vocabulary = torch.Generator().manual_seed(0), int(model.config.vocab_size)

    def some(count: int) -> tuple[int, ...]:
        return tuple(torch.randint(vocabulary, (count,), generator=generator).tolist())

    inputs, steps = [some(20), some(13), some(4)], 4
    passes = Seq2SeqModel(model, pad)
    answers = [[passes.start, *some(steps - 1)] for _ in inputs]
    truth = []
    for ids, answer in zip(inputs, answers, strict=True):
        one, other = torch.tensor([ids]).to(model.device), torch.tensor([answer]).to(model.device)
        output = model(input_ids=one, decoder_input_ids=other, use_cache=False)
        truth.append(output.logits[0].float())
    decoded, rows, gap = Decoded(passes, passes.encode(inputs), steps), [0, 1, 2], 0.0
    for step in range(steps):
        if step == 2:
            decoded.keep([0, 2])
            rows = [0, 2]
        found = decoded.step([answers[row][step] for row in rows])
        gap = max(gap, float((found - torch.stack([truth[r][step] for r in rows])).abs().max()))
    return gap, float(torch.cat(truth).std())
