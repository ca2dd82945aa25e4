"""Memory foretold against memory measured: each training in a process of its own, two updates.

    python benchmarks/memory.py

Foretold is what the training itself foretells: its tensors, and the process that this machine's
allocator makes of them. Measured is the resident peak above that of a training of next to no model,
which takes the same libraries. Wanted is a process of .85 to 1.15 of it. BENCH=quick takes the
small model and short rows alone. Needs 8 GiB and, in full, about ten minutes of two processors.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import kit
from stepladder.checkpoints import resolve
from stepladder.records import Build, FitSettings, Prompt, TrainingJob
from stepladder.training import run_job

MIB = 2.0**20
ROWS = 8


def cases() -> list[kit.Training]:
    """Sizes, families, methods and lengths; the longest last."""
    small = kit.llama()
    short, long = (112, 16), (448, 64)
    soft = "prompt-tuning(20)"
    found = [
        kit.Training("Llama", small, method, *lengths)
        for lengths in kit.quick((short, long), (short,))
        for method in ("full", "lora", soft)
    ]
    if not kit.QUICK:
        t5 = kit.t5()
        middle = kit.llama(hidden=768, layers=12, heads=12)
        large = kit.llama(hidden=1024, layers=14, heads=16)
        found += [
            *(kit.Training("T5", t5, method, *short) for method in ("full", soft)),
            *(kit.Training("T5", t5, method, 256, 64) for method in ("full", "lora", soft)),
            kit.Training("Llama", middle, "full", *short),
            kit.Training("Llama", middle, "lora", *long),
            kit.Training("Llama", middle, soft, *short),
            kit.Training("Llama", large, "full", *short),
            kit.Training("Llama", large, "lora(rank=32)", *short),
        ]
    return found


def job_of(case: kit.Training) -> TrainingJob:
    """Two updates of rows of equal length, which have no beginning in common."""
    words = " ".join(f"w{5 + i % 90}" for i in range(1, case.prompt))
    prompts = [Prompt(f"w{5 + row} {words}", ()) for row in range(2 * ROWS)]
    # The answer's end token is one of its own.
    answer = " ".join(f"w{7 + i % 80}" for i in range(case.answer - 1))
    return TrainingJob(
        method=case.method,
        checkpoint=resolve(str(case.made.folder)),
        train=tuple((prompt, answer) for prompt in prompts),
        dev=(),
        fit=FitSettings(epochs=1.0, batch_size=ROWS),
        seed=0,
    )


def trained(job: TrainingJob) -> Build:
    with tempfile.TemporaryDirectory() as folder:
        return run_job(job, Path(folder) / "job")


def main() -> None:
    nothing = kit.llama(hidden=16, layers=1, heads=2, vocabulary=200)
    null = trained(job_of(kit.Training("", nothing, "full", 8, 8))).peak_memory
    assert null is not None
    print(f"a training of next to no model: {null / MIB:.0f} MiB, taken off below")
    print("in MiB; the ratio is the process by what was measured")
    print("| model | method | tokens | products | tensors | process | measured | ratio |")
    print("|---|---|---|---|---|---|---|---|")
    for case in cases():
        build = trained(job_of(case))
        assert build.peak_memory is not None
        peak, process = build.peak_memory - null, build.log["foretold_memory"]
        tensors = build.log["foretold_tensors"]
        print(
            f"| {case.model} {case.made.parameters / 1e6:.0f} M | {case.method} "
            f"| {ROWS} x ({case.prompt} + {case.answer}) | {build.log['precision']} "
            f"| {tensors / MIB:,.0f} | {process / MIB:,.0f} | {peak / MIB:,.0f} "
            f"| {process / peak:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
