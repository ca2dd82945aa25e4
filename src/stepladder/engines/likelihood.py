"""How probable given answers are after their prompts, by one forward pass a batch.

    scores = log_likelihoods(model, pad=0, encoder_decoder=False, batch=[PairTokens([5, 6], [7])])

log p(answer | prompt) = sum over its tokens, the end token among them, of log p(token | all tokens
before). This module needs torch; import it where a model is at work.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from stepladder.checkpoints import PairTokens
from stepladder.records import LogLikelihood


def log_likelihoods(
    model: Any, *, pad: int, encoder_decoder: bool, batch: Sequence[PairTokens]
) -> list[LogLikelihood]:
    """One LogLikelihood a pair, in order."""
    if encoder_decoder:
        logits, starts = _seq2seq_logits(model, pad, batch), [0] * len(batch)
    else:
        # The logits at a place are about the next token.
        logits, starts = _causal_logits(model, pad, batch), [len(p.prompt_ids) - 1 for p in batch]
    return [
        _score(logits[row, start : start + len(pair.answer_ids)], pair.answer_ids)
        for row, (pair, start) in enumerate(zip(batch, starts, strict=True))
    ]


def _score(logits: torch.Tensor, answer: Sequence[int]) -> LogLikelihood:
    """Logits of shape (answer tokens, vocabulary)."""
    given = torch.tensor(answer, device=logits.device)
    chosen = logits.float().log_softmax(dim=-1).gather(1, given[:, None])[:, 0]
    return LogLikelihood(
        total=float(chosen.double().sum()),
        tokens=len(answer),
        greedy=bool((logits.argmax(dim=-1) == given).all()),
    )


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
