"""What page and terminal show of a summary: every number as its text, made in one place.

view = look(summary)
view.rows[0].scores["rougeL"].text, view.rows[0].total
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from stepladder.records import Score
from stepladder.report import units
from stepladder.report.costs import against_full, known_cost, money
from stepladder.report.evidence import EvidenceView, look_at
from stepladder.report.forgetting import ForgettingView, look_at_guards
from stepladder.report.seeds import SpreadView, look_at_seeds
from stepladder.study.summary import Programs, RungSummary, Summary

KINDS = {
    "reached": "target reached",
    "not-reached": "target missed by every rung",
    "good-enough": "good enough",
    "undecided": "undecided",
    "refused": "every rung refused",
    "unfinished": "not finished",
}
_ABSENCE = {
    "failed": "failed to build",
    "skipped": "not built: a rung predicted to cost less had reached the target",
}
_NOT_YET = "not asked yet"


@dataclass(frozen=True, slots=True)
class Measured:
    """A score as text, on the scale it is shown on."""

    text: str
    interval: str
    n: int
    details: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Row:
    """A rung in the tables."""

    number: int
    name: str
    winner: bool
    absence: str | None
    """Why there are no values, in a few words; then the rest is of no account."""
    error: str | None
    """Why it failed to build, with what to do."""
    scores: Mapping[str, Measured]
    bounds: str
    """Anytime-valid bounds of the deciding metric, or a dash."""
    failures: tuple[tuple[str, int], ...]
    """Cause and count, the most frequent first."""
    failed: int
    missing: int
    cut: str
    costs: Mapping[str, str]
    """By the names of `COSTS`."""
    notes: tuple[str, ...]
    programs: ProgramsView | None
    """None for a rung that runs none."""
    forgetting: ForgettingView | None
    """None for a rung that trains nothing, or where there are no guards."""
    evidence: EvidenceView | None
    """None where no rung of the study is shown evidence."""


@dataclass(frozen=True, slots=True)
class ProgramsView:
    """What became of a rung's programs."""

    fates: Mapping[str, str]
    """By the names of `PROGRAM_FATES`, those that occurred."""
    reasons: tuple[str, ...]
    """Why some were refused, with how many."""
    run: str
    seconds: str
    share: str


@dataclass(frozen=True, slots=True)
class MetricView:
    """A column: what is said once of a metric."""

    name: str
    deciding: bool
    better: str
    times: str
    signatures: tuple[str, ...]
    ns: tuple[int, ...]
    detailed: bool


@dataclass(frozen=True, slots=True)
class View:
    kind: str
    metrics: tuple[MetricView, ...]
    """The deciding metric first."""
    rows: tuple[Row, ...]
    models: tuple[str, ...]
    """What they are called here."""
    target: str | None
    """The target or the margin, on the scale shown."""
    margin: str | None
    sample: str
    """How many test items the deciding metric is over."""
    bounded: bool
    """Whether any rung has anytime-valid bounds."""
    guarded: bool
    """Whether any rung was held against guards."""
    priced: bool
    memory: tuple[str, ...]
    """How much more training all weights takes than training a part, a sentence a model."""
    race: tuple[str, ...]
    """How the rungs left the race, a sentence each, and what that saved."""
    spread: SpreadView | None
    """None where no further seeds were asked for."""

    @property
    def winner(self) -> Row | None:
        return next((row for row in self.rows if row.winner), None)


def look(summary: Summary) -> View:
    """The summary in texts."""
    metrics = tuple(_metric(name, summary) for name in _metric_names(summary))
    rows = tuple(_row(number, rung, summary) for number, rung in enumerate(summary.rungs, 1))
    score = summary.deciding_score
    # Where nothing was measured the scale is not known; the task's own number stands then.
    times = None if score is None else score.times
    ns = metrics[0].ns
    return View(
        kind=KINDS[summary.verdict.kind],
        metrics=metrics,
        rows=rows,
        models=tuple(summary.models.values()),
        target=_on_scale(summary.target, times),
        margin=_on_scale(summary.margin, times),
        sample=" or ".join(f"{n:,}" for n in ns) if ns else units.DASH,
        bounded=any(row.bounds != units.DASH for row in rows),
        guarded=any(row.forgetting is not None for row in rows),
        priced=bool(summary.prices),
        memory=against_full(summary),
        race=_race(summary),
        spread=look_at_seeds(summary),
    )


