"""Puts a climb's outcome together: verdict, table, comparisons, items, race, provenance."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple

from stepladder.checkpoints import Entailment, open_entailment
from stepladder.contracts import Metric
from stepladder.ledger import Ledger, StudyLog
from stepladder.metrics import warnings
from stepladder.plurals import counted
from stepladder.records import Endpoint, Json
from stepladder.study.comparisons import comparisons, crossover
from stepladder.study.contest import ALPHA, margin_of
from stepladder.study.grade import Graded, Grader, shown_text
from stepladder.study.grounding import Grounder, leak_into_knowledge
from stepladder.study.plan import Plan
from stepladder.study.programs import count_programs
from stepladder.study.provenance import origin
from stepladder.study.saved import race_of
from stepladder.study.summary import (
    Crossover,
    Departure,
    RungSummary,
    ShownAnswer,
    ShownItem,
    Split,
    Summary,
    Verdict,
)
from stepladder.study.verdict import decide
from stepladder.tasks import Task, leakage

SHOWN_ITEMS = 10
DRAFT_SECONDS = 2.0
"""Drafts of the table are kept at most so often, and rarer where making one takes long."""
DRAFT_SHARE = 20


class Outcome(NamedTuple):
    """A climb that has ended, or as far as it has come."""

    study: str
    plan: Plan
    grader: Grader
    graded: Sequence[Graded]
    work: Json
    """Requests asked, trainings run, seconds."""
    departures: tuple[Departure, ...] = ()
    """Who left the race, and why."""
    splits: Mapping[str, Split | None] = MappingProxyType({})
    """By rung, what its evidence is worth; measured when the race is over."""


def conclude(outcome: Outcome, ledger: Ledger, log: StudyLog) -> Summary:
    """The study's summary; verdict and summary are appended to its log."""
    task, metric = outcome.plan.task, outcome.grader.deciding
    days = _days(outcome, log)
    verdict, bounds = _decide(outcome, metric)
    verdict = replace(verdict, notes=(*verdict.notes, *_about_endpoints(days)))
    test = task.split_fingerprint("test")
    event = {"kind": verdict.kind, "rung": verdict.rung, "sentence": verdict.sentence}
    before = log.latest("verdict")
    if before is None or any(before[key] != value for key, value in event.items()):
        log.append("verdict", {**event, "test_fingerprint": test})
    measured = [g.measured for g in outcome.graded if g.measured is not None]
    nli = None if (name := _nli_name(outcome)) is None else open_entailment(name)
    summary = replace(
        _table(outcome, verdict, bounds, log, nli),
        comparisons=comparisons(measured, metric, task.seed, outcome.grader.extent),
        items=_items(outcome),
        crossover=_crossover(outcome, metric, bounds),
        provenance=_provenance(outcome, test, ledger.decided(test), days),
    )
    log.append("summary", summary.as_json())
    return summary


def _nli_name(outcome: Outcome) -> str | None:
    """The task's model of inference, where a rung shows evidence; drafts do without it."""
    known = outcome.plan.task.knowledge
    shown = any(g.climbed.evidence is not None for g in outcome.graded)
    return known.nli if known is not None and shown else None


def _table(
    outcome: Outcome,
    verdict: Verdict,
    bounds: _Bounds,
    log: StudyLog,
    nli: Entailment | None = None,
) -> Summary:
    """What a draft and the final summary have in common."""
    task = outcome.plan.task
    grounder = Grounder(outcome.graded, task, outcome.grader.deciding, nli)
    rows = []
    plan = log.latest("plan") or {}
    for graded in outcome.graded:
        grounded = grounder.of(graded, outcome.splits.get(graded.climbed.planned.name))
        row = _row(graded, outcome, bounds)
        cost = replace(row.cost, foretold_request=_foretold(plan, row.name))
        rows.append(replace(row, cost=cost, grounded=grounded))
    return Summary(
        study=outcome.study,
        verdict=verdict,
        rungs=tuple(rows),
        deciding=task.deciding,
        target=task.target.value if task.target else None,
        margin=None if task.target else margin_of(task, outcome.grader.deciding),
        requests=outcome.plan.requests,
        task=_task(task),
        prices=dict(task.prices),
        race=race_of(outcome.graded, outcome.departures, plan, task),
    )


def _foretold(plan: Json, rung: str) -> float | None:
    """Seconds of a request by the probe before the climb; a rate by default foretells nothing."""
    predicted = plan.get("predictions", {}).get(rung, {})
    found: float | None = predicted.get("seconds")
    return found if predicted.get("source") == "probed" else None


class Draft:
    """Keeps the partial table of a climb under way, so that a report can be had of it."""

    def __init__(self, log: StudyLog, outcome: Callable[[], Outcome]) -> None:
        self._log = log
        self._outcome = outcome
        self._next = 0.0

    def offer(self) -> None:
        """After a shard: keeps a draft, unless the last one is too fresh or the study has ended
        before."""
        begun = time.monotonic()
        if begun < self._next or self._log.latest("summary") is not None:
            return
        outcome = self._outcome()
        asked = sum(len(g.climbed.generations) for g in outcome.graded)
        sentence = f"Not finished: partial results, {asked:,} answers so far, and no verdict yet."
        verdict = Verdict("unfinished", None, sentence, ALPHA)
        draft = replace(_table(outcome, verdict, {}, self._log), items=_items(outcome))
        self._log.append("partial", draft.as_json())
        now = time.monotonic()
        self._next = now + max(DRAFT_SECONDS, DRAFT_SHARE * (now - begun))


