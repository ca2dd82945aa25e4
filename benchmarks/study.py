"""A whole study, raced and built only where it must be, against every rung in full.

    python benchmarks/study.py                   # half an hour or more
    BENCH=quick python benchmarks/study.py       # fewer items, no full tuning, one comparison

`study.yaml` beside this file has six rungs that prompt, LoRA and full tuning on a bundled task, for
the bundled model; LoRA is the one that decides. `exact` says that the verdicts are the same.
Training is a part of all that is timed, on both sides.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import kit
from stepladder import Study, Summary, Task
from stepladder.engines.hf import HFEngine
from stepladder.records import Checkpoint

TASK = Path(__file__).with_suffix(".yaml")
TEST = kit.quick(None, 80)


class PlainEngine(HFEngine):
    """Asks through transformers' own `generate`, prompts sorted by length."""

    def _shared(self, base: Any) -> tuple[None, str]:
        return None, "the benchmark asks in full"


def study(folder: Path, *, everything: bool) -> Study:
    ledger = f"sqlite:///{folder}/ledger.db"
    task = Task.load(TASK)
    task = replace(task, test=task.test[:TEST])
    rungs = kit.quick(task.rungs, task.rungs[:-1])
    return Study(task, rungs=rungs, name="bench", go_on=everything, ledger=ledger)


def plain(batch_tokens: int) -> Callable[[Checkpoint], HFEngine]:
    return partial(PlainEngine, batch_tokens=batch_tokens)


def climbed(
    what: str, *, everything: bool = False, engine: Callable[[Any], HFEngine] | None = None
) -> tuple[float, Summary]:
    """Seconds and outcome of a climb with a ledger of its own."""
    folder = Path(tempfile.mkdtemp(prefix="stepladder-bench-"))
    climb = study(folder, everything=everything).climb
    seconds, summary = kit.timed(what, lambda: climb(open_engine=engine))
    print(f"  {work_of(summary)}; {summary.verdict.sentence}", flush=True)
    return seconds, summary


def work_of(summary: Summary) -> dict[str, Any]:
    return dict(summary.provenance["work in the last run"])


def main() -> None:
    kit.begin()
    folder = Path(tempfile.mkdtemp(prefix="stepladder-bench-"))
    climb = study(folder, everything=False).climb
    seconds, raced = kit.timed("raced", climb)
    print(f"  {work_of(raced)}; {raced.verdict.sentence}", flush=True)
    again, repeated = kit.timed("the same again", study(folder, everything=False).climb)
    nothing = [work_of(repeated)[name] for name in ("requests asked", "trainings")] == [0, 0]
    print(f"  {work_of(repeated)}", flush=True)
    name = "study of 8 rungs, lora decides"
    same = repeated.verdict.rung == raced.verdict.rung and nothing
    against = "the same again: 0 requests, 0 trainings"
    kit.record(kit.Row(name, against, seconds / again, 1, same, "verdict"))

    def compare(against: str, other: float, summary: Summary, reach: float) -> None:
        same = summary.verdict.rung == raced.verdict.rung
        kit.record(kit.Row(name, against, other / seconds, reach, same, "verdict"))

    all_in_full = "each rung in full and built, batched generate"
    compare(all_in_full, *climbed(all_in_full, everything=True, engine=plain(16384)), 8)
    if not kit.QUICK:
        not_lazy = "each rung in full and built, this engine"
        compare(not_lazy, *climbed(not_lazy, everything=True), 1)
        one_by_one = "each rung in full and built, one by one"
        compare(one_by_one, *climbed(one_by_one, everything=True, engine=plain(1)), 8)


if __name__ == "__main__":
    main()