def _race(summary: Summary) -> tuple[str, ...]:
    race = summary.race
    if race is None:
        return ()
    lines = [*(d.sentence(race.items) for d in race.departures), race.saved]
    return tuple(units.legible(line) for line in lines if line)


def _absence(rung: RungSummary, summary: Summary) -> str | None:
    if rung.state == "skipped" and summary.verdict.kind == "unfinished":
        return _NOT_YET
    return _ABSENCE.get(rung.state)


def _on_scale(value: float | None, times: float | None) -> str | None:
    if value is None:
        return None
    return f"{value:g}" if times is None else units.points(value, times)


def _metric_names(summary: Summary) -> list[str]:
    return list(dict.fromkeys([summary.deciding, *(m for r in summary.rungs for m in r.metrics)]))


def _metric(name: str, summary: Summary) -> MetricView:
    scores = [rung.metrics[name] for rung in summary.rungs if name in rung.metrics]
    first = scores[0] if scores else None
    return MetricView(
        name=name,
        deciding=name == summary.deciding,
        better=first.better if first else "higher",
        times=f"{first.times:g}" if first else "1",
        signatures=tuple(dict.fromkeys(score.signature for score in scores)),
        ns=tuple(sorted({score.n for score in scores})),
        detailed=any(score.details for score in scores),
    )


def _row(number: int, rung: RungSummary, summary: Summary) -> Row:
    score = rung.metrics.get(summary.deciding)
    failures = sorted(rung.failures.items(), key=lambda item: (-item[1], item[0]))
    return Row(
        number=number,
        name=units.legible(rung.name),
        winner=rung.name == summary.verdict.rung,
        absence=_absence(rung, summary),
        error=(rung.error or "no reason was given") if rung.state == "failed" else None,
        scores={name: _measured(score) for name, score in rung.metrics.items()},
        bounds=units.bounds(rung.lower, rung.upper, score.times if score else 1.0),
        failures=tuple((cause, n) for cause, n in failures if n),
        failed=sum(rung.failures.values()),
        missing=rung.missing,
        cut=units.share(rung.cut_share),
        costs=_costs(rung, summary),
        notes=rung.notes,
        programs=_programs(rung.programs) if rung.programs else None,
        forgetting=look_at_guards(rung.forgetting) if rung.forgetting else None,
        evidence=look_at(rung.grounded, score.times) if rung.grounded and score else None,
    )


def _programs(programs: Programs) -> ProgramsView:
    return ProgramsView(
        fates={fate: f"{n:,}" for fate, n in programs.fates.items()},
        reasons=tuple(f"{n:,} refused: {reason}" for reason, n in programs.reasons.items()),
        run=f"{programs.run:,}",
        seconds=units.seconds(programs.seconds),
        share=units.share(programs.share),
    )


def _measured(score: Score) -> Measured:
    return Measured(
        text=units.points(score.value, score.times),
        interval=units.interval(score.low, score.high, score.times),
        n=score.n,
        details={key: units.part(value, score.times) for key, value in score.details.items()},
    )


COSTS = {
    "build": "building",
    "build_foretold": "foretold",
    "memory": "peak memory",
    "foretold": "foretold",
    "trainable": "trained",
    "stored": "on disk",
    "labels": "labels",
    "tokens_in": "tokens in",
    "tokens_out": "tokens out",
    "seconds": "time",
    "seconds_foretold": "foretold",
    "total": "total",
    "money": "money",
}


def _costs(rung: RungSummary, summary: Summary) -> dict[str, str]:
    cost = known_cost(rung.cost)
    texts = {
        "build": units.seconds(cost["build_seconds"]),
        "build_foretold": units.seconds(cost["foretold_seconds"]),
        "memory": units.size(cost["peak_memory"]),
        "foretold": units.size(cost["foretold_memory"]),
        "trainable": units.count(cost["trainable"]),
        "stored": units.size(cost["stored"]),
        "labels": units.count(cost["labels"]),
        "tokens_in": units.mean(cost["tokens_in"]),
        "tokens_out": units.mean(cost["tokens_out"]),
        "seconds": units.seconds(cost["seconds"]),
        "seconds_foretold": units.seconds(cost["foretold_request"]),
        "total": units.seconds(rung.cost.total_seconds(summary.requests)),
    }
    if summary.prices:
        price = money(rung.cost, summary.requests, summary.prices)
        texts["money"] = f"{price:,.2f}" if units.known(price) else units.DASH
    return texts
