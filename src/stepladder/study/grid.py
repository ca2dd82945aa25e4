"""How much data, and where to put it: training rows against demonstrations.

    plan = plan_grid(Task.load("task.yaml"), rows=(0, 32, None), shots=(0, 4), seeds=3)
    for study in plan.studies:
        study.climb()
    found = read_grid(plan)
    found.worths[0].sentence     # "32 rows and 4 demonstrations are worth about 130 rows and none"

A cell is a number of training rows and a number of demonstrations: the training behind these
demonstrations (`few-shot(4) + lora`) on that many rows, or with 0 rows the demonstrations alone.
Rows are nested (the first 32 are among the first 128), drawn anew by each seed, and demonstrations
are taken from them or, with `apart`, held apart from what is trained on, out of the same number.
Every number of rows and seed is a study of its own, on one ledger, so that a grid that was stopped
goes on and a wider one shares what is there.

What a cell is worth is the number of training rows that comes to the same quality without
demonstrations: quality is taken to rise with rows (a running maximum) and to be straight between
two numbers of rows on the scale of log(1 + rows). Intervals resample test items, all cells alike.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from stepladder.contracts import Floats, Metric
from stepladder.errors import RungError, TaskError
from stepladder.ledger import DEFAULT_LEDGER, Ledger
from stepladder.methods import parse_rung
from stepladder.metrics import build_metrics
from stepladder.plurals import counted
from stepladder.records import Example, Json, Model
from stepladder.statistics import Interval, confidence_interval
from stepladder.statistics.units import units
from stepladder.study.study import Study
from stepladder.study.wording import interval_of, listed, overlap
from stepladder.tasks import Task

RESAMPLES = 500


@dataclass(frozen=True, slots=True)
class Cell:
    """One number of rows and of demonstrations, on the scale shown (0 to 100)."""

    rows: int
    k: int
    values: tuple[float, ...]
    """One a seed; fewer where a seed's rung could not be built or is owed answers."""
    mean: float | None
    """Over the seeds; None where one has no value."""
    low: float | None = None
    high: float | None = None
    """With `low` the 95 % interval of the mean, over test items."""
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Worth:
    """How many training rows alone come to a cell's quality."""

    rows: int
    k: int
    same_as: float | None
    """None: more than all rows that there are."""
    low: float | None
    high: float | None
    """With `low` the 95 % interval; None: more than all."""
    most: int
    """All rows that there are."""
    alike: bool = False
    """No resampling of the items moves it: they are too easy, or too hard, to tell more from less,
    and the interval means nothing."""
    fewest: int = 0
    """Rows that were tried alone at least: a quality below theirs may be that of fewer."""

    @property
    def sentence(self) -> str:
        head = f"{counted(self.rows, 'row')} and {counted(self.k, 'demonstration')} are worth"
        value = self._said(self.same_as)
        about = "about " if value[0].isdecimal() else ""
        rows = "row" if value in ("1", "at most 1") else "rows"
        low, high = self._said(self.low), self._said(self.high)
        spread = "the items tell no more" if self.alike else f"95 % interval {low} to {high}"
        return f"{head} {about}{value} {rows} and none ({spread})."

    def _said(self, rows: float | None) -> str:
        if rows is None:
            return f"more than {self.most:,}"
        return f"at most {rows:,.0f}" if 0 < rows <= self.fewest else f"{rows:,.0f}"


@dataclass(frozen=True, slots=True)
class GridFound:
    """What `stepladder data` shows."""

    task: str
    model: str
    """As the user named it, a folder with its path."""
    method: str
    deciding: str
    better: Literal["higher", "lower"]
    items: int
    seeds: int
    apart: bool
    """Demonstrations are held apart from what is trained on."""
    cells: tuple[Cell, ...]
    worths: tuple[Worth, ...]
    """Of every cell with demonstrations and a value, where rows were trained on to hold it
    against."""
    notes: tuple[str, ...] = ()
    """What was asked for and left out."""

    @property
    def rows(self) -> tuple[int, ...]:
        return tuple(sorted({cell.rows for cell in self.cells}))

    @property
    def shots(self) -> tuple[int, ...]:
        return tuple(sorted({cell.k for cell in self.cells}))

    def cell(self, rows: int, k: int) -> Cell:
        return next(cell for cell in self.cells if (cell.rows, cell.k) == (rows, k))

    @property
    def sentences(self) -> tuple[str, ...]:
        """The answer in words: the best cell, and what demonstrations are worth where it is few
        rows that are trained on."""
        known = [cell for cell in self.cells if cell.mean is not None]
        if not known:
            return ("No cell has a value.",)
        sign = 1 if self.better == "higher" else -1
        best = max(known, key=lambda cell: (sign * (cell.mean or 0.0), -cell.rows, -cell.k))
        ends = (best.low, best.high)
        alike = sum(overlap((c.low, c.high), ends) for c in known if c is not best)
        others = f"the {counted(len(known) - 1, 'other cell')}"
        among = others if alike == len(known) - 1 else f"{alike} of {others}"
        chance = f"; the lead over {among} may be chance" if alike else ""
        lines = [
            f"{counted(best.rows, 'row')} and {counted(best.k, 'demonstration')} come out best: "
            f"{self.deciding} {best.mean:.1f}{interval_of(*ends)}{chance}."
        ]
        if self.rows == (0,) and self.shots[-1]:
            lines.append("What demonstrations are worth in rows is not known: no rows were tried.")
        most = max((worth.k for worth in self.worths), default=0)
        return (*lines, *(worth.sentence for worth in self.worths if worth.k == most))

    def as_json(self) -> Json:
        worths = [{**asdict(worth), "sentence": worth.sentence} for worth in self.worths]
        return {**asdict(self), "worths": worths, "sentences": list(self.sentences)}


