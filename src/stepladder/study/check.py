"""What can be said before anything is spent: the plan, its prompts, what it can tell apart.

No weights are loaded. Tokens are counted with the model's own tokenizer where the extra 'hf' is
installed, else estimated at four characters each; either way time is a prediction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from stepladder.adaptation import Adaptation
from stepladder.checkpoints import check_entailment
from stepladder.contracts import Engine
from stepladder.engines.opening import open_engine
from stepladder.errors import MissingExtraError, RungError, TrainingError
from stepladder.ledger import Event, Ledger
from stepladder.methods import Rung
from stepladder.metrics import build_metrics
from stepladder.records import Endpoint, Model, Prompt, TrainingJob
from stepladder.retrieval import KnowledgeLeak
from stepladder.statistics import (
    WORST_PAIR_SD,
    WORST_SD,
    detectable_difference,
    margin_level,
    target_level,
)
from stepladder.study.answering import ForeseeAnswers, seconds_here
from stepladder.study.draws import RepeatsForesight, check_seeds, foresee_repeats
from stepladder.study.dry_run import Fit
from stepladder.study.fitting import base_adaptation, fit_to_context
from stepladder.study.grounding import leak_into_knowledge
from stepladder.study.guards import GuardForesight, check_guards, foresee_guards, trains
from stepladder.study.labels import refuse_unwritable
from stepladder.study.plan import Plan, PlannedRung
from stepladder.study.predict import (
    CountTokens,
    ForeseeTraining,
    Prediction,
    TrainingForesight,
    about_four_letters,
    cost_order,
    predict,
)
from stepladder.tasks import Leakage, Task, leakage


@dataclass(frozen=True, slots=True)
class ShownExample:
    id: str
    prompt: str
    """As the first model will read it, zero-shot."""
    reference: str


@dataclass(frozen=True, slots=True)
class Foresight:
    """The answer of `check`."""

    examples: tuple[ShownExample, ...]
    detectable: float | None
    """The smallest difference (against the target, or between two rungs beyond the margin) that
    this many items show with a probability of 80 %, at the worst spread that a measure in [0, 1]
    can have; on that scale. None for a corpus measure, whose spread is not known beforehand."""
    predictions: tuple[Prediction, ...]
    """In the order of the climb."""
    leakage: Leakage
    knowledge_leak: KnowledgeLeak | None
    """Test questions that stand in the documents; None for a task without any."""
    decided: int
    """Verdicts that the ledger's studies have already drawn from this test split."""
    counted: str
    """How tokens were counted."""
    endpoints: tuple[Endpoint, ...]
    """As they were found."""
    guards: tuple[GuardForesight, ...] = ()
    """The guard tasks; empty where no rung trains, since nothing else is held against them."""
    repeats: RepeatsForesight | None = None
    """Of further seeds; None for a task with one."""


def foresee(plan: Plan, ledger: str | Path) -> Foresight:
    """Looks at a plan. Reads the ledger where there is one; writes nothing. Raises what a study of
    it would refuse."""
    check_guards(plan)
    check_seeds(plan)
    task = plan.task
    if task.knowledge is not None and task.knowledge.nli is not None:
        check_entailment(task.knowledge.nli)
    events, decided = _from_ledger(ledger, task)
    first = next((p.checkpoint for p in plan.rungs if p.checkpoint is not None), None)
    counter = _Tokenizers()
    fit: Fit | None = None
    training: ForeseeTraining | None = None
    answers: ForeseeAnswers | None = None
    counted = "by each model's own tokenizer"
    if plan.endpoints:
        counted += ", an endpoint's (whose tokenizer is not at hand) at four characters each"
    try:
        examples = _examples(task, first, counter)
        count: CountTokens = counter.count
        fit = partial(counter.fit, task)
        training, answers = _foresee_training, seconds_here(plan.dtype)
    except MissingExtraError:
        examples = _examples(task, first, None)
        count, counted = about_four_letters, "at four characters each (the extra 'hf' is missing)"

    def predicted(planned: PlannedRung) -> Prediction:
        try:
            return predict(planned, task, events, count, fit, training, answers)
        except TrainingError as error:
            found = predict(planned, task, events, count, fit, None, answers)
            return replace(found, notes=(*found.notes, f"will fail: {error}"))

    by_name = {p.name: predicted(p) for p in plan.rungs}
    if fit is not None:
        by_name = {p.name: counter.told(by_name[p.name], p, task) for p in plan.rungs}
    climbing = as_climbed(plan, events, answers, count)
    return Foresight(
        examples=examples,
        detectable=_detectable(plan),
        predictions=tuple(by_name[name] for name in cost_order(plan, climbing)),
        leakage=leakage(task),
        knowledge_leak=leak_into_knowledge(task),
        decided=decided,
        counted=counted,
        endpoints=plan.endpoints,
        guards=foresee_guards(plan) if any(map(trains, plan.rungs)) else (),
        repeats=foresee_repeats(plan, list(by_name.values())),
    )


