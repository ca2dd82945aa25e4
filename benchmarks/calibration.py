"""How often a study claims what is false, and how often it claims anything: by simulation.

    python benchmarks/calibration.py              # 2,000 studies a case; about 10 minutes
    python benchmarks/calibration.py --studies 200

A claim is wrong when
- with a target: the verdict says `reached` and names a rung whose true score is below the target,
  or says `not-reached` although a rung's true score is at the target or above it. The truth is put
  where errors are easiest: a hair (1e-9) below the target for the former, at it for the latter;
- with a margin: the verdict says `good-enough` and names a rung that is truly worse than another
  by the margin or more. The truth is put at the margin: the other rungs are better by exactly that.
Rungs that are truly equal cannot be wrongly called good enough, so equal rungs are also compared
with a margin of 0, under which `good-enough` claims that the named rung is no worse than any other
and better by more than nothing: for equal rungs always wrong.

For each case the table gives the claims that were wrong and the 95 % upper limit of their
probability (Clopper & Pearson 1934), which is to be at most 0.06; for cases of power, the share of
studies that were decided rightly (0.60 against 0.80: at least 0.85).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from scipy.special import ndtr, ndtri
from scipy.stats import beta

from stepladder.contracts import Floats
from stepladder.study.verdict import Decision, Measured, decide

ITEMS = 200
HAIR = 1e-9


@dataclass(frozen=True)
class Mean:
    """A metric whose score is the mean of column 0."""

    name: str = "accuracy"
    signature: str = "simulated"
    better: Literal["higher", "lower"] = "higher"
    times: float = 100.0
    mean: bool = True

    def statistics(self, answers: object, references: object) -> Floats:
        raise TypeError("simulated rows stand for answers here")

    def aggregate(self, rows: Floats) -> float | None:
        return float(rows[:, 0].mean()) if len(rows) else None

    def details(self, rows: Floats) -> dict[str, float]:
        return {}


@dataclass(frozen=True)
class Ratio(Mean):
    """A corpus measure: column 0 summed over column 1 summed, as in BLEU's precisions."""

    name: str = "precision"
    mean: bool = False

    def aggregate(self, rows: Floats) -> float | None:
        return float(rows[:, 0].sum() / rows[:, 1].sum()) if len(rows) else None


class Case(NamedTuple):
    name: str
    study: Callable[[np.random.Generator], Decision]
    counts: Callable[[Decision], bool]
    """Whether this decision is a wrong claim, or for a case of power a right one."""
    power: bool = False
    required: float = 0.0
    """Share of right decisions that a case of power has to reach."""


def agreeing(rng: np.random.Generator, items: int, rungs: int, agreement: float) -> Floats:
    """Uniform numbers, shape (items, rungs), any two rungs' correlated (a normal copula)."""
    shared = rng.standard_normal((items, 1)) * agreement**0.5
    return ndtr(shared + rng.standard_normal((items, rungs)) * (1 - agreement) ** 0.5)


def right_or_wrong(uniform: Floats, truths: list[float]) -> list[Measured]:
    """Rungs that answer an item rightly with these probabilities; the first is the cheapest."""
    right = (uniform < np.array(truths)).astype(float)
    return [measured(i, right[:, i : i + 1]) for i in range(len(truths))]


def measured(rung: int, rows: Floats, groups: Floats | None = None) -> Measured:
    return Measured(f"rung-{rung}", rows, rows, rows, float(rung), groups)


def verdict(
    rungs: list[Measured],
    *,
    target: float | None = None,
    margin: float | None = None,
    metric: Mean | None = None,
) -> Decision:
    return decide(
        rungs, metric or Mean(), target=target, margin=margin, requests=1, family=len(rungs)
    )


def pairs(k: int, agreement: float) -> Iterator[Case]:
    """Rungs that are right or wrong, at the edge of each kind of claim."""

    def uniform(rng: np.random.Generator) -> Floats:
        return agreeing(rng, ITEMS, k, agreement)

    def study(truths: list[float], **line: float) -> Callable[[np.random.Generator], Decision]:
        return lambda rng: verdict(right_or_wrong(uniform(rng), truths), **line)

    label = f"{k} rungs, agreement {agreement:g}"
    behind = [0.65] + [0.75] * (k - 1)
    yield Case(
        f"{label}: target a hair above the truth, reached",
        study([0.7] * k, target=0.7 + HAIR),
        lambda d: d.verdict.kind == "reached",
    )
    yield Case(
        f"{label}: one rung at the target, not reached",
        study([0.7] + [0.3] * (k - 1), target=0.7),
        lambda d: d.verdict.kind == "not-reached",
    )
    yield Case(
        f"{label}: worse by the margin, called good enough",
        study(behind, margin=0.1),
        lambda d: d.verdict.rung == "rung-0",
    )
    yield Case(
        f"{label}: equal, called different",
        study([0.7] * k, margin=0.0),
        lambda d: d.verdict.kind == "good-enough",
    )


