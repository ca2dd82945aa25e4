"""How probable given answers are after their prompts.

    scores = log_likelihoods(model, pad=0, encoder_decoder=False, batch=[PairTokens([5, 6], [7])])
    scores = shared_log_likelihoods(shared, budget, pairs)    # on the shared path: prefixes once

log p(answer | prompt) = sum over its tokens, the end token among them, of log p(token | all tokens
before). This module needs torch; import it where a model is at work.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch

from stepladder.checkpoints import PairTokens
from stepladder.engines.batching import gather, take, tokens_of
from stepladder.engines.cache import PassedCache
from stepladder.engines.memory import Budget
from stepladder.engines.packed import PASS_TOKENS, PassRow, Prefixes, SharedModel, layout, packed
from stepladder.engines.prefix_tree import Line, Node, grow
from stepladder.records import LogLikelihood

LOGITS = 2**27
"""Numbers in the logits of one scoring batch at most (512 MB in float32)."""
_NODE_COST = 64
"""A node of the prefix tree is made where it saves more tokens of computing than this."""


def shared_log_likelihoods(
    shared: SharedModel, budget: Budget, pairs: Sequence[PairTokens]
) -> list[LogLikelihood]:
    """One LogLikelihood a pair, in order: the prompt of many answers is computed once, and what
    many prompts share too. Raises EngineError where memory is short for a single pair."""
    lines = [Line((*p.prompt_ids, *p.answer_ids[:-1]), len(p.prompt_ids) - 1) for p in pairs]
    homes = grow(lines, cost=_NODE_COST)
    prefixes = Prefixes(shared, len(lines))
    place = {home: number for number, home in enumerate(dict.fromkeys(homes))}
    waiting = sorted(range(len(pairs)), key=lambda i: (place[homes[i]], -len(lines[i].ids)))
    scores: dict[int, LogLikelihood] = {}
    while waiting:
        batch = _batch(waiting, lines, homes, pairs, budget, shared.vocabulary)

        def work(batch: Sequence[int] = batch) -> list[LogLikelihood]:
            prefixes.compute(homes[i] for i in batch)
            rows = []
            for i in batch:
                home = homes[i]
                start = home.end if home else 0
                rows.append(PassRow(lines[i].ids[start:], start, prefixes.before(home)))
            return _scored(shared, rows, [pairs[i].answer_ids for i in batch])

        own = sum(_own(lines[i], homes[i]) for i in batch)
        longest = max(len(lines[i].ids) for i in batch)
        found = budget.within(work, rows=len(batch), longest=longest, tokens=own)
        if found is None:
            prefixes.clear()
            continue
        scores.update(zip(batch, found, strict=True))
        waiting = waiting[len(batch) :]
        for i in batch:
            prefixes.leave(homes[i])
    return [scores[i] for i in range(len(pairs))]


def _own(line: Line, home: Node | None) -> int:
    return len(line.ids) - (home.end if home else 0)


def _batch(
    waiting: Sequence[int],
    lines: Sequence[Line],
    homes: Sequence[Node | None],
    pairs: Sequence[PairTokens],
    budget: Budget,
    vocabulary: int,
) -> list[int]:
    """The first rows whose own tokens and logits fit into a pass; at least one."""
    batch: list[int] = []
    tokens = logits = 0
    for i in waiting:
        tokens += _own(lines[i], homes[i])
        logits += len(pairs[i].answer_ids) * vocabulary
        if batch and (tokens > min(PASS_TOKENS, budget.tokens) or logits > LOGITS):
            break
        batch.append(i)
    return batch


@torch.inference_mode()
def _scored(
    shared: SharedModel, rows: Sequence[PassRow], answers: Sequence[Sequence[int]]
) -> list[LogLikelihood]:
    """The logits at a place are about the next token: those of an answer begin one before it."""
    lengths = [len(answer) for answer in answers]
    last = layout([len(row.tokens) for row in rows], shared.device).last
    within = layout(lengths, shared.device)
    keep = last[within.rows] - (torch.tensor(lengths, device=shared.device) - 1)[within.rows]
    plan = packed(rows, shared.device)
    logits = shared.forward(plan, PassedCache(), keep + within.places)
    return list(scores_of(logits, answers))


def scores_of(logits: torch.Tensor, answers: Sequence[Sequence[int]]) -> Iterator[LogLikelihood]:
    """Logits of shape (tokens of all answers, vocabulary)."""
    given = torch.tensor([token for answer in answers for token in answer], device=logits.device)
    chosen = logits.gather(1, given[:, None])[:, 0] - logits.logsumexp(dim=-1)
    best = logits.argmax(dim=-1) == given
    lengths = [len(answer) for answer in answers]
    parts = torch.split(chosen.double(), lengths), torch.split(best, lengths)
    for own, greedy in zip(*parts, strict=True):
        yield LogLikelihood(float(own.sum()), len(own), bool(greedy.all()))


def plain_log_likelihoods(
    model: Any, budget: Budget, pairs: Sequence[PairTokens], *, pad: int, encoder_decoder: bool
) -> list[LogLikelihood]:
    """One LogLikelihood a pair, in order, each computed in full, in batches by length."""
    # A pair's place, by length; requests of a batch share the longest one's width.
    waiting = gather([(str(i), [*p.prompt_ids, *p.answer_ids]) for i, p in enumerate(pairs)])
    scores: dict[int, LogLikelihood] = {}
    vocabulary = int(model.get_output_embeddings().weight.shape[0])
    while waiting:
        batch = take(waiting, budget=min(budget.tokens, max(1, LOGITS // vocabulary)), room=0)
        chosen = [pairs[request.places[0]] for request in batch]

        def work(chosen: Sequence[PairTokens] = chosen) -> list[LogLikelihood]:
            return log_likelihoods(model, pad=pad, encoder_decoder=encoder_decoder, batch=chosen)

        found = budget.within(
            work, rows=len(batch), longest=len(batch[0].ids), tokens=tokens_of(batch, room=0)
        )
        if found is not None:
            waiting = waiting[len(batch) :]
            scores |= {r.places[0]: s for r, s in zip(batch, found, strict=True)}
    return [scores[place] for place in range(len(pairs))]


def log_likelihoods(
    model: Any, *, pad: int, encoder_decoder: bool, batch: Sequence[PairTokens]
) -> list[LogLikelihood]:
    """One LogLikelihood a pair, in order."""
    if encoder_decoder:
        logits, starts = _seq2seq_logits(model, pad, batch), [0] * len(batch)
    else:
        # The logits at a place are about the next token.
        logits, starts = _causal_logits(model, pad, batch), [len(p.prompt_ids) - 1 for p in batch]
    ends = [start + len(pair.answer_ids) for start, pair in zip(starts, batch, strict=True)]
    return [
        next(scores_of(logits[row, starts[row] : ends[row]].float(), [pair.answer_ids]))
        for row, pair in enumerate(batch)
    ]


def _causal_logits(model: Any, pad: int, batch: Sequence[PairTokens]) -> torch.Tensor:
    """Shape (rows, tokens, vocabulary); padded on the right, where it touches nothing before."""
    rows = [[*pair.prompt_ids, *pair.answer_ids] for pair in batch]
    ids, mask = padded(rows, pad, left=False, device=model.device)
    with torch.inference_mode():
        logits: torch.Tensor = model(input_ids=ids, attention_mask=mask, use_cache=False).logits
    return logits


def _seq2seq_logits(model: Any, pad: int, batch: Sequence[PairTokens]) -> torch.Tensor:
    """Shape (rows, answer tokens, vocabulary). The model shifts the labels into its decoder's
    input itself; it replaces labels of -100 by its pad token there."""
    ids, mask = padded([p.prompt_ids for p in batch], pad, left=False, device=model.device)
    labels, _ = padded([p.answer_ids for p in batch], -100, left=False, device=model.device)
    with torch.inference_mode():
        logits: torch.Tensor = model(
            input_ids=ids, attention_mask=mask, labels=labels, use_cache=False
        ).logits
    return logits


def padded(
    rows: Sequence[Sequence[int]], pad: int, *, left: bool, device: Any
) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and their mask, both of shape (rows, longest)."""
    width = max(map(len, rows))
    ids = torch.full((len(rows), width), pad, dtype=torch.long)
    mask = torch.zeros((len(rows), width), dtype=torch.long)
    for i, row in enumerate(rows):
        place = slice(width - len(row), width) if left else slice(0, len(row))
        ids[i, place] = torch.tensor(row, dtype=torch.long)
        mask[i, place] = 1
    return ids.to(device), mask.to(device)
