"""What a race saved: requests and trainings for certain, seconds as predicted."""

from __future__ import annotations

from collections.abc import Sequence

from stepladder.methods import Rung
from stepladder.records import Json
from stepladder.study.grade import Graded
from stepladder.study.summary import Departure, Race
from stepladder.tasks import OutputsRung, Task


def race_of(
    graded: Sequence[Graded], departures: Sequence[Departure], plan: Json, task: Task
) -> Race:
    """The record of a race; `plan` is the study's event of that kind, with what each rung was
    predicted to cost. Rungs that failed to build, and files of outputs, save nothing; nor does one
    that has not left the race, since it may be asked on."""
    items = len(task.test)
    raced = [
        g
        for g in graded
        if g.climbed.error is None and not isinstance(g.climbed.planned.rung, OutputsRung)
    ]
    gone = {departure.rung for departure in departures}
    left = [g for g in raced if g.climbed.planned.name in gone]
    unbuilt = [g for g in left if _trains(g) and g.measured is None]
    predictions = plan.get("predictions", {})
    seconds = [_seconds(g, items, predictions.get(g.climbed.planned.name)) for g in left]
    known = [s for s in seconds if s is not None]
    return Race(
        items=items,
        departures=tuple(departures),
        requests=sum(len(g.items) for g in raced),
        requests_saved=sum(items - len(g.items) for g in left),
        trainings_saved=len(unbuilt),
        seconds_saved=sum(known) if len(known) == len(seconds) else None,
    )


def _trains(graded: Graded) -> bool:
    rung = graded.climbed.planned.rung
    return isinstance(rung, Rung) and rung.trains


def _seconds(graded: Graded, items: int, predicted: Json | None) -> float | None:
    """What the rest of this rung would have taken: at its own mean time a request where it was
    asked, else as predicted before the climb, building included."""
    rest = items - len(graded.items)
    if rest == 0:
        return 0.0
    if graded.measured is not None and graded.cost.seconds is not None:
        return rest * graded.cost.seconds
    if predicted is None or predicted["seconds"] is None or predicted["build_seconds"] is None:
        return None
    building = predicted["build_seconds"] if graded.measured is None else 0.0
    return float(rest * predicted["seconds"] + building)
