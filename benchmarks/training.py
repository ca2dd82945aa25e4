"""The fit loop against TRL's SFTTrainer, a notebook's Trainer, and a bare peft loop.

    python benchmarks/training.py lora           # some; full-128 pads labels to 128
    BENCH=quick python benchmarks/training.py    # fewer updates, and three of the cases

Models are random: a Llama of 15 M parameters, a T5 of 60 M. Rows are of random tokens and of the
lengths of DialogSum's dev split (a token a word or mark), where STEPLADDER_SHARED names a folder
with `dialogsum`; without, lengths are drawn from a log-normal distribution fitted to them. What
counts are tokens of prompts and answers a second of whole updates, after some that warm up. All
sides get the same tokens in the same order, that of Stepladder's batches of like length, from the
same weights, at the same rate; each runs in float32, where losses are compared, and with products
in bf16. The ratio is of each side's best.

TRL needs the environment that kit/rivals.py describes; without it, its row is left out.
"""

from __future__ import annotations

import json
import math
import os
import random
import re
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import kit
from kit import rivals
from kit.trainers import Clock, Job, Trained, tokens_of, trained
from stepladder.checkpoints import load, resolve
from stepladder.records import FitSettings, Prompt, TrainingJob
from stepladder.training.batches import LengthGroups
from stepladder.training.fit import fit
from stepladder.training.foresight import encoded
from stepladder.training.memory import MemoryMeter
from stepladder.training.progress import Reporter
from stepladder.training.workfolder import WorkFolder

BATCH = 8
INSTRUCTION = 8
"""Tokens that all prompts begin with."""
SHOWN = 600
"""The same with demonstrations."""
VOCABULARY = 1000
"""Words that rows are made of, so that there is something to learn."""
CLOSE = 2e-3
"""Nats a token by which two float32 trainings' losses may differ at any update."""
_DIALOGUE, _SUMMARY, _TOGETHER = (5.149, 0.466), (3.311, 0.415), 0.77
"""Mean and deviation of the logarithms of DialogSum's lengths, and their correlation."""

Pairs = tuple[tuple[Prompt, str], ...]


def lengths(count: int) -> list[tuple[int, int]]:
    """Tokens of dialogues and summaries."""
    shared = os.environ.get("STEPLADDER_SHARED")
    rng = random.Random(6)
    if shared is not None:
        text = Path(shared, "data/dialogsum/dialogsum.dev.jsonl").read_text("utf-8")
        rows = [json.loads(line) for line in text.splitlines()]
        print("  lengths: DialogSum's dev split")
        sizes = [(_words(row["dialogue"]), _words(row["summary"])) for row in rows]
        return [sizes[i % len(sizes)] for i in rng.sample(range(max(count, len(sizes))), count)]
    print("  lengths: drawn, log-normal")
    drawn = []
    for _ in range(count):
        one = rng.gauss(0, 1)
        other = _TOGETHER * one + math.sqrt(1 - _TOGETHER**2) * rng.gauss(0, 1)
        dialogue, summary = (
            round(math.exp(mean + wide * z))
            for (mean, wide), z in ((_DIALOGUE, one), (_SUMMARY, other))
        )
        drawn.append((dialogue, summary))
    return drawn


def _words(text: str) -> int:
    return len(re.findall(r"\w+|[^\w\s]", text))


def pairs(count: int, common: int, longest: int | None = None) -> Pairs:
    """Prompts that begin alike, and answers."""
    rng = random.Random(7)
    before = kit.words(rng, common)
    made = []
    for dialogue, summary in lengths(count):
        own = min(dialogue, (longest or dialogue + common) - common)
        prompt = Prompt(f"{before} {kit.words(rng, own, VOCABULARY)}", (), joint=" ")
        made.append((prompt, kit.words(rng, summary, VOCABULARY)))
    return tuple(made)


