"""From pairs of prompt and answer to padded batches, the loss on the answer alone.

    encoded = encode(tokenizer, job.train, encoder_decoder=False, context=1024)
    batch = Collator(pad=0, encoder_decoder=False)(encoded.rows[:8])
    batch["labels"]            # (rows, columns), -100 wherever nothing is to be learned

Decoder-only: a row is prompt, answer, end token; labels are -100 on the prompt. Encoder-decoder:
the prompt is read by the encoder, the answer is all that the decoder has.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch.utils.data import Sampler

from stepladder.checkpoints.tokens import encode_pair
from stepladder.records import Prompt

IGNORED = -100
"""The label that PyTorch's cross-entropy leaves out."""
WORTH_SHARING = 0.15
"""Share of a batch's tokens that must be spared where rows have their beginning in common."""


class Row(NamedTuple):
    """One pair in tokens; the answer ends with the end token."""

    prompt: tuple[int, ...]
    answer: tuple[int, ...]

    @property
    def size(self) -> int:
        return len(self.prompt) + len(self.answer)


class Encoded(NamedTuple):
    """The rows that fit the model's context, and the positions of those that do not."""

    rows: list[Row]
    too_long: list[int]


def encode(
    tokenizer: Any,
    pairs: Sequence[tuple[Prompt, str]],
    *,
    encoder_decoder: bool,
    context: int | None,
    before: tuple[int, ...] = (),
) -> Encoded:
    """`before`: ids that stand before every prompt.

    Rows over `context` tokens (of the prompt alone for encoder-decoders) are left out rather than
    cut, since a row cut at its end teaches an answer without an end."""
    rows, too_long = [], []
    for position, (prompt, answer) in enumerate(pairs):
        ids = encode_pair(tokenizer, prompt, answer, encoder_decoder=encoder_decoder)
        row = Row((*before, *ids[0]), tuple(ids[1]))
        counted = len(row.prompt) if encoder_decoder else row.size
        if context is not None and counted > context:
            too_long.append(position)
        else:
            rows.append(row)
    return Encoded(rows, too_long)


@dataclass(frozen=True, slots=True)
class Collator:
    """Rows to tensors, padded at the right to the longest of them."""

    pad: int
    encoder_decoder: bool
    multiple: int = 1
    """Columns are filled up to a multiple of this, so that batches have few different shapes."""
    shares: bool = False
    """Whether a decoder's batch says how many tokens its rows have in `common` at their beginning,
    where reading these once spares enough."""

    def __call__(self, rows: Sequence[Row]) -> dict[str, Any]:
        if self.encoder_decoder:
            return self._inputs([r.prompt for r in rows]) | {
                "labels": self._padded([r.answer for r in rows], IGNORED)
            }
        batch = self._inputs([r.prompt + r.answer for r in rows])
        labels = [(IGNORED,) * len(r.prompt) + r.answer for r in rows]
        return batch | {"labels": self._padded(labels, IGNORED)} | self.common(rows)

    def common(self, rows: Sequence[Row]) -> dict[str, int]:
        """Less than a prompt, since the last token of each says the first of its answer; empty
        where it is too little."""
        if not self.shares:
            return {}
        same = len(os.path.commonprefix([row.prompt[:-1] for row in rows]))
        same -= same % self.multiple
        spared = same * (len(rows) - 1) / sum(row.size for row in rows)
        return {"common": same} if spared >= WORTH_SHARING else {}

    def _inputs(self, sequences: Sequence[tuple[int, ...]]) -> dict[str, Any]:
        return {
            "input_ids": self._padded(sequences, self.pad),
            "attention_mask": self._padded([(1,) * len(s) for s in sequences], 0),
        }

    def _padded(self, sequences: Sequence[tuple[int, ...]], filler: int) -> torch.Tensor:
        columns = math.ceil(max(map(len, sequences)) / self.multiple) * self.multiple
        return torch.tensor([[*s, *[filler] * (columns - len(s))] for s in sequences])


class LengthGroups(Sampler[int]):
    """Rows of like length in one batch, in an order that (seed, epoch) alone decide.

    transformers' own length-grouped sampler draws from the global generator, so a training that
    goes on after a kill would see another order. The longest batch comes first: what does not fit
    the memory shows at the first update.
    """

    def __init__(self, rows: Sequence[Row], batch_size: int, seed: int) -> None:
        self._sizes = [row.size for row in rows]
        self._batch_size = batch_size
        self._seed = seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """The loader of accelerate calls this before each pass, also after resuming."""
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._sizes)

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self._seed * 1_000_003 + self._epoch)
        order = torch.randperm(len(self._sizes), generator=generator).tolist()
        step, pool = self._batch_size, self._batch_size * 32
        ordered: list[int] = []
        for start in range(0, len(order), pool):
            ordered += sorted(order[start : start + pool], key=lambda row: -self._sizes[row])
        batches = [ordered[start : start + step] for start in range(0, len(ordered), step)]
        # Only the last batch may be short: the loader counts off batch_size rows at a time.
        short = batches.pop() if batches and len(batches[-1]) < step else []
        mixed = [batches[i] for i in torch.randperm(len(batches), generator=generator).tolist()]
        first = max(mixed, key=lambda batch: sum(self._sizes[row] for row in batch), default=[])
        rest = [batch for batch in mixed if batch is not first]
        return iter([row for batch in (first, *rest, short) for row in batch])


def by_length(rows: Sequence[Row], batch_size: int) -> list[list[Row]]:
    """All rows in batches of like length, longest first."""
    ordered = sorted(rows, key=lambda row: -row.size)
    return [ordered[i : i + batch_size] for i in range(0, len(ordered), batch_size)]
