"""How many demonstrations are worth it: quality and cost over their number, model by model.

    plan = plan_shots(Task.load("task.yaml"), ["embedded"], shots=(0, 1, 2, 4, 8), draws=3)
    plan.study.climb()
    found = read_shots(plan)
    found.models[0].fewest       # the fewest demonstrations shown to reach the target

Every number of demonstrations above 0 is drawn several times (`few-shot(4, seed=2)`), since which
rows are shown matters as much as how many. All rungs are those of one study, so nothing is asked
twice and its own report shows them too. A number reaches the target where the study's bound says so
of every draw.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Literal

from stepladder.checkpoints import short_name
from stepladder.engines.opening import find_model
from stepladder.errors import RungError
from stepladder.ledger import DEFAULT_LEDGER, Ledger
from stepladder.methods import parse_rung
from stepladder.plurals import counted
from stepladder.records import Endpoint, Json, Model
from stepladder.study.study import Study, load_summary
from stepladder.study.summary import RungSummary, Summary
from stepladder.study.wording import Ends, interval_of, listed, overlap
from stepladder.tasks import Task


@dataclass(frozen=True, slots=True)
class Draw:
    """One rung's deciding metric on the scale that it is shown on (0 to 100); None is unknown."""

    value: float | None
    low: float | None
    high: float | None
    """With `low` the 95 % interval."""
    reaches: bool | None
    """Whether the study's bound shows that it reaches the target; None without a target."""
    shown: int | None = None
    """Demonstrations that fitted the context; None of a training, and where it was not built."""


@dataclass(frozen=True, slots=True)
class Shots:
    """One number of demonstrations."""

    k: int
    shown: int | None
    """Demonstrations that fitted the context: k, or fewer in the draw with the longest rows; None
    where no draw was built."""
    draws: tuple[Draw, ...]
    tokens: float | None
    """Of a prompt, mean over requests and draws."""
    seconds: float | None
    """Of a request, likewise."""
    tuned_from: int | None = None
    """From this many requests on the tuned rung costs fewer seconds in total; None: never, or not
    known."""

    @property
    def values(self) -> tuple[float, ...]:
        return tuple(draw.value for draw in self.draws if draw.value is not None)

    @property
    def mean(self) -> float | None:
        """Over the draws; None where one of them has no value."""
        return fmean(self.values) if len(self.values) == len(self.draws) else None

    @property
    def ends(self) -> Ends:
        """From the lowest end of the draws' 95 % intervals to the highest; None where one of them
        is unknown."""
        lows = [draw.low for draw in self.draws if draw.low is not None]
        highs = [draw.high for draw in self.draws if draw.high is not None]
        known = self.draws and len(lows) == len(highs) == len(self.draws)
        return (min(lows), max(highs)) if known else (None, None)

    @property
    def reaches(self) -> bool:
        """Every draw is shown to reach the target."""
        return all(draw.reaches for draw in self.draws)


@dataclass(frozen=True, slots=True)
class Tuned:
    """The training that demonstrations are held against."""

    rung: str
    draw: Draw
    build_seconds: float | None
    seconds: float | None
    error: str | None = None
    """Why it could not be built."""


@dataclass(frozen=True, slots=True)
class ModelShots:
    """One model's curve."""

    model: str
    """As the user named it, a folder with its path."""
    shots: tuple[Shots, ...]
    """In the order of k."""
    tuned: Tuned | None = None
    """None where none was asked for, where the task has no training rows, and where a model is an
    endpoint, which cannot be trained."""
    fewest: int | None = None
    """The smallest k that reaches the target, and fits; None: none does, or there is no target."""


@dataclass(frozen=True, slots=True)
class ShotsFound:
    """What `stepladder shots` shows."""

    study: str
    task: str
    deciding: str
    better: Literal["higher", "lower"]
    target: float | None
    """On the scale shown."""
    requests: int
    items: int
    models: tuple[ModelShots, ...]

    @property
    def sentences(self) -> tuple[str, ...]:
        """The answers in words, two a model."""
        return tuple(line for model in self.models for line in _sentences(self, model))

    def called(self, model: ModelShots) -> str:
        """What to call one of the models in tables and pictures."""
        return short_name(model.model, [m.model for m in self.models if m is not model])

    def as_json(self) -> Json:
        return {**asdict(self), "sentences": list(self.sentences)}