def clustered() -> Iterator[Case]:
    """60 groups of 1 to 7 items that mostly share their fate; 0.6 of all items are right."""

    def rows(rng: np.random.Generator) -> tuple[list[Measured], Floats]:
        sizes = rng.integers(1, 8, 60)
        groups = np.repeat(np.arange(60.0), sizes)
        fate = np.repeat(rng.standard_normal((60, 2)), sizes, axis=0)
        own = rng.standard_normal(fate.shape)
        right = (0.9 * fate + 0.19**0.5 * own < ndtri(0.6)).astype(float)
        return [measured(i, right[:, i : i + 1], groups) for i in range(2)], groups

    yield Case(
        "2 rungs, grouped items: target a hair above the truth, reached",
        lambda rng: verdict(rows(rng)[0], target=0.6 + HAIR),
        lambda d: d.verdict.kind == "reached",
    )
    yield Case(
        "2 rungs, grouped items: equal, called different",
        lambda rng: verdict(rows(rng)[0], margin=0.0),
        lambda d: d.verdict.kind == "good-enough",
    )


def corpus(k: int) -> Iterator[Case]:
    """Rungs that get a binomial part of an item's 5 to 39 units right, two thirds on average."""

    def rungs(rng: np.random.Generator) -> list[Measured]:
        length = rng.integers(5, 40, ITEMS)
        hardness = rng.beta(6, 3, ITEMS)
        right = rng.binomial(length, hardness, (k, ITEMS))
        return [measured(i, np.c_[right[i], length].astype(float)) for i in range(k)]

    yield Case(
        f"{k} rungs, a corpus measure: target a hair above the truth, reached",
        lambda rng: verdict(rungs(rng), target=2 / 3 + HAIR, metric=Ratio()),
        lambda d: d.verdict.kind == "reached",
    )
    yield Case(
        f"{k} rungs, a corpus measure: equal, called different",
        lambda rng: verdict(rungs(rng), margin=0.0, metric=Ratio()),
        lambda d: d.verdict.kind == "good-enough",
    )


def powers() -> Iterator[Case]:
    """What 200 items decide."""
    yield Case(
        "power: 0.60 against 0.80, independent, margin of 1 point",
        lambda rng: verdict(right_or_wrong(rng.random((ITEMS, 2)), [0.6, 0.8]), margin=0.01),
        lambda d: d.verdict.rung == "rung-1",
        power=True,
        required=0.85,
    )
    yield Case(
        "power: 0.60 and 0.80, target 0.70",
        lambda rng: verdict(right_or_wrong(rng.random((ITEMS, 2)), [0.6, 0.8]), target=0.7),
        lambda d: d.verdict.rung == "rung-1",
        power=True,
    )


def cases() -> Iterator[Case]:
    yield from powers()
    yield from clustered()
    for k in (2, 5):
        yield from corpus(k)
        for agreement in (0.0, 0.5, 0.9):
            yield from pairs(k, agreement)


def count(case: Case, studies: int, seed: int = 0) -> int:
    """In how many simulated studies the case's claim was made."""
    rng = np.random.default_rng(seed)
    return sum(case.counts(case.study(rng)) for _ in range(studies))


def upper_limit(wrong: int, studies: int) -> float:
    """One-sided 95 % limit of Clopper & Pearson."""
    return 1.0 if wrong == studies else float(beta.ppf(0.95, wrong + 1, studies - wrong))


def main() -> int:
    parser = argparse.ArgumentParser(description="Simulates studies and counts wrong claims.")
    parser.add_argument("--studies", type=int, default=2000, help="simulated studies a case")
    parser.add_argument("--only", default="", help="cases whose name contains this")
    arguments = parser.parse_args()
    studies = arguments.studies
    failed = 0
    for case in (c for c in cases() if arguments.only in c.name):
        begin = time.perf_counter()
        found = count(case, studies)
        limit = upper_limit(found, studies)
        held = found / studies >= case.required if case.power else limit <= 0.06
        share = f"{found}/{studies} = {found / studies:.4f}"
        bound = "" if case.power else f", at most {limit:.4f}"
        seconds = time.perf_counter() - begin
        print(f"{'ok  ' if held else 'FAIL'} {case.name}: {share}{bound} ({seconds:.0f} s)")
        failed += not held
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
