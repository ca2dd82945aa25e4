"""Probes: exact match on new items of every family after 0, 1 and 4 demonstrations.

The items come from the same generators under seeds that no training step uses, so a probe shows
what is known of the trained forms; ``binding`` shows classes of words that no labelling episode of
the training held (chance is one half or less).
"""

from __future__ import annotations

from collections import defaultdict
from random import Random

import torch
from tokenizers import Tokenizer
from transformers import LlamaForCausalLM

from . import tokenizer
from .episodes import header, prompt
from .families import FAMILIES
from .families.labelling import binding
from .form import Form
from .world import HELD_OUT_KINDS

DEMONSTRATIONS = (0, 1, 4)
NEW_TOKENS = 40
#: Families of which some forms need no demonstration: those are probed.
_MIXED = ("labelling", "swedish")


def forms(rng: Random, family: str) -> Form:
    """A form of a family, or of the held-out classes."""
    if family == "binding":
        return binding(rng, rng.sample(HELD_OUT_KINDS, 2))
    return FAMILIES[family].draw(rng)


def questions(family: str, count: int, items: int) -> list[tuple[str, str, str]]:
    """Form name, prompt and answer of the probe's items."""
    rng = Random(f"probe/{family}")
    out = []
    while len(out) < items:
        form = forms(rng, family)
        drawn = [form.make(rng) for _ in range(count + 1)]
        if form.demonstrations and family in _MIXED:
            continue
        told = rng.choice(form.instructions) if form.instructions else None
        out.append((form.name, prompt(header(told, form.labels), drawn), drawn[-1].answer))
    return out


@torch.no_grad()
def complete(
    model: LlamaForCausalLM, encoder: Tokenizer, prompts: list[str], new: int = NEW_TOKENS
) -> list[str]:
    """Greedy completions, prompts padded at the left; whatever precedes the end token."""
    end, pad = encoder.token_to_id(tokenizer.END), encoder.token_to_id(tokenizer.PAD)
    rows = [encoder.encode(text).ids for text in prompts]
    longest = max(len(row) for row in rows)
    ids = torch.tensor([[pad] * (longest - len(row)) + row for row in rows])
    mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows])
    out = model.generate(
        input_ids=ids, attention_mask=mask, max_new_tokens=new, do_sample=False,
        eos_token_id=end, pad_token_id=pad,
    )  # fmt: skip
    answers = []
    for row in out[:, longest:].tolist():
        kept = row[: row.index(end)] if end in row else row
        answers.append(encoder.decode([i for i in kept if i != pad]).strip())
    return answers


def measure(model: LlamaForCausalLM, encoder: Tokenizer, items: int) -> dict[str, list[float]]:
    """Family -> exact match after each number of demonstrations."""
    model.eval()
    scores: dict[str, list[float]] = {}
    for family in [*FAMILIES, "binding"]:
        scores[family] = []
        for count in DEMONSTRATIONS:
            asked = questions(family, count, items)
            right = 0
            for start in range(0, len(asked), 12):
                part = asked[start : start + 12]
                answers = complete(model, encoder, [text for _, text, _ in part])
                right += sum(a == wanted for a, (_, _, wanted) in zip(answers, part, strict=True))
            scores[family].append(round(right / len(asked), 3))
    model.train()
    return scores


def by_form(
    model: LlamaForCausalLM, encoder: Tokenizer, family: str, count: int, items: int
) -> dict[str, tuple[int, int]]:
    """Form -> (right, asked), for a closer look."""
    tally: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    asked = questions(family, count, items)
    for start in range(0, len(asked), 12):
        part = asked[start : start + 12]
        answers = complete(model, encoder, [text for _, text, _ in part])
        for answer, (name, _, wanted) in zip(answers, part, strict=True):
            tally[name][0] += answer == wanted
            tally[name][1] += 1
    return {name: (right, total) for name, (right, total) in sorted(tally.items())}