class _Place(NamedTuple):
    """Where a cell's answers stand."""

    rows: int
    k: int
    seed: int
    study: str
    rung: str


@dataclass(frozen=True)
class GridPlan:
    """The studies behind a grid, and where each cell stands in them."""

    task: Task
    model: Model
    method: str
    seeds: int
    apart: bool
    studies: tuple[Study, ...]
    places: tuple[_Place, ...]
    ledger: str | Path
    notes: tuple[str, ...] = ()
    """What was asked for and left out."""


def plan_grid(
    task: Task,
    model: Model,
    *,
    method: str = "lora",
    rows: Sequence[int | None] = (0, 32, 128, 512, None),
    shots: Sequence[int] = (0, 1, 4),
    seeds: int = 3,
    apart: bool = False,
    ledger: str | Path = DEFAULT_LEDGER,
) -> GridPlan:
    """The studies of all cells; None among `rows` stands for all, and numbers beyond all are left
    out, which a note says. Raises StepladderError for what no cell can be."""
    if not task.train:
        raise TaskError(f"task '{task.name}' has no training rows to make a grid of")
    if seeds < 1:
        raise RungError(f"seeds is {seeds}; give 1 or more")
    trained = parse_rung(method)
    if not trained.trains or any(m.fills == "demonstrations" for m in trained.methods):
        raise RungError(f"'{method}' is no training alone; give one such as lora or full")
    most = len(task.train)
    wanted = sorted({most if n is None else n for n in rows if n is None or n <= most})
    notes = _left_out(task, rows, wanted)
    counts = sorted(set(shots))
    if not wanted or wanted[0] < 0 or not counts or counts[0] < 0:
        raise RungError("rows and shots are numbers of 0 or more; give some, such as 0,32,all")
    studies, places = [], []
    for seed in range(seeds):
        for n in wanted:
            drawn = _drawn(task.train, n or most, seed)
            # How many rows, and not what is forgotten: guards would be asked in every cell.
            part = replace(task, train=drawn, seed=task.seed + seed, seeds=1, guard=None)
            rungs = {k: _rung(k, method if n else None, apart) for k in counts}
            study = Study(part, [model], list(rungs.values()), go_on=True, ledger=ledger)
            studies.append(study)
            places += [_Place(n, k, seed, study.name, parse_rung(r).name) for k, r in rungs.items()]
    return GridPlan(task, model, method, seeds, apart, tuple(studies), tuple(places), ledger, notes)


def read_grid(plan: GridPlan) -> GridFound:
    """The grid of studies that have climbed. Raises LedgerError where one has not."""
    task = plan.task
    references = [example.references for example in task.test]
    (metric,) = build_metrics([task.deciding], task.labels, references)
    found, errors = _statistics(plan, metric)
    names = sorted({(place.rows, place.k) for place in plan.places})
    grid = _Grid(metric, names, found, plan.seeds)
    groups = [example.group for example in task.test]
    samples = grid.resampled(groups)
    sign = 1.0 if metric.better == "higher" else -1.0
    cells, worths = [], []
    whole = grid.means(slice(None))
    for place, name in enumerate(names):
        values = tuple(v for v in grid.values(name, slice(None)) if v is not None)
        mean = None if math.isnan(whole[place]) else float(whole[place])
        low, high = (None, None) if mean is None else grid.interval(name, groups)
        rows, k = name
        error = errors.get(name) if mean is None else None  # it may have been built since
        cells.append(Cell(rows, k, values, mean, low, high, error))
    most = max(rows for rows, _ in names)
    alone = [place for place, (_, k) in enumerate(names) if k == 0]
    trained = np.array([names[place][0] for place in alone])
    for place, (rows, k) in enumerate(names):
        if k == 0 or most == 0 or not alone or np.isnan(whole[[*alone, place]]).any():
            continue

        def worth(means: Floats, place: int = place) -> float:
            return same_as(sign * means[place], trained, sign * means[alone])

        spread = np.array([worth(means) for means in samples])
        least, greatest = np.quantile(spread, [0.025, 0.975], method="nearest")
        about, alike = _finite(worth(whole)), bool((spread == spread[0]).all())
        low, high = _finite(least), _finite(greatest)
        worths.append(Worth(rows, k, about, low, high, most, alike, fewest=int(trained[0])))
    return GridFound(
        task=task.name,
        model=plan.model.name,
        method=plan.method,
        deciding=task.deciding,
        better=metric.better,
        items=len(task.test),
        seeds=plan.seeds,
        apart=plan.apart,
        cells=tuple(cells),
        worths=tuple(worths),
        notes=plan.notes,
    )


