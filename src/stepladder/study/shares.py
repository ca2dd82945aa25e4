"""How much replay a training needs, so that it forgets no more than its guards allow.

    plan = plan_shares(task, model, method="full", shares=(0, 0.05, 0.1, 0.2), seeds=3)
    search(plan, Study.climb)
    read_shares(plan).verdict.sentence     # "full(replay=0.1) is the smallest share listed ..."

Shares are tried from the smallest on, each with every seed, and the first that stays within
`max_drop` on all guards in all seeds ends the search. Nothing is taken for granted of the drop over
the share, which need not fall steadily: that a share is the smallest is claimed only where each
smaller one is shown to exceed `max_drop`.

A share is within its limits only if every guard of every seed is, so its bounds need no part of
alpha set aside for seeds (an intersection-union test): they are those of the study, with the shares
listed as the family. That a share exceeds them takes one guard of one seed, so these bounds are
shared among the seeds besides. Of a share only one of the two can be wrong, which has a probability
of at most alpha over the number of shares, and the whole search one of at most alpha.

Every share and seed is a study of its own, whose guards have no limit, so that all its items are
asked and another `max_drop` asks nothing anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import NamedTuple

from stepladder import registry
from stepladder.adaptation import Adaptation
from stepladder.errors import LedgerError, RungError, TaskError
from stepladder.ledger import DEFAULT_LEDGER, Ledger, StudyLog
from stepladder.methods import parse_rung
from stepladder.metrics import build_metrics
from stepladder.records import Generation, Model
from stepladder.statistics import guard_level
from stepladder.study.climb import Climbed
from stepladder.study.guards import GuardedTask
from stepladder.study.shares_found import Build, Share, SharesFound, Standing
from stepladder.study.study import Study, load_summary
from stepladder.study.summary import RungSummary, Summary
from stepladder.tasks import Task

DEFAULT_SHARES = (0.0, 0.05, 0.1, 0.2, 0.4)
_BASE = "zero-shot"


class _Place(NamedTuple):
    """Where one training of one share stands."""

    share: float
    rung: str
    seed: int
    study: Study


@dataclass(frozen=True)
class SharesPlan:
    """The studies behind a search."""

    task: Task
    model: Model
    method: str
    seeds: int
    places: tuple[_Place, ...]
    """Share by share, the smallest first."""
    ledger: str | Path

    @property
    def shares(self) -> tuple[float, ...]:
        return tuple(dict.fromkeys(place.share for place in self.places))


def plan_shares(
    task: Task,
    model: Model,
    *,
    method: str = "full",
    shares: Sequence[float] = DEFAULT_SHARES,
    seeds: int = 3,
    ledger: str | Path = DEFAULT_LEDGER,
) -> SharesPlan:
    """The studies of all shares and seeds. Raises StepladderError for what cannot be trained,
    replayed or held against a limit."""
    if seeds < 1:
        raise RungError(f"seeds is {seeds}; give 1 or more")
    if not shares:
        raise RungError("no share is named; give some, such as 0,0.1,0.2")
    guard = task.guard
    if guard is None or all(each.max_drop is None for each in guard.tasks):
        raise TaskError(
            f"task '{task.name}' has no guard task with a max_drop for a share to stay within; "
            "give it a line guard: {tasks: [FILE or sample, ...], max_drop: ...}"
        )
    free = replace(guard, tasks=tuple(replace(each, max_drop=None) for each in guard.tasks))
    # What a study of the task would refuse, the limits among it.
    Study(task, [model], [with_replay(method, min(shares))], ledger=ledger)
    places = []
    for share in sorted(set(shares)):
        rung = with_replay(method, share)
        for seed in range(seeds):
            own = replace(task, seed=task.seed + seed, seeds=1, guard=free)
            study = Study(own, [model], [_BASE, rung], go_on=True, ledger=ledger)
            places.append(_Place(share, rung, seed, study))
    return SharesPlan(task, model, method, seeds, tuple(places), ledger)


def with_replay(method: str, share: float) -> str:
    """The rung with so much replay in its training. Raises RungError where it has no place.

    >>> with_replay("few-shot(2) + lora(rank=4)", 0.1)
    'few-shot(2) + lora(rank=4, replay=0.1)'
    """
    if not parse_rung(method).trains:
        raise RungError(f"'{method}' trains nothing that other data could be mixed into; give full")
    parts = registry.parts(method)
    specs = [registry.parse(part, "methods") for part in parts]
    known = [{f.name for f in fields(registry.load("methods", spec.name))} for spec in specs]
    place = next((i for i, settings in enumerate(known) if "replay" in settings), None)
    if place is None:
        raise RungError(f"'{method}' has no setting replay; give a training such as full or lora")
    if any(key == "replay" for spec in specs for key, _ in spec.named):
        raise RungError(f"'{method}' names replay, which is what is searched; leave it out")
    if share:
        name, positional, named = specs[place]
        settings = [*positional, *(f"{key}={value}" for key, value in named)]
        parts[place] = f"{name}({', '.join([*settings, f'replay={share:g}'])})"
    rung = " + ".join(parts)
    parse_rung(rung)
    return rung


def search(plan: SharesPlan, climb: Callable[[Study], object], *, go_on: bool = False) -> None:
    """Climbs share after share until one is within its limits; with `go_on` all of them."""
    for share in plan.shares:
        for place in plan.places:
            if place.share == share:
                climb(place.study)
        if not go_on and read_shares(plan).share(share).standing == "within":
            return


def read_shares(plan: SharesPlan) -> SharesFound:
    """What the studies that have climbed come to. Raises LedgerError where none has."""
    task = plan.task
    assert task.guard is not None
    reader = _Reader(plan)
    found: list[Share] = []
    base: float | None = None
    summary: Summary | None = None
    for share in plan.shares:
        builds = []
        for place in (place for place in plan.places if place.share == share):
            try:
                summary = load_summary(plan.ledger, place.study.name)
            except LedgerError:
                continue
            builds.append(reader.build(place, summary))
            base = _value(summary, _row(summary, _BASE))
        rung = next(place.rung for place in plan.places if place.share == share)
        found.append(Share(share, rung, tuple(builds), _standing(builds, plan.seeds)))
    if summary is None:
        raise LedgerError("no share has been tried yet; run the same command again to go on")
    (metric,) = build_metrics([task.deciding], task.labels, [row.references for row in task.test])
    return SharesFound(
        task=task.name,
        model=plan.model.name,
        method=plan.method,
        deciding=task.deciding,
        better=metric.better,
        items=len(task.test),
        seeds=plan.seeds,
        base=base,
        shares=tuple(found),
    )


class _Reader:
    """Drops with the bounds of the whole search, from the answers that the ledger has."""

    def __init__(self, plan: SharesPlan) -> None:
        guard = plan.task.guard
        assert guard is not None
        self._plan = plan
        shares, guards = len(plan.shares), len(guard.tasks)
        self._guards = [GuardedTask(each, shares, guards) for each in guard.tasks]
        self._beyond = guard_level(shares * plan.seeds, guards)

    def build(self, place: _Place, summary: Summary) -> Build:
        """One training of one share."""
        name = next(p.name for p in place.study.plan.rungs if p.name != _BASE)
        row = _row(summary, name)
        score = row.metrics.get(summary.deciding)
        if row.error is not None or score is None:
            return Build(place.seed, None, error=row.error or "it was not asked")
        with Ledger.open(self._plan.ledger, create=False) as ledger:
            log = ledger.study(place.study.name)
            before = _answers(log, self._plan.model.identity)
            after = _answers(log, _trained(log, name).identity)
        planned = place.study.plan.rungs[0]
        drops, beyond = [], []
        for guarded in self._guards:
            pair = [
                Climbed(replace(planned, name=f"{i} {place.study.name}"), found[guarded.name])
                for i, found in enumerate((before, after))
            ]
            drop = guarded.drop(pair[0], pair[1])
            drops.append(drop)
            least = guarded.least_drop(pair[0], pair[1], self._beyond)
            if drop.max_drop is not None and least > drop.max_drop:
                beyond.append(drop.guard)
        forgetting = row.forgetting
        return Build(
            seed=place.seed,
            value=_value(summary, row),
            guards=tuple(drops),
            beyond=tuple(beyond),
            text=forgetting.text if forgetting else None,
        )


def _answers(log: StudyLog, weights: str) -> dict[str, dict[str, Generation]]:
    """Of a checkpoint, by guard: the last that were kept, in case some were owed at first."""
    found: dict[str, dict[str, Generation]] = {}
    for event in log.events("guard-answers"):
        if event.payload["weights"] == weights:
            answers = event.payload["answers"].items()
            found[event.payload["guard"]] = {id: _answered(id, answer) for id, answer in answers}
    return found


def _answered(id: str, answer: str) -> Generation:
    return Generation(
        id=id,
        prompt="",
        text=answer,
        answer=answer,
        tokens_in=None,
        tokens_out=None,
        seconds=None,
        finish=None,
    )


def _trained(log: StudyLog, rung: str) -> Model:
    kept = [e.payload["adaptation"] for e in log.events("adapted") if e.payload["rung"] == rung]
    return Adaptation.from_json(kept[-1]).checkpoint


def _row(summary: Summary, rung: str) -> RungSummary:
    return next(row for row in summary.rungs if row.name == rung)


def _value(summary: Summary, row: RungSummary) -> float | None:
    """The deciding metric on the scale shown."""
    score = row.metrics.get(summary.deciding)
    return None if score is None or score.value is None else score.value * score.times


def _standing(builds: Sequence[Build], seeds: int) -> Standing:
    if any(build.beyond for build in builds):
        return "beyond"
    if len(builds) < seeds:
        return "open" if builds else "not tried"
    refused = any(b.error or any(g.refusal for g in b.guards) for b in builds)
    return "open" if refused else "within"
