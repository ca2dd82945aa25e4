"""Memory foretold against memory measured: each training in a process of its own, two updates.

    python benchmarks/memory.py

Measured is the resident peak above that of a training of next to no model, which takes the same
libraries. Prints both and their ratio; what is wanted is .85 to 1.15. BENCH=quick takes the small
models alone. Needs 8 GiB and, in full, about five minutes of two processors.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import NamedTuple

from transformers import AutoConfig

import kit
from stepladder import registry
from stepladder.checkpoints import resolve
from stepladder.forecast import Batch, foretell
from stepladder.records import Build, FitSettings, Prompt, TrainingJob
from stepladder.training import run_job

MIB = 2.0**20
ROWS = 8


class Case(NamedTuple):
    made: kit.Made
    method: str
    prompt: int
    answer: int


def cases() -> list[Case]:
    """Sizes, families, methods and lengths; the longest last."""
    small, t5 = kit.llama(), kit.t5()
    found = [
        Case(small, "full", 112, 16),
        Case(small, "full", 448, 64),
        Case(small, "lora", 112, 16),
        Case(small, "lora", 448, 64),
    ]
    if not kit.QUICK:
        middle = kit.llama(hidden=768, layers=12, heads=12)
        large = kit.llama(hidden=1024, layers=14, heads=16)
        found += [
            Case(t5, "full", 256, 64),
            Case(t5, "lora", 256, 64),
            Case(middle, "full", 112, 16),
            Case(middle, "lora", 448, 64),
            Case(large, "full", 112, 16),
            Case(large, "lora(rank=32)", 112, 16),
        ]
    return found


def measured(case: Case) -> Build:
    """Two updates of equal rows."""
    checkpoint = resolve(str(case.made.folder))
    # An encoder-decoder's tokenizer adds nothing here; the answer's end token is one of its own.
    prompt = Prompt(" ".join(f"w{5 + i % 90}" for i in range(case.prompt)), ())
    answer = " ".join(f"w{7 + i % 80}" for i in range(case.answer - 1))
    job = TrainingJob(
        method=case.method,
        checkpoint=checkpoint,
        train=((prompt, answer),) * (2 * ROWS),
        dev=(),
        fit=FitSettings(epochs=1.0, batch_size=ROWS),
        seed=0,
    )
    with tempfile.TemporaryDirectory() as folder:
        return run_job(job, Path(folder) / "job")


def main() -> None:
    null = measured(Case(kit.llama(hidden=16, layers=1, heads=2, vocabulary=200), "full", 8, 8))
    assert null.peak_memory is not None
    print(f"a training of next to no model: {null.peak_memory / MIB:.0f} MiB, taken off below")
    print("| parameters | method | tokens | products | foretold, MiB | measured, MiB | ratio |")
    print("|---|---|---|---|---|---|---|")
    for case in cases():
        build = measured(case)
        assert build.peak_memory is not None
        peak = build.peak_memory - null.peak_memory
        config = AutoConfig.from_pretrained(case.made.folder)
        forecast = foretell(
            config,
            registry.build("methods", case.method),
            Batch(ROWS, case.prompt, case.answer),
            autocast=build.log["precision"] == "bf16",
        )
        print(
            f"| {config.model_type} {case.made.parameters / 1e6:.0f} M | {case.method} "
            f"| {ROWS} x ({case.prompt} + {case.answer}) | {build.log['precision']} "
            f"| {forecast.peak / MIB:,.0f} | {peak / MIB:,.0f} | {forecast.peak / peak:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
