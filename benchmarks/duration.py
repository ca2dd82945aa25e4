"""Time foretold against time taken: updates of trainings on rows of mixed lengths.

    python benchmarks/duration.py

Both in seconds of the processor with one thread, since those of the wall are what company makes of
them: the probe is told that clock, and the training's process is read after its first update and
after its last. So the machine's own start, saving and looks at dev are not in it. Prints both and
their ratio. BENCH=quick takes the small model and short rows alone. In full about five minutes.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported

import random
import subprocess
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch

import kit
from stepladder.checkpoints import load_tokenizer, resolve
from stepladder.checkpoints.answer_loss import able
from stepladder.forecast import Beside, empty_model, probe, read_config
from stepladder.records import FitSettings, Prompt, TrainingJob
from stepladder.training import build_method, run_job
from stepladder.training.batches import Encoded, LengthGroups
from stepladder.training.duration import Timing
from stepladder.training.foresight import collator_for, encoded, foretold, longest, rehearsal
from stepladder.training.progress import Progress

ROWS = 8


def cases() -> list[kit.Training]:
    small = kit.llama()
    found = [
        kit.Training("Llama", small, method, *lengths)
        for lengths in kit.quick(((120, 16), (450, 64)), ((120, 16),))
        for method in kit.quick(("full", "lora", "prompt-tuning(20)"), ("full", "lora"))
    ]
    if not kit.QUICK:
        t5, middle = kit.t5(), kit.llama(hidden=768, layers=12, heads=12)
        found += [kit.Training("T5", t5, method, 250, 64) for method in ("full", "lora")]
        found += [kit.Training("Llama", middle, method, 120, 16) for method in ("full", "lora")]
    return found


def job_of(case: kit.Training) -> TrainingJob:
    """Prompts and answers of half to all of the case's lengths."""
    rng = random.Random(0)

    def text(most: int) -> str:
        return " ".join(f"w{rng.randrange(5, 9000)}" for _ in range(rng.randint(most // 2, most)))

    return TrainingJob(
        method=case.method,
        checkpoint=resolve(str(case.made.folder)),
        train=tuple((Prompt(text(case.prompt), ()), text(case.answer - 1)) for _ in range(72)),
        dev=(),
        fit=FitSettings(epochs=1.0, batch_size=ROWS),
        seed=0,
    )


class Taken(NamedTuple):
    seconds: float
    first: int
    """The updates up to this one are not in it; of the process' start, they are."""
    last: int
    precision: str


def told(job: TrainingJob, taken: Taken) -> float:
    """Processor seconds of the same updates."""
    tokenizer = load_tokenizer(job.checkpoint)
    train = encoded(tokenizer, job, job.train)
    model = empty_model(read_config(str(job.checkpoint.folder)))
    collator = replace(collator_for(tokenizer, job), shares=able(model))
    method = build_method(job.method)
    forecast = foretold(
        rehearsal(model, method, taken.precision, Beside()),
        collator(longest(train, job)),
        job,
    )
    assert forecast is not None
    with torch.device("meta"):
        prepared = method.prepare(model)
    speed = probe(prepared, taken.precision, forecast.batch, clock=time.process_time)
    order = list(LengthGroups(train.rows, ROWS, job.seed))[ROWS * taken.first : ROWS * taken.last]
    rest = Encoded([train.rows[i] for i in order], [])
    return Timing(prepared, collator, job, forecast, speed).seconds(rest, Encoded([], []))


def trained(job: TrainingJob) -> Taken:
    """Processor seconds of the training's process between the first and the last update that it
    reported."""
    seen: list[tuple[int, float]] = []

    def read(progress: Progress) -> None:
        used = _processor_of_worker()
        if used is not None and progress.loss is not None:
            seen.append((progress.step, used))

    with tempfile.TemporaryDirectory() as folder:
        build = run_job(job, Path(folder) / "job", on_progress=read)
    (first, before), (last, after) = seen[0], seen[-1]
    return Taken(after - before, first, last, str(build.log["precision"]))


def _processor_of_worker() -> float | None:
    listed = subprocess.run(
        ["ps", "-o", "pid=,args=", "--ppid", str(os.getpid())], capture_output=True, text=True
    )
    for line in listed.stdout.splitlines():
        if "stepladder.training.worker" in line:
            fields = Path(f"/proc/{line.split()[0]}/stat").read_text().rpartition(")")[2].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return None


def main() -> None:
    print("| model | method | tokens, at most | products | foretold, s | taken, s | ratio |")
    print("|---|---|---|---|---|---|---|")
    for case in cases():
        job = job_of(case)
        taken = trained(job)
        seconds = told(job, taken)
        print(
            f"| {case.model} {case.made.parameters / 1e6:.0f} M | {case.method} "
            f"| {ROWS} x ({case.prompt} + {case.answer}) | {taken.precision} "
            f"| {seconds:.2f} | {taken.seconds:.2f} | {seconds / taken.seconds:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
