"""Puts a climb's outcome together: verdict, table, comparisons, items, provenance."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import NamedTuple

from stepladder.contracts import Metric
from stepladder.ledger import Ledger, StudyLog
from stepladder.metrics import warnings
from stepladder.records import Endpoint, Json
from stepladder.study.grade import Graded, Grader, shown_text
from stepladder.study.plan import Plan
from stepladder.study.provenance import origin
from stepladder.study.summary import (
    Crossover,
    RungSummary,
    ShownAnswer,
    ShownItem,
    Summary,
    Verdict,
)
from stepladder.study.verdict import comparisons, crossover, decide
from stepladder.tasks import Task

ALPHA = 0.05
SHOWN_ITEMS = 10


class Outcome(NamedTuple):
    """A climb that has ended."""

    study: str
    plan: Plan
    grader: Grader
    graded: Sequence[Graded]
    work: Json
    """Requests asked, trainings run, seconds."""


def conclude(outcome: Outcome, ledger: Ledger, log: StudyLog) -> Summary:
    """The study's summary; verdict and summary are appended to its log."""
    plan, graded, task = outcome.plan, outcome.graded, outcome.plan.task
    metric = outcome.grader.deciding
    margin = None if task.target else margin_of(task, metric)
    days = _days(outcome, log)
    verdict, bounds = _decide(outcome, metric, margin)
    verdict = replace(verdict, notes=(*verdict.notes, *_about_endpoints(days)))
    test = task.split_fingerprint("test")
    event = {"kind": verdict.kind, "rung": verdict.rung, "sentence": verdict.sentence}
    before = log.latest("verdict")
    if before is None or any(before[key] != value for key, value in event.items()):
        log.append("verdict", {**event, "test_fingerprint": test})
    measured = [g.measured for g in graded if g.measured is not None]
    summary = Summary(
        study=outcome.study,
        verdict=verdict,
        rungs=tuple(_row(g, bounds) for g in graded),
        deciding=task.deciding,
        target=task.target.value if task.target else None,
        margin=margin,
        requests=plan.requests,
        task=_task(task),
        comparisons=comparisons(measured, metric, task.seed),
        items=_items(task, graded),
        crossover=_crossover(outcome, metric),
        provenance=_provenance(outcome, test, ledger.decided(test), days),
        prices=dict(task.prices),
    )
    log.append("summary", summary.as_json())
    return summary


def margin_of(task: Task, metric: Metric) -> float:
    """The task's margin; one point of the shown scale where it gives none."""
    return 1.0 / metric.times if task.margin is None else task.margin


def _decide(
    outcome: Outcome, metric: Metric, margin: float | None
) -> tuple[Verdict, Mapping[str, tuple[float | None, float | None]]]:
    task = outcome.plan.task
    measured = [g.measured for g in outcome.graded if g.measured is not None]
    if not measured:
        sentence = "Nothing could be measured: every rung failed. The table says why."
        return Verdict("undecided", None, sentence, ALPHA), {}
    decision = decide(
        measured,
        metric,
        target=task.target.value if task.target else None,
        margin=margin,
        requests=outcome.plan.requests,
        family=len(outcome.plan.rungs),
        alpha=ALPHA,
    )
    notes = (*decision.verdict.notes, *_notes(outcome))
    return replace(decision.verdict, notes=notes), decision.bounds


def _notes(outcome: Outcome) -> list[str]:
    """What a reader of the verdict should know besides."""
    task, notes = outcome.plan.task, []
    if task.target is None and task.margin is None:
        notes.append(
            "The task names neither target nor margin: rungs within one point count as equal."
        )
    failed = [g.climbed.planned.name for g in outcome.graded if g.climbed.error]
    if failed:
        notes.append(f"Not in the comparison, because it could not be built: {', '.join(failed)}.")
    skipped = [g.climbed.planned.name for g in outcome.graded if g.climbed.skipped]
    if skipped:
        notes.append(f"Not built, because predicted to cost more: {', '.join(skipped)}.")
    references = [e.references for e in task.test]
    for metric in outcome.grader.metrics.values():
        notes += warnings(metric, references)
    return list(dict.fromkeys(notes))  # the same line for every kind of ROUGE


def _row(graded: Graded, bounds: Mapping[str, tuple[float | None, float | None]]) -> RungSummary:
    climbed = graded.climbed
    planned = climbed.planned
    lower, upper = bounds.get(planned.name, (None, None))
    prompts = [g.prompt for g in climbed.generations.values() if g.prompt]
    state = "failed" if climbed.error else "skipped" if climbed.skipped else "measured"
    return RungSummary(
        name=planned.name,
        model=planned.checkpoint.name if planned.checkpoint else "outputs",
        methods=planned.methods,
        state=state,  # type: ignore[arg-type]
        error=climbed.error,
        metrics=graded.scores,
        cost=graded.cost,
        failures=graded.failures,
        missing=graded.missing,
        cut_share=graded.cut_share,
        lower=lower,
        upper=upper,
        notes=climbed.notes,
        prompt=prompts[0] if prompts else None,
    )