@dataclass(frozen=True)
class ShotsPlan:
    """The study behind the curves."""

    study: Study
    models: tuple[Model, ...]
    shots: tuple[int, ...]
    draws: int
    tuned: str | None


def plan_shots(
    task: Task,
    models: Sequence[str | Model] = ("embedded",),
    *,
    shots: Sequence[int] = (0, 1, 2, 4, 8, 16),
    draws: int = 3,
    tuned: str | None = "lora",
    requests: int = 100_000,
    ledger: str | Path = DEFAULT_LEDGER,
) -> ShotsPlan:
    """The study of all numbers and draws. Raises RungError for what cannot be shown or trained."""
    counts = tuple(sorted(set(shots)))
    if not counts or counts[0] < 0:
        raise RungError(f"shots is {list(shots)}; give numbers of 0 or more, such as 0,1,2,4,8")
    if draws < 1:
        raise RungError(f"draws is {draws}; give 1 or more")
    if tuned is not None and not parse_rung(tuned).trains:
        raise RungError(f"'{tuned}' trains nothing to hold demonstrations against; give lora")
    rungs = [rung for k in counts for rung in _rungs(k, draws)]
    found = tuple(find_model(m, task.sampling) if isinstance(m, str) else m for m in models)
    if not task.train or any(isinstance(model, Endpoint) for model in found):
        tuned = None
    elif tuned is not None:
        rungs.append(tuned)
    # How many demonstrations, and not what is forgotten; the draws are rungs of their own.
    task = replace(task, guard=None, seeds=1)
    study = Study(task, found, rungs, requests=requests, go_on=True, ledger=ledger)
    return ShotsPlan(study, found, counts, draws, tuned)


def read_shots(plan: ShotsPlan) -> ShotsFound:
    """The curves of a study that has climbed. Raises LedgerError where it has not."""
    summary = load_summary(plan.study.ledger, plan.study.name)
    rows = {row.name: row for row in summary.rungs}
    shown = _shown(plan)
    score = summary.deciding_score
    return ShotsFound(
        study=summary.study,
        task=summary.task["name"],
        deciding=summary.deciding,
        better=score.better if score else "higher",
        target=None if summary.target is None else summary.target * (score.times if score else 1.0),
        requests=summary.requests,
        items=summary.task["rows"]["test"],
        models=tuple(_curve(plan, model, summary, rows, shown) for model in plan.models),
    )


def _rungs(k: int, draws: int) -> list[str]:
    if k == 0:
        return ["zero-shot"]
    return [f"few-shot({k}, seed={seed})" for seed in range(draws)]


def _name(plan: ShotsPlan, model: Model, rung: str) -> str:
    """As the study names it."""
    wanted = parse_rung(rung).name
    return next(
        planned.name
        for planned in plan.study.plan.rungs
        if planned.checkpoint == model and planned.rung.name == wanted
    )


def _shown(plan: ShotsPlan) -> dict[str, int]:
    """Rung -> demonstrations that fitted the context."""
    with Ledger.open(plan.study.ledger, create=False) as ledger:
        found = {}
        for event in ledger.study(plan.study.name).events("adapted"):
            demonstrations = event.payload["adaptation"]["prompter"]["demonstrations"]
            found[event.payload["rung"]] = demonstrations["k"] if demonstrations else 0
    return found


def _curve(
    plan: ShotsPlan,
    model: Model,
    summary: Summary,
    rows: dict[str, RungSummary],
    shown: dict[str, int],
) -> ModelShots:
    tuned_row = rows[_name(plan, model, plan.tuned)] if plan.tuned else None
    points = []
    for k in plan.shots:
        names = [_name(plan, model, rung) for rung in _rungs(k, plan.draws)]
        found = [rows[name] for name in names]
        seconds = _mean([row.cost.seconds for row in found])
        points.append(
            Shots(
                k=k,
                shown=min((shown[name] for name in names if name in shown), default=None),
                draws=tuple(_draw(row, summary, shown.get(row.name)) for row in found),
                tokens=_mean([row.cost.tokens_in for row in found]),
                seconds=seconds,
                tuned_from=None if tuned_row is None else _traffic(seconds, tuned_row),
            )
        )
    reaching = (p.k for p in points if p.shown == p.k and p.reaches)
    return ModelShots(
        model=model.name,
        shots=tuple(points),
        tuned=None if tuned_row is None else _tuned(tuned_row, summary),
        fewest=None if summary.target is None else next(reaching, None),
    )