class Ours:
    """One kind of training by the fit loop, and the same for others."""

    def __init__(
        self,
        method: str,
        made: kit.Made,
        rate: float,
        *,
        common: int = INSTRUCTION,
        longest: int | None = None,
    ):
        import torch

        self.warm, self.updates = kit.quick(5, 2), kit.quick(20, 4)
        self.job = TrainingJob(
            method=method,
            checkpoint=resolve(str(made.folder)),
            train=pairs(BATCH * (self.warm + self.updates), common, longest),
            dev=(),
            fit=FitSettings(epochs=1.0, learning_rate=rate, batch_size=BATCH, patience=0),
            seed=0,
        )
        _, tokenizer = load(self.job.checkpoint, merged=True)
        rows = encoded(tokenizer, self.job, self.job.train).rows
        ordered = [rows[i] for i in LengthGroups(rows, BATCH, 0)]
        # Virtual tokens, with ids below 0, are laid by each side for itself.
        self.rows = [([i for i in row.prompt if i >= 0], list(row.answer)) for row in ordered]
        self.theirs = Job(
            str(made.folder),
            self.rows,
            rate,
            self.warm,
            self.updates,
            torch.get_num_threads(),
            kit.PROCESSOR,
        )

    def trained(self, precision: str | None, **settled: Any) -> Trained:
        """In float32 or bf16, or, without a name, as the loop chooses for itself; `settled`: what
        else it is not to choose."""
        clock = Clock(kit.PROCESSOR)
        with tempfile.TemporaryDirectory(prefix="stepladder-bench-") as folder:
            work = WorkFolder(Path(folder) / "job")
            work.open_for(self.job)
            if precision is not None:
                work.settle({"precision": precision, "bf16_speed_up": None, **settled})
            model, tokenizer = load(self.job.checkpoint, merged=True)
            told = Told(Path(folder) / "progress.jsonl", clock)
            fit(model, tokenizer, self.job, work, told, MemoryMeter())
            chosen, seconds = (work.settled().get(n) for n in ("precision", "compile_seconds"))
        tokens = tokens_of(self.rows[self.warm * BATCH :])
        found = Trained(clock.seconds(self.warm), tokens, clock.losses)
        print(f"  this loop ({chosen}): {tokens} tokens in {found.seconds:.2f} s, "
              f"{found.speed:.0f} a second"
              + (f", after {seconds} s of compiling" if seconds else ""), flush=True)  # fmt: skip
        return found


class Told(Reporter):
    """Tells the clock of every update, and writes nothing."""

    def __init__(self, path: Path, clock: Clock) -> None:
        super().__init__(path, time.monotonic())
        self._clock = clock

    def report(self, step: int, steps: int, loss: float | None, **_: Any) -> None:
        if loss is not None:
            self._clock.tick(loss)


def agree(ours: Trained, other: Trained) -> bool:
    """Whether losses of the same updates are the same up to rounding."""
    gaps = [abs(a - b) for a, b in zip(ours.losses, other.losses, strict=False)]
    last = len(gaps) - 1
    print(
        f"  losses of {len(gaps)} updates, from {ours.losses[0]:.4f} to {ours.losses[last]:.4f}, "
        f"theirs to {other.losses[last]:.4f}; largest gap {max(gaps):.1g} nats a token"
    )
    return max(gaps) < CLOSE


def record(work: str, whom: str, ours: Trained, other: Trained, reach: float, exact: bool) -> None:
    ratio = ours.speed / other.speed
    kit.record(kit.Row(work, whom, ratio, reach, exact, compared="losses"))