def same_as(quality: float, rows: Floats, qualities: Floats) -> float:
    """How many rows come to a quality, higher being better: the fewest where they exceed it, and
    infinity where all of them do not come to it.

    >>> same_as(50.0, np.array([0, 3, 15]), np.array([10.0, 40.0, 60.0]))
    7.0
    """
    rising = np.maximum.accumulate(qualities)
    if quality > rising[-1]:
        return math.inf
    after = int(np.argmax(rising >= quality))
    if after == 0:
        return float(rows[0])
    share = (quality - rising[after - 1]) / (rising[after] - rising[after - 1])
    low, high = np.log1p(rows[after - 1]), np.log1p(rows[after])
    return float(np.expm1(low + share * (high - low)))


@dataclass(frozen=True)
class _Grid:
    """The statistics of all cells, items in one order."""

    metric: Metric
    names: Sequence[tuple[int, int]]
    statistics: dict[tuple[int, int], list[Floats]]
    seeds: int

    def values(self, name: tuple[int, int], rows: object) -> list[float | None]:
        """A value a seed, on the scale shown."""
        found = (self.metric.aggregate(one[rows]) for one in self.statistics[name])  # type: ignore[call-overload]
        return [None if value is None else value * self.metric.times for value in found]

    def means(self, rows: object) -> Floats:
        """A mean a cell; nan where a seed has no value."""
        means = []
        for name in self.names:
            values = [value for value in self.values(name, rows) if value is not None]
            means.append(np.mean(values) if len(values) == self.seeds else math.nan)
        return np.array(means)

    def interval(self, name: tuple[int, int], groups: Sequence[str | None]) -> Interval:
        """Of the mean over the seeds, over test items."""
        columns = np.hstack(self.statistics[name])

        def mean(rows: Floats) -> float | None:
            values = [self.metric.aggregate(part) for part in np.hsplit(rows, self.seeds)]
            known = [value * self.metric.times for value in values if value is not None]
            return float(np.mean(known)) if len(known) == self.seeds else None

        return confidence_interval(mean, columns, groups, scale=(0.0, 100.0))

    def resampled(self, groups: Sequence[str | None]) -> Floats:
        """Means on resampled items, the same for all cells: shape (resamples, cells)."""
        members = units(len(groups), groups)
        rng = np.random.default_rng(0)
        return np.stack(
            [
                self.means(np.concatenate([members[u] for u in draw]))
                for draw in rng.integers(len(members), size=(RESAMPLES, len(members)))
            ]
        )


def _statistics(
    plan: GridPlan, metric: Metric
) -> tuple[dict[tuple[int, int], list[Floats]], dict[tuple[int, int], str]]:
    """Rows of statistics by cell, one array a seed, items as in the task; and why some lack."""
    found: dict[tuple[int, int], list[Floats]] = {(p.rows, p.k): [] for p in plan.places}
    errors: dict[tuple[int, int], str] = {}
    with Ledger.open(plan.ledger, create=False) as ledger:
        for place in plan.places:
            log = ledger.study(place.study)
            kept = {
                event.payload["id"]: event.payload["answer"]
                for event in log.events("generation")
                if event.payload["rung"] == place.rung
            }
            cell = (place.rows, place.k)
            if len(kept) == len(plan.task.test):
                answers = [kept[example.id] for example in plan.task.test]
                references = [example.references for example in plan.task.test]
                found[cell].append(metric.statistics(answers, references))
            for event in log.events("rung-failed"):
                if event.payload["rung"] == place.rung:
                    errors[cell] = event.payload["error"]
    return found, errors


def _left_out(task: Task, rows: Sequence[int | None], wanted: Sequence[int]) -> tuple[str, ...]:
    """The note where more rows were asked for than there are. Raises RungError where nothing else
    was."""
    most = len(task.train)
    beyond = sorted({n for n in rows if n is not None and n > most})
    if not beyond:
        return ()
    numbers, there = (listed([f"{n:,}" for n in some]) for some in (beyond, wanted or [most]))
    more = f"{numbers} rows are more than the {counted(most, 'training row')} of '{task.name}'"
    if not wanted:
        raise RungError(f"{more}; give numbers up to {there}, or all")
    whole = "" if most in wanted else f" (all is {most:,})"
    return (f"{more}, and are left out; tried are {there}{whole}",)


def _drawn(train: Sequence[Example], n: int, seed: int) -> tuple[Example, ...]:
    """The first n of an order that the seed draws."""
    order = sorted(train, key=lambda row: row.id)
    random.Random(f"rows {seed}").shuffle(order)
    return tuple(order[:n])


def _rung(k: int, method: str | None, apart: bool) -> str:
    if k == 0:
        return method or "zero-shot"
    shown = f"few-shot({k}, apart=yes)" if apart and method else f"few-shot({k})"
    return f"{shown} + {method}" if method else shown


def _finite(rows: float) -> float | None:
    return float(rows) if math.isfinite(rows) else None