def _draw(row: RungSummary, summary: Summary, shown: int | None = None) -> Draw:
    score = row.metrics.get(summary.deciding)
    if score is None or score.value is None:
        return Draw(None, None, None, None if summary.target is None else False, shown)
    reaches = None
    if summary.target is not None:
        bound = row.lower if score.better == "higher" else row.upper
        beyond = 1 if score.better == "higher" else -1
        reaches = bound is not None and beyond * bound >= beyond * summary.target
    low, high = (None if end is None else end * score.times for end in (score.low, score.high))
    return Draw(score.value * score.times, low, high, reaches, shown)


def _tuned(row: RungSummary, summary: Summary) -> Tuned:
    rung = " + ".join(row.methods)
    draw = _draw(row, summary)
    return Tuned(rung, draw, row.cost.build_seconds, row.cost.seconds, row.error)


def _traffic(seconds: float | None, tuned: RungSummary) -> int | None:
    """Requests from which building once has paid for itself."""
    build, each = tuned.cost.build_seconds, tuned.cost.seconds
    if tuned.error or seconds is None or build is None or each is None or each >= seconds:
        return None
    return int(build / (seconds - each)) + 1


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if len(known) == len(values) else None


def _sentences(found: ShotsFound, model: ModelShots) -> list[str]:
    lines, called = [], found.called(model)
    if found.target is not None:
        if model.fewest is None:
            said = "no number of demonstrations that was tried is shown to reach"
        elif model.fewest == 0:
            said = "no demonstration is needed to reach"
        else:
            said = f"{model.fewest} is the fewest demonstrations shown to reach"
        lines.append(f"{called}: {said} {found.deciding} {found.target:g}.")
    means = [(p.mean, p) for p in model.shots if p.mean is not None and p.shown == p.k]
    if means:
        choose = max if found.better == "higher" else min
        best, point = choose(means, key=lambda pair: pair[0])
        alike = [str(p.k) for _, p in means if p is not point and overlap(p.ends, point.ends)]
        chance = f"; the lead over {listed(alike)} may be chance" if alike else ""
        comes = "comes" if point.k == 1 else "come"
        lines.append(
            f"{called}: {counted(point.k, 'demonstration')} {comes} out best, {found.deciding} "
            f"{best:.1f}{_spread(point)}{chance}."
        )
    if model.tuned is not None:
        lines.append(f"{called}: {_against(found, model, model.tuned)}")
    return lines


def _so_many(k: int) -> str:
    return counted(k, "demonstration") if k else "no demonstrations"


def _spread(shots: Shots) -> str:
    """How far draws lie apart, and how far the items leave open where each of them lies."""
    low, high = shots.ends
    if len(shots.draws) == 1:
        return interval_of(low, high)
    reach = "" if low is None or high is None else f", 95 % intervals {low:.1f} to {high:.1f}"
    draws = f"{min(shots.values):.1f} to {max(shots.values):.1f} over {len(shots.draws)} draws"
    return f" ({draws}{reach})"


def _against(found: ShotsFound, model: ModelShots, tuned: Tuned) -> str:
    """From which number of demonstrations on the training is the cheaper way."""
    if tuned.error is not None or tuned.draw.value is None:
        return f"{tuned.rung} has no value to hold demonstrations against."
    value = f"{tuned.draw.value:.1f}{interval_of(tuned.draw.low, tuned.draw.high)}"
    head = f"{tuned.rung} comes to {found.deciding} {value} and"
    cheaper: list[Shots] = []  # all the numbers above the first, so that "or more" is true
    for shots in reversed(model.shots):
        if shots.tuned_from is None or shots.tuned_from > found.requests:
            break
        cheaper.append(shots)
    if cheaper:
        least = cheaper[-1].k
        if least > 0:
            than = f"{counted(least, 'demonstration')} or more"
        elif len(cheaper) > 1:
            than = "every number of demonstrations that was tried, and than none"
        else:
            than = "no demonstrations"
        return f"{head}, at {found.requests:,} requests, costs fewer seconds than {than}."
    traffic = model.shots[-1].tuned_from
    most = _so_many(model.shots[-1].k)
    if traffic is None:
        return f"{head} costs no fewer seconds a request than {most}."
    return f"{head} costs fewer seconds than {most} from {traffic:,} requests on."
