"""How often a study claims what is false, and how soon it claims anything: by simulation.

Every simulated study is raced as a real one is, shard by shard, and decided by the same code.

    for case in cases():
        print(case.name, tally(case, studies=200).share)

A claim is wrong when
- with a target: the verdict says `reached` and names a rung whose true score is below the target,
  or says `not-reached` although a rung's true score is at the target or above it. The truth is put
  where errors are easiest: a hair (1e-9) below the target for the former, at it for the latter;
- with a margin: the verdict says `good-enough` and names a rung that is truly worse than another
  by the margin or more. The truth is put at the margin: the other rungs are better by exactly that.
Rungs that are truly equal cannot be wrongly called good enough, so equal rungs are also compared
with a margin of 0, under which `good-enough` claims that the named rung is no worse than any other
and better by more than nothing: for equal rungs always wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import inf
from statistics import NormalDist, median
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stepladder.contracts import Floats, Metric
from stepladder.statistics import share_limit
from stepladder.study.contest import ALPHA
from stepladder.study.evidence import Extent, Measured
from stepladder.study.race import Course, Race, Rules, Runner
from stepladder.study.shards import shard_ends
from stepladder.study.summary import Verdict
from stepladder.study.verdict import decide

ITEMS = 200
MANY = 1000
HAIR = 1e-9
TOLERATED = 0.06
"""The most that the upper limit of wrong claims may be."""

Random = np.random.Generator
Outcome = Literal["ok", "open", "FAIL"]


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


class Raced(NamedTuple):
    verdict: Verdict
    items: int
    """Asked of the rung that was asked most."""
    requests: int
    """Of all rungs."""


class Case(NamedTuple):
    name: str
    study: Callable[[Random], Raced]
    counts: Callable[[Raced], bool]
    """Whether this is a wrong claim, or for a case of power a right one."""
    power: bool = False
    reach: float = inf
    """The median of items until the right claim that a case of power has to keep."""


class Tally(NamedTuple):
    """What a number of simulated studies gave."""

    counted: int
    studies: int
    limit: float
    """Upper 95 % limit of the probability (Clopper & Pearson 1934)."""
    items: float
    """Median of items until a right claim, infinite where fewer than half made one."""
    requests: float
    """Median of requests."""

    @property
    def share(self) -> float:
        return self.counted / self.studies

    def describe(self, power: bool) -> str:
        """In a line."""
        share = f"{self.counted:,}/{self.studies:,} = {self.share:.4f}"
        if power:
            return f"{share}, median {self.items:g} items, {self.requests:g} requests"
        return f"{share}, at most {self.limit:.4f}"


def tally(case: Case, studies: int, seed: int = 0) -> Tally:
    """Simulates so many studies of one case."""
    rng = np.random.default_rng(seed)
    seen = [case.study(rng) for _ in range(studies)]
    counted = [case.counts(raced) for raced in seen]
    items = [raced.items if right else inf for raced, right in zip(seen, counted, strict=True)]
    return Tally(
        sum(counted),
        studies,
        share_limit(sum(counted), studies),
        float(median(items)),
        float(median(raced.requests for raced in seen)),
    )


def outcome(case: Case, found: Tally) -> Outcome:
    """Whether the case came out as it should; open where so few studies cannot tell."""
    if case.power:
        return "ok" if found.items <= case.reach else "FAIL"
    if found.limit <= TOLERATED:
        return "ok"
    least = 1 - share_limit(found.studies - found.counted, found.studies)
    return "FAIL" if least > TOLERATED else "open"


class Line(NamedTuple):
    """What is to be shown."""

    target: float | None = None
    margin: float = 0.01


def race(
    rungs: Sequence[Floats],
    line: Line,
    metric: Metric | None = None,
    groups: NDArray[np.generic] | None = None,
) -> Raced:
    """Races rungs whose rows are known, the first being the cheapest."""
    target, margin = line
    metric = metric or Mean()
    extent = Extent.of(len(rungs[0]), groups)
    rows = {f"rung-{i}": part for i, part in enumerate(rungs)}

    def advance(name: str, until: int) -> Measured:
        part = rows[name][:until]
        given = None if groups is None else groups[:until]
        return Measured(name, part, part, part, float(name.removeprefix("rung-")), given)

    runners = [Runner(name, "one", builds=False, free=False) for name in rows]
    course = Course(extent, shard_ends(extent, corpus=not metric.mean, groups=groups))
    run = Race(runners, Rules(metric, target, margin, len(rungs), ALPHA), course)
    run.run(advance, lambda departure: None)
    decision = decide(
        list(run.measured.values()),
        metric,
        target=target,
        margin=None if target is not None else margin,
        requests=1,
        family=len(rungs),
        alpha=ALPHA,
        extent=extent,
    )
    asked = [len(measured.statistics) for measured in run.measured.values()]
    return Raced(decision.verdict, max(asked), sum(asked))


def agreeing(rng: Random, items: int, rungs: int, agreement: float) -> Floats:
    """Normal numbers, shape (items, rungs), with this correlation between any two rungs."""
    shared = rng.standard_normal((items, 1)) * agreement**0.5
    drawn: Floats = shared + rng.standard_normal((items, rungs)) * (1 - agreement) ** 0.5
    return drawn


def right_or_wrong(normal: Floats, truths: Sequence[float]) -> list[Floats]:
    """Rows of rungs that answer an item rightly with these probabilities."""
    below = [NormalDist().inv_cdf(truth) for truth in truths]
    right = (normal < np.array(below)).astype(float)
    return [right[:, i : i + 1] for i in range(len(truths))]


def _reached(raced: Raced) -> bool:
    return raced.verdict.kind == "reached"


def _called_different(raced: Raced) -> bool:
    return raced.verdict.kind == "good-enough"


def pairs(k: int, agreement: float) -> Iterator[Case]:
    """Rungs that are right or wrong, at the edge of each kind of claim."""

    def study(truths: list[float], line: Line) -> Callable[[Random], Raced]:
        return lambda rng: race(right_or_wrong(agreeing(rng, ITEMS, k, agreement), truths), line)

    label = f"{k} rungs, agreement {agreement:g}"
    behind = [0.65] + [0.75] * (k - 1)
    yield Case(
        f"{label}: target a hair above the truth, reached",
        study([0.7] * k, Line(target=0.7 + HAIR)),
        _reached,
    )
    yield Case(
        f"{label}: one rung at the target, not reached",
        study([0.7] + [0.3] * (k - 1), Line(target=0.7)),
        lambda raced: raced.verdict.kind == "not-reached",
    )
    yield Case(
        f"{label}: worse by the margin, called good enough",
        study(behind, Line(margin=0.1)),
        lambda raced: raced.verdict.rung == "rung-0",
    )
    yield Case(
        f"{label}: equal, called different", study([0.7] * k, Line(margin=0.0)), _called_different
    )


def clustered() -> Iterator[Case]:
    """60 groups of 1 to 7 items that mostly share their fate; 0.6 of all items are right."""

    def study(line: Line) -> Callable[[Random], Raced]:
        def simulate(rng: Random) -> Raced:
            sizes = rng.integers(1, 8, 60)
            groups = np.repeat(np.arange(60), sizes)
            fate = np.repeat(rng.standard_normal((60, 2)), sizes, axis=0)
            own = rng.standard_normal(fate.shape)
            right = (0.9 * fate + 0.19**0.5 * own < NormalDist().inv_cdf(0.6)).astype(float)
            return race([right[:, :1], right[:, 1:]], line, groups=groups)

        return simulate

    label = "2 rungs, grouped items"
    yield Case(
        f"{label}: target a hair above the truth, reached", study(Line(target=0.6 + HAIR)), _reached
    )
    yield Case(f"{label}: equal, called different", study(Line(margin=0.0)), _called_different)


def corpus(k: int) -> Iterator[Case]:
    """Rungs that get a binomial part of an item's 5 to 39 units right, two thirds on average."""

    def study(line: Line) -> Callable[[Random], Raced]:
        def simulate(rng: Random) -> Raced:
            length = rng.integers(5, 40, ITEMS)
            right = rng.binomial(length, rng.beta(6, 3, ITEMS), (k, ITEMS))
            rungs = [np.c_[right[i], length].astype(float) for i in range(k)]
            return race(rungs, line, Ratio())

        return simulate

    label = f"{k} rungs, a corpus measure"
    yield Case(
        f"{label}: target a hair above the truth, reached",
        study(Line(target=2 / 3 + HAIR)),
        _reached,
    )
    yield Case(f"{label}: equal, called different", study(Line(margin=0.0)), _called_different)


