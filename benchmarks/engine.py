"""The in-process engine against transformers' own `generate`, and against scoring pairs in full.

    python benchmarks/engine.py                  # all; about half an hour
    BENCH=quick python benchmarks/engine.py      # about five minutes
    python benchmarks/engine.py few-shot labels  # some

Models are random and in float32. Times are of answering alone, after loading and warming up. The
batches that `generate` gets are sorted by length, which is more than it does for its users, and the
best of 8, 16 and 32 rows counts.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import kit
from stepladder.checkpoints import encode_pair, resolve
from stepladder.engines.hf import HFEngine
from stepladder.records import Prompt, Sampling

NEW = 32
SIZES = (8, 16, 32)
LADDER = (0, 1, 2, 4, 8)

Tokens = list[tuple[int, ...]]


def opened(folder: Path) -> HFEngine:
    """An engine that is loaded and warm."""
    engine = HFEngine(resolve(str(folder)))
    path = engine.path
    print(f"  path: {path.name}{f', since {path.reason}' if path.reason else ''}")
    return engine


def answered(engine: HFEngine, texts: Sequence[str]) -> Tokens:
    prompts = [Prompt(text, ()) for text in texts]
    found = {c.index: c.tokens for c in engine.generate(prompts, Sampling(max_new_tokens=NEW))}
    return [found[i] for i in range(len(texts))]


def against_generate(
    work: str, folder: Path, texts: Sequence[str], reach: float, *, as_they_come: bool = False
) -> None:
    """Against `generate` in batches of the best size; `as_they_come` also in batches that are not
    sorted by length."""
    engine, model = opened(folder), kit.plain(folder)
    rows = [engine.tokenizer(text)["input_ids"] for text in texts]
    seconds, found = kit.timed(f"{len(texts)} prompts", lambda: answered(engine, texts))
    for ordered in (True, False) if as_they_come else (True,):
        name = "sorted by length" if ordered else "as they come"
        best: tuple[float, Tokens] | None = None
        for size in SIZES:
            generate = partial(kit.generated, model, rows, NEW, size, ordered=ordered)
            other, expected = kit.timed(f"generate in batches of {size}, {name}", generate)
            best = min(best or (other, expected), (other, expected), key=lambda pair: pair[0])
        assert best is not None
        exact = kit.parts_at_ties_only(model, rows, found, best[1])
        against = f"batched generate, best of 8, 16, 32, {name}"
        kit.record(kit.Row(work, against, best[0] / seconds, reach, exact))


def few_shot() -> None:
    """600 tokens in common, 50 to 70 of each prompt's own."""
    work = "few-shot generation, shared prefix of 600 tokens, 15 M Llama, float32"
    folder = kit.llama().folder
    rng = random.Random(1)
    before = kit.words(rng, 600)
    count = kit.quick(200, 48)
    texts = [f"{before} {kit.words(rng, rng.randint(50, 70))}" for _ in range(count)]
    against_generate(work, folder, texts, reach=8)
    engine, model = opened(folder), kit.plain(folder)
    rows = [engine.tokenizer(text)["input_ids"] for text in texts]
    seconds, found = kit.timed(f"{count} prompts", lambda: answered(engine, texts))
    other, expected = kit.timed("one by one", lambda: kit.generated(model, rows, NEW, 1))
    exact = kit.parts_at_ties_only(model, rows, found, expected)
    kit.record(kit.Row(work, "one-by-one generate", other / seconds, 15, exact))


def ladder() -> None:
    """0, 1, 2, 4 and 8 demonstrations of 75 tokens, climbed with one engine and with five."""
    folder, rng = kit.llama().folder, random.Random(2)
    demonstrations = [kit.words(rng, 75) for _ in range(max(LADDER))]
    queries = [kit.words(rng, rng.randint(20, 40)) for _ in range(kit.quick(100, 24))]
    rungs = [[" ".join([*demonstrations[:k], query]) for query in queries] for k in LADDER]
    engine = opened(folder)
    climb = partial(kit.timed, "one engine")
    seconds, found = climb(lambda: [answered(engine, texts) for texts in rungs])
    alone = [opened(folder) for _ in rungs]
    pairs = list(zip(alone, rungs, strict=True))
    other, expected = kit.timed("five", lambda: [answered(e, texts) for e, texts in pairs])
    work = f"shots ladder {', '.join(map(str, LADDER))}, {len(queries)} items, 15 M Llama"
    exact = found == expected
    kit.record(kit.Row(work, "each rung alone in this engine", other / seconds, 2, exact))
    model = kit.plain(folder)
    rows = [[engine.tokenizer(text)["input_ids"] for text in texts] for texts in rungs]
    generate = partial(kit.timed, "generate in batches of 16")
    other, tokens = generate(lambda: [kit.generated(model, some, NEW, 16) for some in rows])
    exact = all(
        kit.parts_at_ties_only(model, *some) for some in zip(rows, found, tokens, strict=True)
    )
    kit.record(kit.Row(work, "generate in batches of 16", other / seconds, 2, exact))


def zero_shot() -> None:
    """20 to 200 tokens that nothing else begins with."""
    rng = random.Random(3)
    count = kit.quick(200, 48)
    texts = [kit.words(rng, rng.randint(20, 200)) for _ in range(count)]
    work = "zero-shot, prompts that share nothing, 15 M Llama"
    against_generate(work, kit.llama().folder, texts, reach=1)


def seq2seq() -> None:
    """Inputs of 20 to 400 tokens."""
    rng = random.Random(4)
    count = kit.quick(128, 32)
    texts = [kit.words(rng, rng.randint(20, 400)) for _ in range(count)]
    work = "encoder-decoder, mixed lengths, 60 M T5"
    against_generate(work, kit.t5().folder, texts, reach=2, as_they_come=True)


def labels() -> None:
    """8 labels of 1 to 3 tokens behind prompts of 200 tokens in common and 40 to 80 of their own,
    against every pair in full."""
    from stepladder.engines.likelihood import plain_log_likelihoods
    from stepladder.engines.memory import Budget

    folder, rng = kit.llama().folder, random.Random(5)
    before = kit.words(rng, 200)
    names = [kit.words(rng, rng.randint(1, 3)) for _ in range(8)]
    count = kit.quick(100, 24)
    texts = [f"{before} {kit.words(rng, rng.randint(40, 80))}" for _ in range(count)]
    pairs = [(Prompt(text, (), " "), name) for text in texts for name in names]
    engine, model = opened(folder), kit.plain(folder)
    seconds, found = kit.timed(f"{len(pairs)} pairs", lambda: engine.log_likelihood(pairs))
    encoded = [encode_pair(engine.tokenizer, p, a, encoder_decoder=False) for p, a in pairs]
    score = partial(plain_log_likelihoods, model, pad=0, encoder_decoder=False)
    other, expected = kit.timed("in full", lambda: score(Budget(8192), encoded))
    gap = max(abs(a.total - b.total) for a, b in zip(found, expected, strict=True))
    print(f"  largest gap: {gap:.1g} nats")
    work = "label choice over 8 labels, 15 M Llama"
    kit.record(kit.Row(work, "every pair in full, batched", other / seconds, 4, gap < 1e-3))


CASES: dict[str, Callable[[], None]] = {
    "few-shot": few_shot,
    "ladder": ladder,
    "zero-shot": zero_shot,
    "seq2seq": seq2seq,
    "labels": labels,
}


def main(names: Sequence[str]) -> None:
    import torch

    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}")
    for name in names or CASES:
        print(name)
        CASES[name]()


if __name__ == "__main__":
    main(sys.argv[1:])
