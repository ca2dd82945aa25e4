"""A soft prompt's learning rate and start, on two bundled samples with the bundled model.

    python benchmarks/soft_prompts.py support-notes "prompt-tuning(lr=0.1)" ...

Prints, for each method, dev's best loss and the deciding metric on the sample's test items. Without
arguments the whole grid is gone through, about half an hour of two processors.
"""

from __future__ import annotations

import gc
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from stepladder.checkpoints import resolve
from stepladder.engines.hf import HFEngine
from stepladder.ledger import Ledger
from stepladder.methods import parse_rung
from stepladder.metrics import build_metrics
from stepladder.study.bench import StudyBench
from stepladder.study.dev import DevExaminer
from stepladder.study.fitting import base_adaptation
from stepladder.study.watch import Silent
from stepladder.tasks import Task

SAMPLES = Path(__file__).resolve().parent.parent / "src" / "stepladder" / "samples"
RATES = ("0.003", "0.01", "0.03", "0.1", "0.3")
METHODS = [
    "zero-shot",
    "prompt-tuning(init=random, lr=1e-4)",  # peft's default, but for noise as wide as the words
    "prompt-tuning(init=random, lr=0.03)",  # the same at the rate of peft's examples
    *(f"prompt-tuning(lr={rate})" for rate in RATES),
    "prompt-tuning(lr=0.1, init=vocabulary)",
    *(f"prompt-tuning(kind=prefix, lr={rate})" for rate in RATES),
    "prompt-tuning(kind=prefix, init=random, lr=0.03)",
    "lora",
    "lora + prompt-tuning",
]


def measured(task: Task, rung: str, folder: Path) -> str:
    """One line of the table."""
    checkpoint = resolve("embedded")
    begin = time.monotonic()
    with Ledger.open(folder / "ledger.db") as ledger:
        log = ledger.start(task.name, {})
        examiner = DevExaminer(task, HFEngine, Silent())
        bench = StudyBench(log, 0, Silent(), before_training=gc.collect, examiner=examiner)
        adaptation = base_adaptation(task, checkpoint)
        for method in parse_rung(rung).methods:
            adaptation = method.adapt(adaptation, task.train, task.dev, bench)
    seconds = time.monotonic() - begin
    found = list(adaptation.generate(HFEngine(adaptation.checkpoint), [e.query for e in task.test]))
    answers = {g.id: g.answer for g in found}
    references = [e.references for e in task.test]
    (metric,) = build_metrics([task.deciding], task.labels, references)
    statistics = metric.statistics([answers[e.id] for e in task.test], references)
    score = metric.aggregate(statistics)
    losses = [loss for build in bench.builds for _, loss in build.log["dev_losses"]]
    dev = f"{min(losses):.3f}" if losses else "-"
    assert score is not None
    return f"| {task.name} | {rung} | {dev} | {100 * score:.1f} | {seconds:.0f} |"


def main(arguments: Sequence[str]) -> None:
    samples = arguments[:1] or ["support-notes", "inbox-labels"]
    print("| sample | method | best dev loss | test | seconds to train |\n|---|---|---|---|---|")
    for name in samples:
        task = Task.load(str(SAMPLES / name / "task.yaml"))
        for rung in arguments[1:] or METHODS:
            with tempfile.TemporaryDirectory() as folder:
                print(measured(task, rung, Path(folder)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
