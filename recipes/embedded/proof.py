"""What the embedded model shows on the bundled samples: paired differences with 95 % intervals.

    python -m recipes.embedded.proof --ledger RUN/proof.db --seeds 0 1 2 > proof.md

Every figure comes from a study like anybody's (`Study.climb`), so running it again asks and trains
nothing twice. A seed is a seed of the study: another draw of demonstrations, another training. The
intervals are BCa over test items, of the difference between two rungs on the same items.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from stepladder import Study, Task
from stepladder.contracts import Floats, Metric
from stepladder.ledger import Ledger
from stepladder.metrics import build_metrics
from stepladder.statistics import confidence_interval
from stepladder.study import export
from stepladder.tasks.samples import FOLDER, samples

LADDER = ("zero-shot", "one-shot", "few-shot(4)", "lora")
NEAREST = "few-shot(4, nearest=bm25)"
WAYS = ("few-shot(4)", NEAREST, "lora")
"""Each the same on both sides of a comparison. The nearest examples are drawn by no seed."""
TUNED = "pal + lora"
EIGHT = ("inbox-labels", "phrasebook", "shop-questions")
"""Samples whose rows are short enough for eight of them in a prompt."""


class Rows(NamedTuple):
    """A rung's statistics on the test items, and the measure that they belong to."""

    metric: Metric
    statistics: Floats

    @property
    def score(self) -> float:
        """On a scale of 0 to 100."""
        return (self.metric.aggregate(self.statistics) or 0.0) * self.metric.times


@dataclass(frozen=True)
class Difference:
    """One rung over another on the same items, in points of 100."""

    claim: str
    sample: str
    seed: int
    over: float
    under: float
    low: float
    high: float

    @property
    def shown(self) -> bool:
        """Whether the interval leaves out 0, on the right side of it."""
        return self.low > 0


def difference(claim: str, sample: str, seed: int, over: Rows, under: Rows) -> Difference:
    """The paired difference of two rungs' scores, with its BCa interval."""
    split, metric = over.statistics.shape[1], over.metric

    def gap(rows: Floats) -> float:
        scores = metric.aggregate(rows[:, :split]), metric.aggregate(rows[:, split:])
        return ((scores[0] or 0.0) - (scores[1] or 0.0)) * metric.times

    rows = np.hstack([over.statistics, under.statistics])
    interval = confidence_interval(gap, rows, scale=(-100.0, 100.0))
    assert interval.low is not None and interval.high is not None
    return Difference(claim, sample, seed, over.score, under.score, interval.low, interval.high)


@dataclass(frozen=True)
class Prover:
    """Climbs the samples on one ledger."""

    ledger: Path
    model: str

    def answers(
        self, file: str, rungs: Sequence[str], seed: int, model: str | None = None
    ) -> dict[str, dict[str, str]]:
        """Rung -> test id -> answer. `file` is a task file below the samples."""
        log = self._climb(file, rungs, seed, model or self.model)
        out: dict[str, dict[str, str]] = {rung: {} for rung in rungs}
        with Ledger.open(self.ledger, create=False) as ledger:
            for event in ledger.study(log).events("generation"):
                out[event.payload["rung"]][event.payload["id"]] = event.payload["answer"]
        return out

    def rows(
        self, file: str, rungs: Sequence[str], seed: int, model: str | None = None
    ) -> dict[str, Rows]:
        """Rung -> its rows of statistics on the task's deciding metric."""
        task = Task.load(FOLDER / file)
        references = [example.references for example in task.test]
        (metric,) = build_metrics([task.deciding], task.labels, references)
        found = self.answers(file, rungs, seed, model)
        return {
            rung: Rows(metric, metric.statistics([texts[e.id] for e in task.test], references))
            for rung, texts in found.items()
        }

    def tuned(self, file: str, seed: int, folder: Path) -> Path:
        """The sample's `full` rung as a folder."""
        study = self._climb(file, ["full"], seed, self.model)
        export(self.ledger, study, folder, "full")
        return folder

    def _climb(self, file: str, rungs: Sequence[str], seed: int, model: str) -> str:
        task = replace(Task.load(FOLDER / file), seed=seed)
        study = Study(task, [model], list(rungs), go_on=True, ledger=self.ledger)
        print(f"{file}, seed {seed}: {', '.join(rungs)}", file=sys.stderr, flush=True)
        study.climb()
        return study.name


