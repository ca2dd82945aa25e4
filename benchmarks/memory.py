"""Memory foretold against memory measured: each training in a process of its own.

    python benchmarks/memory.py

Foretold is what the training itself foretells and a report shows: its tensors, and the process that
this machine's allocator makes of them, with what libraries grow by (measured once, by a training of
next to no model) and what oneDNN keeps for products in bf16. Measured is the resident peak above
the imports, as a report shows it too, so the libraries' growth is in both. Wanted is a process of
.85 to 1.15 of it, and .75 to 1.25 for the bundled model, whose trainings have dev rows, short last
batches and many updates. BENCH=quick takes the small models and short rows alone. Needs 8 GiB and,
in full, about ten minutes of two processors.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import kit
from stepladder import Task
from stepladder.checkpoints import resolve
from stepladder.methods import parse_rung
from stepladder.records import Build, FitSettings, Prompt, TrainingJob
from stepladder.study.dry_run import dry_run
from stepladder.tasks.samples import samples
from stepladder.training import run_job
from stepladder.training.libraries import NAME, libraries

MIB = 2.0**20
ROWS = 8
SAMPLE = "support-notes"


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


def bundled(method: str) -> TrainingJob:
    """A training of the bundled model on a bundled sample, as a study would run it."""
    folder = next(sample.folder for sample in samples() if sample.name == SAMPLE)
    task = Task.load(folder / "task.yaml")
    job = dry_run(parse_rung(method), task, resolve("embedded"), with_job=True).trainings[0].job
    assert job is not None
    return job


def told(name: str, job: TrainingJob, tokens: str) -> None:
    build = trained(job)
    assert build.peak_memory is not None
    peak, process = build.peak_memory, build.log["foretold_memory"]
    print(
        f"| {name} | {job.method} | {tokens} | {build.log['precision']} "
        f"| {build.log['foretold_tensors'] / MIB:,.0f} | {process / MIB:,.0f} "
        f"| {peak / MIB:,.0f} | {process / peak:.2f} |",
        flush=True,
    )


def main() -> None:
    known = libraries()
    assert known is not None
    print(
        f"{NAME}: libraries grow by {known.growth / MIB:.1f} MiB, and by {known.kernel / MIB:.2f} "
        "for a new shape of a product in bf16"
    )
    print("in MiB; the ratio is the process by what was measured")
    print("| model | method | tokens | products | tensors | process | measured | ratio |")
    print("|---|---|---|---|---|---|---|---|")
    tuned = ("full(epochs=2)", "lora(epochs=2)", "prompt-tuning(20, epochs=2)")
    for method in kit.quick(tuned, ()):
        told("bundled 4 M", bundled(method), SAMPLE)
    for case in cases():
        size = f"{case.model} {case.made.parameters / 1e6:.0f} M"
        told(size, job_of(case), f"{ROWS} x ({case.prompt} + {case.answer})")


if __name__ == "__main__":
    main()