def as_climbed(
    plan: Plan,
    events: Sequence[Event],
    answers: ForeseeAnswers | None,
    count: CountTokens | None = None,
) -> list[Prediction]:
    """What a climb is ordered by: no training is rehearsed for it. Where `count` is not given, the
    models' tokenizers are opened; without `answers`, where another engine stands in for the usual
    ones, none is at hand."""
    if count is None:
        count = _Tokenizers().count if answers else about_four_letters

    def predicted(count: CountTokens) -> list[Prediction]:
        return [predict(p, plan.task, events, count, answers=answers) for p in plan.rungs]

    try:
        return predicted(count)
    except MissingExtraError:
        return predicted(about_four_letters)


def _foresee_training(job: TrainingJob) -> TrainingForesight | None:
    from stepladder.training.foresight import foresee

    found = foresee(job)
    return None if found is None else TrainingForesight(found.forecast.expected, found.seconds)


class _Tokenizers:
    """Engines that are only asked to render and to count, which loads no weights."""

    def __init__(self) -> None:
        self._engines: dict[str, Engine] = {}

    def engine(self, checkpoint: Model) -> Engine:
        if checkpoint.identity not in self._engines:
            self._engines[checkpoint.identity] = open_engine(checkpoint)
        return self._engines[checkpoint.identity]

    def count(self, checkpoint: Model, prompts: Sequence[Prompt]) -> list[int]:
        counts = self.engine(checkpoint).count_tokens(prompts)
        return about_four_letters(checkpoint, prompts) if counts is None else counts

    def told(self, prediction: Prediction, planned: PlannedRung, task: Task) -> Prediction:
        """The prediction with a note where the rung's model cannot write a label."""
        rung, checkpoint = planned.rung, planned.checkpoint
        if checkpoint is None or not isinstance(rung, Rung) or not task.labels or rung.by_head:
            return prediction
        try:
            refuse_unwritable(self.engine(checkpoint), task, rung.name)
        except RungError as error:
            return replace(prediction, notes=(*prediction.notes, f"will fail: {error}"))
        return prediction

    def fit(
        self, task: Task, adaptation: Adaptation, kept_free: int
    ) -> tuple[Adaptation, str | None]:
        """As a climb fits a rung to the context, but for the test items alone: a rung that also
        trains on its prompts may come to show fewer demonstrations still."""
        engine = self.engine(adaptation.checkpoint)
        return fit_to_context(adaptation, engine, [e.query for e in task.test], kept_free)


def _examples(
    task: Task, checkpoint: Model | None, tokenizers: _Tokenizers | None
) -> tuple[ShownExample, ...]:
    if checkpoint is None:
        return ()
    adaptation: Adaptation = base_adaptation(task, checkpoint)
    shown = []
    for example in task.test[:3]:
        prompt = adaptation.prompter.render(example.query)
        text = tokenizers.engine(checkpoint).render(prompt) if tokenizers else prompt.text
        shown.append(ShownExample(example.id, text, example.references[0]))
    return tuple(shown)


def _detectable(plan: Plan) -> float | None:
    task = plan.task
    metric = build_metrics([task.deciding], task.labels, [e.references for e in task.test])[0]
    if not metric.mean:
        return None
    groups = {e.group for e in task.test}
    units = len(task.test) if None in groups else len(groups)
    rungs = len(plan.rungs)
    if task.target is not None or rungs < 2:
        return detectable_difference(units, level=target_level(rungs), sd=WORST_SD, span=1.0)
    return detectable_difference(units, level=margin_level(rungs), sd=WORST_PAIR_SD)


def _from_ledger(ledger: str | Path, task: Task) -> tuple[list[Event], int]:
    if not Ledger.is_there(ledger):
        return [], 0
    with Ledger.open(ledger, create=False) as opened:
        return list(opened.events("rate")), opened.decided(task.split_fingerprint("test"))