def resampled(metric: Metric, rows: Floats) -> Iterator[Case]:
    """Two rungs whose answers are drawn from real ones, with replacement: their common true score
    is that of all rows together. Half of the items, both rungs answer alike."""
    truth = metric.aggregate(rows) or 0.0
    sign = 1.0 if metric.better == "higher" else -1.0

    def study(line: Line) -> Callable[[Random], Raced]:
        def simulate(rng: Random) -> Raced:
            first = rng.integers(len(rows), size=ITEMS)
            second = np.where(rng.random(ITEMS) < 0.5, first, rng.integers(len(rows), size=ITEMS))
            return race([rows[first], rows[second]], line, metric)

        return simulate

    label = f"2 rungs, {metric.name} of real outputs"
    yield Case(
        f"{label}: target a hair above the truth, reached",
        study(Line(target=truth + sign * HAIR)),
        _reached,
    )
    yield Case(f"{label}: equal, called different", study(Line(margin=0.0)), _called_different)


def powers() -> Iterator[Case]:
    """How many of 1,000 items are asked until the best rung is named, independent answers."""
    yield _power([0.6, 0.8], Line(), reach=90.0)
    yield _power([0.7, 0.8], Line(), reach=320.0)
    yield _power([0.5, 0.6, 0.7, 0.8], Line())
    yield _power([0.6, 0.6, 0.6, 0.8], Line())
    yield _power([0.6, 0.8], Line(target=0.7))


def _power(truths: list[float], line: Line, reach: float = inf) -> Case:
    claim = "margin of 1 point" if line.target is None else f"target {line.target:g}"
    return Case(
        f"power: {', '.join(f'{t:g}' for t in truths)} of {MANY:,} items, {claim}",
        lambda rng: race(right_or_wrong(agreeing(rng, MANY, len(truths), 0.0), truths), line),
        lambda raced: raced.verdict.rung == f"rung-{len(truths) - 1}",
        power=True,
        reach=reach,
    )


def cases() -> Iterator[Case]:
    """All that need no data."""
    yield from powers()
    yield from clustered()
    for k in (2, 5):
        yield from corpus(k)
        for agreement in (0.0, 0.5, 0.9):
            yield from pairs(k, agreement)
