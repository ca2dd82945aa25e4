"""How good the default learning rates are: a grid around each of them, on public tasks.

    STEPLADDER_SHARED=FOLDER python experiments/rates.py singular_to_plural tatoeba
    STEPLADDER_SHARED=FOLDER python experiments/rates.py dialogsum --ways "lora" "prompt-tuning(20)"

A way is trained at the default rate times 1/27, 1/9, 1/3, 1, 3 and 9, and with `lr=auto`, which
searches for itself (`--no-auto` leaves it out). Printed is the deciding metric of each, and what
share of the best point's gain over zero-shot the default and the search have; of several seeds
(`--seeds 0 1 2`, the same test items), the means. The ledger keeps what is done, so that a run that
was stopped goes on.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from statistics import fmean
from typing import Any

import yaml

from public import DATA, LADDER, NAMES, missing, written
from stepladder import Study, Task
from stepladder.checkpoints import resolve
from stepladder.training import Share, learning_rate

FACTORS = (1 / 27, 1 / 9, 1 / 3, 1.0, 3.0, 9.0)
WAYS = ("prompt-tuning(20)", "lora", "full")
SHARES: dict[str, Share] = {"prompt-tuning": "prompt", "lora": "adapter", "full": "all"}


def at(way: str, rate: float | str) -> str:
    """The rung with this rate.

    >>> at("lora", 0.01), at("prompt-tuning(20)", "auto")
    ('lora(lr=0.01)', 'prompt-tuning(20, lr=auto)')
    """
    value = rate if isinstance(rate, str) else f"{rate:g}"
    return f"{way[:-1]}, lr={value})" if way.endswith(")") else f"{way}(lr={value})"


def rates_of(model: str, way: str) -> list[float]:
    default = learning_rate(resolve(model), SHARES[way.partition("(")[0]])
    return [float(f"{default * factor:.2g}") for factor in FACTORS]


def scores(task: Task, rungs: Sequence[str], given: argparse.Namespace) -> list[float]:
    """The deciding metric of each, 0 to 100."""
    name = f"rates-{task.name}-{Path(given.model).name}-{task.seed}"
    summary = Study(
        task, [given.model], list(rungs), name=name, go_on=True, ledger=given.ledger
    ).climb()
    found = []
    for rung in summary.rungs:
        score = rung.metrics.get(summary.deciding)
        if score is None or score.value is None:
            raise SystemExit(f"{rung.name} has no score: {rung.error}")
        found.append(score.value * score.times)
    return found


def loaded(settings: Mapping[str, Any], folder: Path) -> Task:
    path = folder / f"task-{settings['seed']}.yaml"
    path.write_text(yaml.safe_dump(dict(settings)), "utf-8")
    return Task.load(path)


def lines(tasks: Sequence[Task], given: argparse.Namespace) -> list[str]:
    """A line a way, of one task with several seeds."""
    grids = {way: rates_of(given.model, way) for way in given.ways}
    searched: list[float | str] = ["auto"] if given.auto else []
    rungs = [[at(way, r) for r in [*rates, *searched]] for way, rates in grids.items()]
    asked = ["zero-shot", *(rung for some in rungs for rung in some)]
    found = map(fmean, zip(*(scores(task, asked, given) for task in tasks), strict=True))
    before, *values_of_all = found
    rest = iter(values_of_all)
    made = []
    for way, rates in grids.items():
        values = list(islice(rest, len(rates)))
        auto = list(islice(rest, len(searched)))
        best = max(values) - before
        cells = [f"{value:.1f}" for value in [before, *values, *auto]]
        shares = [share(value - before, best) for value in [values[3], *auto]]
        made.append(f"| {' | '.join([tasks[0].name, f'{way}, {rates[3]:g}', *cells, *shares])} |")
    return made


def share(gain: float, best: float) -> str:
    return f"{100 * gain / best:.0f} %" if best > 0 else "no gain"


def main() -> int:
    parser = argparse.ArgumentParser(description="A grid of learning rates around the defaults.")
    parser.add_argument("tasks", nargs="*", default=LADDER, help=f"of {', '.join(NAMES)}")
    parser.add_argument("--ways", nargs="+", default=WAYS)
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--tests", type=int, default=100, help="test items")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--auto", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--ledger", type=Path, default=Path("runs/rates.db"))
    given = parser.parse_args()
    if unknown := set(given.tasks) - set(NAMES):
        parser.error(f"{', '.join(unknown)}: no such task; there are {', '.join(NAMES)}")
    if missing():
        return 0
    given.ledger.parent.mkdir(parents=True, exist_ok=True)
    auto = ["lr=auto"] if given.auto else []
    heads = ["1/27", "1/9", "1/3", "the default", "x 3", "x 9", *auto]
    shares = [f"{name} has" for name in ["default", *auto]]
    cells = ["task", "way, default rate", "zero-shot", *heads, *shares]
    print(f"| {' | '.join(cells)} |\n{'|---' * len(cells)}|")
    for name in given.tasks:
        with tempfile.TemporaryDirectory() as folder:
            settings = written(name, DATA, Path(folder), given.tests)
            tasks = [loaded(settings | {"seed": seed}, Path(folder)) for seed in given.seeds]
            print("\n".join(lines(tasks, given)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