def lora() -> None:
    ours = Ours("lora", kit.llama(), 1e-3)
    plain, best = ours.trained("float32"), ours.trained(None)
    if reason := rivals.missing():
        print(f"  TRL is left out: {reason}")
        return
    padded = trained("trl", ours.theirs, bf16=False, packing=None)
    exact = agree(plain, padded)
    others = [padded, trained("trl", ours.theirs, bf16=True, packing=None)]
    others += [
        trained("trl", ours.theirs, bf16=True, packing=size)
        for size in kit.quick((1024, 2048), (2048,))
    ]
    work = "LoRA, 15 M Llama, lengths of DialogSum, batches of 8"
    record(f"{work}, float32", "TRL's SFTTrainer, padded", plain, padded, 1.3, exact)
    fastest = max(others, key=lambda one: one.speed)
    best = max(plain, best, key=lambda one: one.speed)
    whom = "TRL's SFTTrainer, best of padding, packing and bf16"
    record(work, whom, best, fastest, 1.3, exact)


def shown() -> None:
    """Behind demonstrations: each row read whole, and what they have in common read once."""
    ours = Ours("lora", kit.llama(), 1e-3, common=SHOWN)
    whole = {"logits": "answers", "shares_beginnings": False}
    exact = False
    for precision in ("float32", "bf16"):
        shared, other = ours.trained(precision), ours.trained(precision, **whole)
        exact = agree(shared, other) or exact  # of float32; in bf16 both round, in other places
        work = f"LoRA behind {SHOWN} tokens of demonstrations, 15 M Llama, batches of 8"
        record(f"{work}, {precision}", "each row read whole", shared, other, 1, exact)


def compiled() -> None:
    """Layers compiled, as the loop has them in long trainings where they pay; what compiling takes
    is printed and not counted."""
    ours = Ours("lora", kit.llama(), 1e-3)
    exact = False
    for precision in ("float32", "bf16"):
        layers = ours.trained(precision, compiled=True)
        written = ours.trained(precision, compiled=False)
        exact = agree(layers, written) or exact  # of float32; in bf16 both round, in other places
        work = f"LoRA with compiled layers, 15 M Llama, batches of 8, {precision}"
        record(work, "layers as they are written", layers, written, 1.2, exact)


def full(labels: int = 512) -> None:
    ours = Ours("full", kit.t5(), 1e-4, longest=512)
    plain, best = ours.trained("float32"), ours.trained(None)
    sizes = {"inputs": 512, "labels": labels, "part": kit.quick(3, 1)}
    others = [trained("notebook", ours.theirs, bf16=bf16, **sizes) for bf16 in (False, True)]
    exact = agree(plain, others[0])
    work = "full, 60 M T5, lengths of DialogSum, batches of 8"
    whom = f"a notebook's Trainer, inputs padded to 512, labels to {labels}"
    record(f"{work}, float32", f"{whom}, float32", plain, others[0], 4, exact)
    record(work, f"{whom}, float32", best, others[0], 4, exact)
    fastest = max(others, key=lambda one: one.speed)
    record(work, f"{whom}, best of float32 and bf16", best, fastest, 4, exact)


def prompt_tuning() -> None:
    ours = Ours("prompt-tuning(n=20, init=vocabulary)", kit.llama(), 0.1)
    plain, best = ours.trained("float32"), ours.trained(None)
    others = [trained("peft loop", ours.theirs, bf16=bf16, virtual=20) for bf16 in (False, True)]
    exact = agree(plain, others[0])
    work = "prompt-tuning, 15 M Llama, lengths of DialogSum, batches of 8"
    record(f"{work}, float32", "a bare peft loop, float32", plain, others[0], 1, exact)
    fastest = max(others, key=lambda one: one.speed)
    record(work, "a bare peft loop, best of float32 and bf16", best, fastest, 1, exact)


QUICK = ("lora", "full-128", "prompt-tuning")
CASES: dict[str, Callable[[], None]] = {
    "lora": lora,
    "shown": shown,
    "compiled": compiled,
    "full": full,
    "full-128": partial(full, 128),
    "prompt-tuning": prompt_tuning,
}


def main(names: Sequence[str]) -> None:
    kit.begin()
    start = time.perf_counter()
    for name in names or kit.quick(tuple(CASES), QUICK):
        print(name)
        CASES[name]()
    print(f"{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main(sys.argv[1:])
