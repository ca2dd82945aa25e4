"""The in-process engine against transformers' own `generate`, and against scoring pairs in full.

    python benchmarks/engine.py                  # all; an hour
    BENCH=quick python benchmarks/engine.py      # about two minutes
    python benchmarks/engine.py few-shot labels  # some

Models are random and in float32. Times are of answering alone, after loading and warming up. The
batches that `generate` gets are sorted by length, which is more than it does for its users, and the
best of 8, 16 and 32 rows counts. lm-eval 0.4.13 and CTranslate2 4.8 are asked where they are
installed, which kit/rivals.py says how to do; else their rows are left out, with a reason.

What is slow and takes equally long for every prompt (`generate` one by one, and in batches) is
measured on a part of the prompts, and its seconds are scaled to all of them.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import kit
from kit import rivals
from stepladder.checkpoints import encode_pair, resolve
from stepladder.engines.hf import HFEngine
from stepladder.records import Prompt, Sampling

NEW = 32
SIZES = (8, 16, 32)
COMMON = 600
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


class Case(NamedTuple):
    """One kind of work: the answers of this engine, and what others are compared with."""

    name: str
    model: Any
    rows: list[list[int]]
    seconds: float
    found: Tokens

    def against(self, whom: str, seconds: float, tokens: Tokens, reach: float) -> None:
        """Seconds that others took for the first `len(tokens)` prompts."""
        part = len(tokens)
        exact = kit.parts_at_ties_only(self.model, self.rows[:part], self.found[:part], tokens)
        ratio = seconds * len(self.rows) / part / self.seconds
        kit.record(kit.Row(self.name, whom, ratio, reach, exact))

    def against_batches(self, part: int, reach: float, *, ordered: bool = True) -> None:
        """`generate` in batches of the best size."""
        name = "sorted by length" if ordered else "as they come"
        rows = self.rows[:part]
        best: tuple[float, Tokens] | None = None
        for size in (s for s in SIZES if s <= part):
            generate = partial(kit.generated, self.model, rows, NEW, size, ordered=ordered)
            one = kit.timed(f"generate, {part} in batches of {size}, {name}", generate)
            best = min(best or one, one, key=lambda pair: pair[0])
        assert best is not None
        self.against(f"batched generate, best of 8, 16, 32, {name}", *best, reach)

    def against_one_by_one(self, part: int, reach: float) -> None:
        generate = partial(kit.generated, self.model, self.rows[:part], NEW, 1)
        one = kit.timed(f"generate, {part} one by one", generate)
        self.against("one-by-one generate", *one, reach)

    def against_pages(self, folder: Path) -> None:
        """The paged continuous batching of transformers, made for CUDA devices: on a processor it
        takes too long for a quick run."""
        part = kit.quick(64, 0)
        if part == 0:
            return
        model, rows = kit.plain(folder), self.rows[:part]
        kit.paged(model, rows[:2], 2)
        one = kit.timed(f"generate_batch, {part}", lambda: kit.paged(model, rows, NEW))
        self.against("paged continuous batching of transformers", *one, 1)


def case(name: str, folder: Path, texts: Sequence[str]) -> Case:
    """Asks this engine, and prepares the comparison."""
    engine, model = opened(folder), kit.plain(folder)
    rows = [engine.tokenizer(text)["input_ids"] for text in texts]
    seconds, found = kit.timed(f"{len(texts)} prompts", lambda: answered(engine, texts))
    return Case(name, model, rows, seconds, found)


def few_shot_texts(count: int) -> list[str]:
    """600 tokens in common, 50 to 70 of each prompt's own."""
    rng = random.Random(1)
    before = kit.words(rng, COMMON)
    return [f"{before} {kit.words(rng, rng.randint(50, 70))}" for _ in range(count)]


def few_shot() -> None:
    folder, texts = kit.llama().folder, few_shot_texts(kit.quick(200, 64))
    work = case(
        "few-shot generation, shared prefix of 600 tokens, 15 M Llama, float32", folder, texts
    )
    work.against_batches(kit.quick(200, 16), 8)
    work.against_one_by_one(kit.quick(64, 6), 15)
    work.against_pages(folder)
    against_rivals(work, folder, texts)