def _items(task: Task, graded: Sequence[Graded]) -> tuple[ShownItem, ...]:
    """A seeded draw of test items: the same for all rungs, chosen by nobody."""
    order = sorted(task.test, key=lambda e: e.id)
    drawn = random.Random(f"items {task.seed}").sample(order, min(SHOWN_ITEMS, len(order)))
    items = []
    for example in drawn:
        answers = {}
        for g in graded:
            generation = g.climbed.generations.get(example.id)
            if g.measured is not None:
                cause = None if generation is None else generation.failure
                failure = "missing" if generation is None else cause.cause if cause else None
                answers[g.climbed.planned.name] = ShownAnswer(shown_text(generation), failure)
        items.append(ShownItem(example.id, example.input, example.references, answers))
    return tuple(items)


def _crossover(outcome: Outcome, metric: Metric) -> Crossover | None:
    """Between the two best rungs of known cost: from which traffic on the other one is cheaper."""
    sign = 1 if metric.better == "higher" else -1
    known = []
    for g in outcome.graded:
        value = g.scores[outcome.plan.task.deciding].value if g.scores else None
        if value is not None and g.cost.build_seconds is not None and g.cost.seconds is not None:
            known.append((sign * value, g))
    known.sort(key=lambda pair: -pair[0])
    if len(known) < 2:
        return None
    two = sorted((g for _, g in known[:2]), key=lambda g: g.cost.total_seconds(1) or 0.0)
    first, second = two[0], two[1]
    one, other = first.climbed.planned.name, second.climbed.planned.name
    requests = crossover(
        first.cost.build_seconds or 0.0,
        first.cost.seconds or 0.0,
        second.cost.build_seconds or 0.0,
        second.cost.seconds or 0.0,
    )
    if requests is None:
        sentence = (
            f"Of the two best rungs, {one} costs no more seconds than {other} at any traffic."
        )
    else:
        sentence = (
            f"Of the two best rungs, {one} costs fewer seconds up to about {requests:,} requests, "
            f"{other} beyond."
        )
    return Crossover(one, other, requests, sentence)


def _task(task: Task) -> Json:
    return {
        "name": task.name,
        "instruction": task.instruction,
        "labels": list(task.labels),
        "rows": {"train": len(task.train), "dev": len(task.dev), "test": len(task.test)},
        "notes": list(task.notes),
    }


def _days(outcome: Outcome, log: StudyLog) -> dict[Endpoint, list[str]]:
    """Of each endpoint, the days (UTC) on which its answers came into this study."""
    endpoints = outcome.plan.endpoints
    seen: dict[str, set[str]] = {endpoint.identity: set() for endpoint in endpoints}
    for event in log.events("generation") if endpoints else ():
        if event.payload["weights"] in seen:
            seen[event.payload["weights"]].add(event.time[:10])
    return {endpoint: sorted(seen[endpoint.identity]) for endpoint in endpoints}


def _about_endpoints(days: Mapping[Endpoint, Sequence[str]]) -> list[str]:
    return [
        f"{endpoint.name} is an endpoint: its weights cannot be known, so what is said of it holds "
        f"for {endpoint.reported or 'the model, whose name was not reported,'} as it answered on "
        f"{', '.join(on) or 'no day'}."
        for endpoint, on in days.items()
    ]


def _provenance(
    outcome: Outcome, test: str, decided: int, days: Mapping[Endpoint, Sequence[str]]
) -> Json:
    task = outcome.plan.task
    models: dict[str, Json] = {}
    for planned in outcome.plan.rungs:
        if isinstance(planned.checkpoint, Endpoint):
            models[planned.checkpoint.name] = {
                "weights": "cannot be known",
                "model as reported": planned.checkpoint.reported,
                "answered on": list(days[planned.checkpoint]),
                "chat": planned.checkpoint.capabilities.chat,
                "context": planned.checkpoint.capabilities.context,
            }
        elif planned.checkpoint is not None:
            models[planned.checkpoint.name] = {
                "fingerprint": planned.checkpoint.identity,
                "parameters": planned.checkpoint.parameters,
                "chat template": planned.checkpoint.capabilities.chat,
                "context": planned.checkpoint.capabilities.context,
                "dtype": outcome.plan.dtype,
            }
    return {
        "task": task.fingerprint,
        "test split": test,
        "verdicts drawn from this test split": decided,
        "models": models,
        "sampling": asdict(task.sampling),
        "seed": task.seed,
        "work in the last run": outcome.work,
        **origin(task.path),
    }
