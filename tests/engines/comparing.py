"""An engine's greedy tokens beside those of transformers' `generate`, asked one by one."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from stepladder.checkpoints import resolve
from stepladder.engines.hf import HFEngine
from stepladder.records import Prompt, Sampling

WORDS = "the cat sat a dog ran Input: Output: once upon time big red ball day and it was".split()
TIE = 1e-4
"""Two best logits closer than this may change places between a batch and a single row."""


def some_prompts(count: int, seed: int = 0, longest: int = 40, before: str = "") -> list[Prompt]:
    """Prompts of random words, all of them behind the same text."""
    rng = random.Random(seed)
    lengths = [rng.randint(1, longest) for _ in range(count)]
    return [Prompt(before + " ".join(rng.choices(WORDS, k=n)), (), " ") for n in lengths]


def shots(count: int, seed: int = 0) -> str:
    """Demonstrations: the first of more are those of fewer."""
    lines = [" ".join(random.Random(f"{seed}/{i}").choices(WORDS, k=8)) for i in range(count)]
    return "".join(f"{line}.\n\n" for line in ["Say what the cat did.", *lines])


class Compared(NamedTuple):
    tokens: int
    ties: int
    """Rows that part from the reference at a tie."""
    others: list[str]
    """Rows that part from it anywhere else."""


def plain_model(folder: Path) -> Any:
    import torch
    from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM

    seq2seq = resolve(str(folder)).capabilities.encoder_decoder
    family = AutoModelForSeq2SeqLM if seq2seq else AutoModelForCausalLM
    return family.from_pretrained(folder, dtype=torch.float32).eval()


def compare(
    folder: Path, prompts: Sequence[Prompt], new_tokens: int, engine: HFEngine | None = None
) -> Compared:
    """Every token is compared, up to the first that differs in a row."""
    import torch

    engine = engine or HFEngine(resolve(str(folder)))
    model, tokenizer = plain_model(folder), engine.tokenizer
    tokens, ties, others = 0, 0, []
    for found in engine.generate(prompts, Sampling(max_new_tokens=new_tokens)):
        text = prompts[found.index].text
        ids = torch.tensor([tokenizer(text)["input_ids"]])
        out = model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            max_new_tokens=new_tokens,
            output_logits=True,
            return_dict_in_generate=True,
        )
        steps = len(out.logits)
        expected = out.sequences[0, -steps:].tolist()
        tokens += steps
        if list(found.tokens) == expected:
            continue
        pairs = enumerate(zip(found.tokens, expected, strict=False))
        first = next((i for i, (a, b) in pairs if a != b), steps - 1)
        best = torch.topk(out.logits[first][0], 2).values
        if best[0] - best[1] < TIE:
            ties += 1
        else:
            others.append(text)
    return Compared(tokens, ties, others)