def against_rivals(work: Case, folder: Path, texts: Sequence[str]) -> None:
    if reason := rivals.missing():
        print(f"  lm-eval and CTranslate2 are left out: {reason}")
        return
    # CTranslate2 computes the static prompt once for all prompts, so it gets them all.
    cases = [("lm-eval", kit.quick(200, 16), (8, 32), 8), ("ctranslate2", len(texts), (8,), 2)]
    for rival, part, batches, reach in cases:
        job = {"folder": str(folder), "texts": texts[:part], "shared": COMMON, "new": NEW}
        best = rivals.best_of(rival, batches, {**job, **kit.how()})
        sizes = " or ".join(map(str, batches))
        tokens = [tuple(row) for row in best.answers]
        work.against(f"{rival}, batches of {sizes}", best.seconds, tokens, reach)


def few_shot_110m() -> None:
    folder, texts = kit.llama(768, 12, 12).folder, few_shot_texts(kit.quick(200, 24))
    work = case(
        "few-shot generation, shared prefix of 600 tokens, 110 M Llama, float32", folder, texts
    )
    work.against_batches(kit.quick(64, 8), 6)
    work.against_one_by_one(kit.quick(24, 2), 12)


def ladder() -> None:
    """0, 1, 2, 4 and 8 demonstrations of 75 tokens, climbed with one engine and with five."""
    folder, rng = kit.llama().folder, random.Random(2)
    demonstrations = [kit.words(rng, 75) for _ in range(max(LADDER))]
    queries = [kit.words(rng, rng.randint(20, 40)) for _ in range(kit.quick(100, 12))]
    rungs = [[" ".join([*demonstrations[:k], query]) for query in queries] for k in LADDER]
    opening, engine = kit.timed("opening", lambda: opened(folder))
    alone = [opened(folder) for _ in rungs]

    def climbed(name: str, engines: Sequence[HFEngine]) -> tuple[float, list[Tokens]]:
        pairs = list(zip(engines, rungs, strict=True))
        return kit.timed(name, lambda: [answered(e, texts) for e, texts in pairs])

    # There and back, and the better of both: what comes first in a process is slower than later.
    both = [("one engine", [engine] * len(rungs)), ("five", alone)]
    (seconds, found), (other, expected) = climbed(*both[0]), climbed(*both[1])
    other = min(other, climbed(*both[1])[0])
    seconds = min(seconds, climbed(*both[0])[0])
    work = f"shots ladder {', '.join(map(str, LADDER))}, {len(queries)} items, 15 M Llama"
    exact = found == expected
    kit.record(kit.Row(work, "each rung alone in this engine", other / seconds, 2, exact))
    ratio = (other + len(rungs) * opening) / (seconds + opening)
    kit.record(kit.Row(work, "each rung alone, opening the engine included", ratio, 2, exact))
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
    count = kit.quick(200, 24)
    texts = [kit.words(rng, rng.randint(20, 200)) for _ in range(count)]
    folder = kit.llama().folder
    work = case("zero-shot, prompts that share nothing, 15 M Llama", folder, texts)
    work.against_batches(count, 1)
    work.against_pages(folder)


def seq2seq() -> None:
    """Inputs of 20 to 400 tokens."""
    rng = random.Random(4)
    count = kit.quick(128, 16)
    texts = [kit.words(rng, rng.randint(20, 400)) for _ in range(count)]
    work = case("encoder-decoder, mixed lengths, 60 M T5", kit.t5().folder, texts)
    work.against_batches(count, 2)
    work.against_batches(count, 2, ordered=False)


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
    if reason := rivals.missing():
        print(f"  lm-eval is left out: {reason}")
        return
    # The end token, which this engine counts, stands in the text for lm-eval.
    given = [(text, f" {name}</s>") for text in texts for name in names]
    best = rivals.best_of(
        "lm-eval labels", (8, 32), {"folder": str(folder), "pairs": given, **kit.how()}
    )
    gap = max(abs(a.total - b) for a, b in zip(found, best.answers, strict=True))
    print(f"  largest gap: {gap:.1g} nats")
    against = "lm-eval loglikelihood, batches of 8 or 32"
    kit.record(kit.Row(work, against, best.seconds / seconds, 4, gap < 1e-3))


CASES: dict[str, Callable[[], None]] = {
    "few-shot": few_shot,
    "few-shot-110m": few_shot_110m,
    "ladder": ladder,
    "zero-shot": zero_shot,
    "seq2seq": seq2seq,
    "labels": labels,
}


def main(names: Sequence[str]) -> None:
    kit.begin()
    for name in names or CASES:
        print(name)
        CASES[name]()


if __name__ == "__main__":
    main(sys.argv[1:])