_Bounds = Mapping[str, tuple[float | None, float | None]]
"""By rung, between which its score lies."""


def _decide(outcome: Outcome, metric: Metric) -> tuple[Verdict, _Bounds]:
    task = outcome.plan.task
    measured = [g.measured for g in outcome.graded if g.measured is not None]
    if not measured:
        sentence = "Nothing could be measured: every rung failed. The table says why."
        return Verdict("undecided", None, sentence, ALPHA), {}
    decision = decide(
        measured,
        metric,
        target=task.target.value if task.target else None,
        margin=None if task.target else margin_of(task, metric),
        requests=outcome.plan.requests,
        family=len(outcome.plan.rungs),
        alpha=ALPHA,
        extent=outcome.grader.extent,
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
    skipped = [d.rung for d in outcome.departures if d.kind == "left out"]
    if skipped:
        notes.append(f"Not asked, because predicted to cost more: {', '.join(skipped)}.")
    lengths = {len(g.items) for g in outcome.graded if g.measured is not None}
    if len(lengths) > 1:
        notes.append(
            "Rungs were asked different numbers of the same items, so their scores stand beside n; "
            "comparisons are over the items that both rungs answered."
        )
    if any(g.climbed.evidence is not None for g in outcome.graded):
        leak = leak_into_knowledge(task)
        notes += [leak.line()] if leak is not None and leak.questions else []
    notes += _copies(task)
    references = [e.references for e in task.test]
    for metric in outcome.grader.metrics.values():
        notes += warnings(metric, references)
    return list(dict.fromkeys(notes))  # the same line for every kind of ROUGE


def _copies(task: Task) -> list[str]:
    """That test inputs stand in train, which `check` says before a climb."""
    found = leakage(task, (("test", "train"),))
    exact, near = (found.count("test", "train", kind) for kind in ("exact", "near"))
    if not exact + near:
        return []
    return [
        f"Of {counted(len(task.test), 'test input')} {exact + near:,} also stand in train "
        f"({exact:,} exactly, {near:,} nearly), which flatters rungs that show it or train on it; "
        "stepladder check names them."
    ]


def _row(
    graded: Graded,
    outcome: Outcome,
    bounds: _Bounds,
) -> RungSummary:
    climbed = graded.climbed
    planned = climbed.planned
    lower, upper = bounds.get(planned.name, (None, None))
    prompts = [g.prompt for g in climbed.generations.values() if g.prompt]
    state = "failed" if climbed.error else "skipped" if graded.measured is None else "measured"
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
        notes=climbed.remarks,
        prompt=prompts[0] if prompts else None,
        programs=count_programs(
            graded.items,
            climbed.generations,
            outcome.grader.deciding,
            graded.statistics[outcome.plan.task.deciding],
        )
        if graded.items
        else None,
        forgetting=climbed.forgetting,
        trials=climbed.trials,
    )


def _items(outcome: Outcome) -> tuple[ShownItem, ...]:
    """The first items in the order of asking, which is a seeded draw: every rung that was asked
    anything has answered them."""
    items = []
    for example in outcome.grader.items[:SHOWN_ITEMS]:
        answers = {}
        for g in outcome.graded:
            generation = g.climbed.generations.get(example.id)
            if example in g.items:
                cause = None if generation is None else generation.failure
                failure = "missing" if generation is None else cause.cause if cause else None
                answers[g.climbed.planned.name] = ShownAnswer(
                    shown_text(generation),
                    failure,
                    generation.runs if generation else (),
                    generation.probability if generation else None,
                )
        items.append(ShownItem(example.id, example.input, example.references, answers))
    return tuple(items)


def _crossover(outcome: Outcome, metric: Metric, bounds: _Bounds) -> Crossover | None:
    """Between the two best rungs of known cost (by the items that all rungs answered): from which
    traffic on the other one is cheaper. A rung that is shown to miss the target is no choice."""
    sign = 1 if metric.better == "higher" else -1
    line = target.value if (target := outcome.plan.task.target) else None
    measured = [
        (g, g.measured)
        for g in outcome.graded
        if g.measured is not None
        and g.measured.refused is None
        and not _misses(bounds[g.climbed.planned.name], line, sign)
    ]
    common = min((len(m.statistics) for _, m in measured), default=0)
    known = []
    for g, rows in measured:
        value = None if g.missing else metric.aggregate(rows.statistics[:common])
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


def _misses(bounds: tuple[float | None, float | None], line: float | None, sign: int) -> bool:
    """Whether there is a line that even the better of these bounds does not reach."""
    best = bounds[1 if sign > 0 else 0]
    return best is not None and line is not None and sign * best < sign * line


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
    nli = _nli_name(outcome)
    return {
        "task": task.fingerprint,
        "test split": test,
        "verdicts drawn from this test split": decided,
        "models": models,
        **({"nli": nli} if nli is not None else {}),
        "sampling": task.sampling.as_json(),
        "seed": task.seed,
        "work in the last run": outcome.work,
        **origin(task.path),
    }
