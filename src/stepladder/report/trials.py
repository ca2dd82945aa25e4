"""Settings that rungs tried on dev before they were built: texts, and where to draw them.

for tried in trials_of(summary):
    tried.rung, tried.rows[0].setting, tried.rows[0].value
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from stepladder.records import DEV_LOSS, Trial
from stepladder.report import units
from stepladder.report.axes import on_strip
from stepladder.study.summary import RungSummary, Summary


class TrialRow(NamedTuple):
    setting: str
    value: str
    interval: str
    answers: str
    seconds: str
    chosen: bool
    at: float | None
    """Of the value, from 0 to STRIP on one scale for all settings of a rung; None without one."""
    low: float | None
    high: float | None


class Tried(NamedTuple):
    """What one rung tried."""

    rung: str
    measure: str
    better: str
    rows_of: str
    """How many rows of dev."""
    rows: tuple[TrialRow, ...]


def trials_of(summary: Summary) -> list[Tried]:
    """In the order of the rungs; those that tried nothing are left out."""
    return [_tried(rung) for rung in summary.rungs if rung.trials]


def _tried(rung: RungSummary) -> Tried:
    score = rung.trials[0].score
    numbers = [
        n for t in rung.trials for n in (t.score.low, t.score.value, t.score.high) if n is not None
    ]
    bottom, top = min(numbers, default=0.0), max(numbers, default=1.0)
    place = partial(on_strip, low=bottom, high=top)
    return Tried(
        rung=units.legible(rung.name),
        measure=score.metric,
        better=score.better,
        rows_of=f"{score.n:,}",
        rows=tuple(
            TrialRow(
                setting=units.legible(trial.setting),
                value=_value(trial),
                interval=units.interval(trial.score.low, trial.score.high, trial.score.times),
                answers=f"{trial.answers:,}" if trial.answers else units.DASH,
                seconds=units.seconds(trial.seconds),
                chosen=trial.chosen,
                at=place(trial.score.value),
                low=place(trial.score.low),
                high=place(trial.score.high),
            )
            for trial in rung.trials
        ),
    )


def _value(trial: Trial) -> str:
    score = trial.score
    if score.value is not None and score.metric == DEV_LOSS:
        return f"{score.value:.3f}"
    return units.points(score.value, score.times)