def demonstrations_and_tuning(prover: Prover, seed: int) -> Iterator[Difference]:
    """The first three lines of the table, on every sample."""
    for name in (sample.name for sample in samples()):
        eight = ("few-shot(8)",) if name in EIGHT else ()
        rows = prover.rows(f"{name}/task.yaml", (*LADDER, *eight), seed)
        four, one = rows["few-shot(4)"], rows["one-shot"]
        yield difference("few-shot(4) over zero-shot", name, seed, four, rows["zero-shot"])
        if eight:
            yield difference("few-shot(8) over one-shot", name, seed, rows["few-shot(8)"], one)
        best = max((rows[rung] for rung in (*eight, "few-shot(4)")), key=lambda r: r.score)
        yield difference("lora over the best few-shot", name, seed, rows["lora"], best)


def the_right_note(prover: Prover, seed: int) -> Iterator[Difference]:
    """Open book with the gold note against closed book, share of exact answers, way by way."""
    name = "shop-questions"
    task = Task.load(FOLDER / name / "task.yaml")
    references = [example.references for example in task.test]
    (metric,) = build_metrics(["exact_match"], None, references)
    opened, closed = (
        prover.answers(f"{name}/{file}.yaml", WAYS, seed) for file in ("with-note", "task")
    )
    for way in WAYS:
        over, under = (
            Rows(metric, metric.statistics([found[way][e.id] for e in task.test], references))
            for found in (opened, closed)
        )
        yield difference(f"with the right note over closed-book, {way}", name, seed, over, under)


def the_program(prover: Prover, seed: int) -> Iterator[Difference]:
    """A program, executed, against the direct number, way by way; and programs over programs."""
    name = "till-sums"
    programs = {"few-shot(4)": "few-shot(4) + pal", NEAREST: f"{NEAREST} + pal", "lora": TUNED}
    rows = prover.rows(f"{name}/task.yaml", [*programs, "pal", *programs.values()], seed)
    for way, by_program in programs.items():
        claim = f"a program, executed, over the number, {way}"
        yield difference(claim, name, seed, rows[by_program], rows[way])
    shown = rows["few-shot(4) + pal"]
    yield difference("few-shot(4) over zero-shot, by programs", name, seed, shown, rows["pal"])
    yield difference("lora over few-shot(4), by programs", name, seed, rows[TUNED], shown)


def forgetting(prover: Prover, seed: int) -> Iterator[Difference]:
    """The base over itself after full tuning on `support-notes`, on the other samples."""
    rung = "few-shot(4)"
    with tempfile.TemporaryDirectory() as folder:
        tuned = prover.tuned("support-notes/task.yaml", seed, Path(folder) / "tuned")
        for file in (
            "inbox-labels/task.yaml",
            "phrasebook/task.yaml",
            "shop-questions/with-note.yaml",
        ):
            base = prover.rows(file, [rung], seed)[rung]
            after = prover.rows(file, [rung], seed, str(tuned))[rung]
            name = file.removesuffix("/task.yaml")
            yield difference("the base over the tuned model", name, seed, base, after)


PROOFS: tuple[Callable[[Prover, int], Iterator[Difference]], ...] = (
    demonstrations_and_tuning,
    the_right_note,
    the_program,
    forgetting,
)


def table(differences: Sequence[Difference]) -> str:
    """Markdown: a line a claim and sample, a column a seed."""
    seeds = sorted({d.seed for d in differences})
    lines = ["| claim | sample | " + " | ".join(f"seed {s}" for s in seeds) + " | shown |"]
    lines.append("|---" * (len(seeds) + 3) + "|")
    for claim, sample in dict.fromkeys((d.claim, d.sample) for d in differences):
        mine = {d.seed: d for d in differences if (d.claim, d.sample) == (claim, sample)}
        cells = [
            f"{d.over:.1f} / {d.under:.1f} ({d.low:+.1f} to {d.high:+.1f})"
            for _, d in sorted(mine.items())
        ]
        shown = sum(d.shown for d in mine.values())
        lines.append(f"| {claim} | {sample} | {' | '.join(cells)} | {shown} of {len(mine)} |")
    return "\n".join(lines)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ledger", type=Path, required=True, help="file of the ledger")
    parser.add_argument("--model", default="embedded", help="another folder than the shipped one")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--only", nargs="+", choices=[p.__name__ for p in PROOFS])
    args = parser.parse_args()
    prover = Prover(args.ledger, args.model)
    found: list[Difference] = []
    for seed in args.seeds:
        for proof in PROOFS:
            if args.only is None or proof.__name__ in args.only:
                found += proof(prover, seed)
                print(table(found), file=sys.stderr, flush=True)
    print(table(found))


if __name__ == "__main__":
    main()
