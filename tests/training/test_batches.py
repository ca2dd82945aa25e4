"""Labels on answers alone, and an order of rows that seed and epoch decide."""

from __future__ import annotations

import torch

from stepladder.checkpoints import load, resolve
from stepladder.records import Prompt
from stepladder.training.batches import IGNORED, Collator, LengthGroups, Row, by_length, encode

ROWS = [Row((5, 6, 7), (8, 1)), Row((5,), (9, 10, 1)), Row((5, 6), (1,))]


def test_decoder_only_learns_the_answer_and_its_end_alone():
    batch = Collator(pad=0, encoder_decoder=False)(ROWS)
    assert batch["input_ids"].tolist() == [[5, 6, 7, 8, 1], [5, 9, 10, 1, 0], [5, 6, 1, 0, 0]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 1, 1], [1, 1, 1, 1, 0], [1, 1, 1, 0, 0]]
    no = IGNORED
    assert batch["labels"].tolist() == [[no, no, no, 8, 1], [no, 9, 10, 1, no], [no, no, 1, no, no]]


def test_encoder_decoder_reads_the_prompt_and_learns_the_answer():
    batch = Collator(pad=0, encoder_decoder=True)(ROWS)
    assert batch["input_ids"].tolist() == [[5, 6, 7], [5, 0, 0], [5, 6, 0]]
    assert batch["labels"].tolist() == [[8, 1, IGNORED], [9, 10, 1], [1, IGNORED, IGNORED]]


def test_columns_are_filled_up_to_a_multiple():
    batch = Collator(pad=0, encoder_decoder=False, multiple=8)(ROWS)
    assert {name: tuple(values.shape) for name, values in batch.items()} == {
        "input_ids": (3, 8),
        "attention_mask": (3, 8),
        "labels": (3, 8),
    }
    assert int((batch["labels"] != IGNORED).sum()) == sum(len(row.answer) for row in ROWS)


def sampler(seed: int = 0, epoch: int = 0) -> list[int]:
    rows = [Row((5,) * (1 + i * 7 % 50), (1,)) for i in range(299)]
    groups = LengthGroups(rows, 8, seed)
    groups.set_epoch(epoch)
    return list(groups)


def test_order_is_decided_by_seed_and_epoch_alone():
    first = sampler()
    torch.rand(7)
    assert sampler() == first
    assert sorted(first) == list(range(299))
    assert sampler(epoch=1) != first
    assert sampler(seed=1) != first


def test_batches_hold_rows_of_like_length_and_the_longest_comes_first():
    order = sampler()
    size = [1 + i * 7 % 50 for i in order]
    batches = [size[i : i + 8] for i in range(0, 296, 8)]
    assert sum(max(b) - min(b) for b in batches) / len(batches) < 4
    assert sum(batches[0]) == max(map(sum, batches))
    assert batches[1:] != sorted(batches[1:], reverse=True)


def test_rows_over_the_context_are_left_out_whole_and_named(tiny_llama):
    tokenizer = load(resolve(str(tiny_llama))).tokenizer
    pairs = [(Prompt(text, (), joint=" "), "cat") for text in ("a dog", "zq" * 60, "the cat")]
    found = encode(tokenizer, pairs, encoder_decoder=False, context=30)
    assert found.too_long == [1]
    assert len(found.rows) == 2
    assert all(row.answer[-1] == 1 for row in found.rows)
    assert encode(tokenizer, pairs, encoder_decoder=False, context=None).too_long == []


def test_dev_is_read_longest_first_in_batches():
    assert [[r.size for r in batch] for batch in by_length(ROWS, 2)] == [[5, 4], [3]]
