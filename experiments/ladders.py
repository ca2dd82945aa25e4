"""Every way of tuning beside prompting, on public data: quality, memory, time and forgetting.

    STEPLADDER_SHARED=FOLDER python experiments/ladders.py                  # all; hours
    STEPLADDER_SHARED=FOLDER python experiments/ladders.py sentiment tatoeba --seeds 0 1
    STEPLADDER_SHARED=FOLDER python experiments/ladders.py sentiment --rungs "lora, lora(lr=auto)"

Prints one table a task, as docs/log.md has them. All seeds are asked the same test items; a seed
draws the training rows and begins the trainings. Guards are a hundred items of each of two bundled
samples, asked with four demonstrations of their own, and a text of a public book. The ledger keeps
what is done, so that a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import yaml

from public import DATA, LADDER, NAMES, missing, written
from stepladder import Study, Summary, Task, registry
from stepladder.study.summary import RungSummary
from stepladder.tasks.samples import samples

RUNGS = (
    "zero-shot",
    "one-shot",
    "few-shot(4)",
    "decoding(temperature=0|0.7, n=1|5)",
    "features",
    "prompt-tuning(20)",
    "lora",
    "lora + prompt-tuning(20)",
    "full",
    "full + lora + prompt-tuning(20)",
)
GUARDS = ("inbox-labels", "phrasebook")
HELD_OUT_BYTES = 12_000


def guarded(name: str, folder: Path, tests: int) -> dict[str, Any]:
    """The task with its guards."""
    settings = written(name, DATA, folder, tests)
    text = folder / "held-out.txt"
    book = min((DATA / "text_pd_books/val").iterdir())
    text.write_text(book.read_text("utf-8")[20_000 : 20_000 + HELD_OUT_BYTES], encoding="utf-8")
    guards = [{"task": guard(task, folder), "rung": "few-shot(4)"} for task in GUARDS]
    settings["guard"] = {"tasks": guards, "text": str(text)}
    return settings


def guard(name: str, folder: Path) -> str:
    """A bundled sample, of which a hundred test items are asked."""
    (sample,) = (sample for sample in samples() if sample.name == name)
    settings = yaml.safe_load((sample.folder / "task.yaml").read_text("utf-8"))
    settings["data"] = {k: str(sample.folder / file) for k, file in settings["data"].items()}
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump({**settings, "sample": {"test": 100}}), encoding="utf-8")
    return str(path)


def climbed(settings: Mapping[str, Any], seed: int, rungs: Sequence[str], given: Any) -> Summary:
    path = Path(settings["data"]["test"]).with_name(f"task-{seed}.yaml")
    path.write_text(yaml.safe_dump({**settings, "seed": seed}), encoding="utf-8")
    study = Study(
        Task.load(path),
        [given.model],
        rungs,
        name=f"{settings['name']}-{Path(given.model).name}-{seed}",
        go_on=True,
        ledger=given.ledger,
    )
    return study.climb()


def shown(values: Sequence[float | None], digits: int = 1) -> str:
    """The mean over the seeds, and the lowest and the highest where there are several."""
    known = [value for value in values if value is not None]
    if not known:
        return ""
    if len(known) < len(values):
        return f"{len(known)} of {len(values)} known"
    mean = f"{fmean(known):.{digits}f}"
    if len(known) == 1:
        return mean
    return f"{mean} ({min(known):.{digits}f} to {max(known):.{digits}f})"


def line(rungs: Sequence[RungSummary], metric: str) -> str:
    """A rung over the seeds."""
    first = rungs[0]
    scores = [rung.metrics.get(metric) for rung in rungs]
    values = [None if s is None or s.value is None else s.value * s.times for s in scores]
    score = scores[0]
    interval = ""
    if score is not None and score.low is not None and score.high is not None:
        interval = f"{score.low * score.times:.1f} to {score.high * score.times:.1f}"
    costs = [rung.cost for rung in rungs]
    memory = [
        f"{cost.foretold_memory / 2**20:.0f} / {cost.peak_memory / 2**20:.0f}"
        for cost in costs[:1]
        if cost.foretold_memory is not None and cost.peak_memory is not None
    ]
    kept = [rung.forgetting for rung in rungs if rung.forgetting is not None]
    guards = [
        shown([None if (g := f.guards[i]).drop is None else g.drop * g.times for f in kept])
        for i in range(len(kept[0].guards) if kept else 0)
    ]
    risen = [f.text.rise for f in kept if f.text is not None]
    failed = max((sum(r.failures.values()) + r.missing) for r in rungs)
    cells = [
        first.error or shown(values),
        interval,
        f"{costs[0].trainable:,}" if costs[0].trainable else "",
        "".join(memory),
        shown([cost.build_seconds for cost in costs], 0) if costs[0].build_seconds else "",
        *(guards or ["", ""]),
        shown(risen, 2) if risen else "",
        str(failed),
    ]
    name = (" + ".join(first.methods) or first.name).replace("|", "\\|")
    return f"| {name} | {' | '.join(cells)} |"


def table(summaries: Sequence[Summary]) -> str:
    """All rungs of one task, a line each."""
    first = summaries[0]
    head = [
        f"{first.task['name']}, {first.deciding}",
        "mean of the seeds (lowest to highest)",
        "95 % interval, first seed",
        "trained",
        "MiB foretold / measured",
        "seconds to build",
        "inbox-labels lost",
        "phrasebook lost",
        "bits per byte more",
        "failed at most",
    ]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for number in range(len(first.rungs)):
        lines.append(line([summary.rungs[number] for summary in summaries], first.deciding))
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description="Climbs public tasks with every way of tuning.")
    parser.add_argument("tasks", nargs="*", default=LADDER, help=f"of {', '.join(NAMES)}")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--rungs", help="in place of all, with commas between them")
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--tests", type=int, default=100, help="test items")
    parser.add_argument("--ledger", type=Path, default=Path("runs/ladders.db"))
    given = parser.parse_args()
    if unknown := set(given.tasks) - set(NAMES):
        parser.error(f"{', '.join(unknown)}: no such task; there are {', '.join(NAMES)}")
    if missing():
        return 0
    rungs = list(RUNGS) if given.rungs is None else registry.split(given.rungs)
    given.ledger.parent.mkdir(parents=True, exist_ok=True)
    for name in given.tasks:
        with tempfile.TemporaryDirectory() as folder:
            settings = guarded(name, Path(folder), given.tests)
            summaries = [climbed(settings, seed, rungs, given) for seed in given.seeds]
        print(table(summaries), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
