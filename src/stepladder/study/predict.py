"""Predicts what each rung will cost, for the order of the climb and for `check`.

A forward pass takes about 2 FLOPs a parameter and token, forward and backward 6 (Kaplan et al.
2020, section 2.1), or 4 where the parameters are frozen. What a machine makes of that is measured:
every climb leaves its rates in the ledger, and the median rate of models of about the same size is
used. Without one, a stated default is. The engine in this process is probed instead (`answers`),
and `check` has trainings rehearsed and this machine probed for them too. Either way it is a
prediction and is called one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from os.path import commonprefix
from statistics import mean, median
from typing import Literal, NamedTuple

from stepladder.adaptation import Adaptation
from stepladder.ledger import Event
from stepladder.methods import Rung
from stepladder.records import Endpoint, HeadJob, Json, Model, Prompt, TrainingJob, Turn
from stepladder.study.answering import ForeseeAnswers, asked_of
from stepladder.study.climb import Climbed
from stepladder.study.dry_run import LOOKED_AT, DryTraining, Fit, dry_run
from stepladder.study.plan import Plan, PlannedRung
from stepladder.tasks import OutputsRung, Task

CountTokens = Callable[[Model, Sequence[Prompt]], list[int]]


class TrainingForesight(NamedTuple):
    """Of one training, foretold for this machine."""

    memory: int
    """Bytes at its fullest moment."""
    seconds: float
    """Of its planned updates and looks at dev; not of its process' start."""


ForeseeTraining = Callable[[TrainingJob], TrainingForesight | None]

ANSWERING = 5e9
"""Default FLOPs a second while answering on a processor, batched."""
TRAINING = 2e10
"""Default FLOPs a second while training on a processor."""
TRAINING_START = 12.0
"""Seconds until a training process is at work."""
_PARAMETERS_UNKNOWN = 1e9


class Rates(NamedTuple):
    """FLOPs a second that a model of this size was seen to reach."""

    answering: float
    training: float
    source: Literal["measured", "default"]


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a rung is expected to cost; None where nothing is known (a file of outputs, the time
    of an endpoint)."""

    name: str
    tokens_in: float | None
    tokens_out: float | None
    seconds: float | None
    """A request."""
    build_seconds: float | None
    source: Literal["probed", "measured", "default", "given", "unknown"]
    """What the seconds of a request rest on."""
    notes: tuple[str, ...] = ()
    """What will not be as the rung is named: demonstrations that do not fit."""
    probed: bool = False
    """Whether the time of its trainings rests on a probe of this machine."""
    memory: int | None = None
    """Bytes at the fullest moment of its training; None where nothing is trained, or where it was
    not foretold."""

    def total(self, requests: int) -> float | None:
        """Seconds to build once and answer so many requests."""
        if self.seconds is None or self.build_seconds is None:
            return None
        return self.build_seconds + requests * self.seconds


def about_four_letters(_: Model, prompts: Sequence[Prompt]) -> list[int]:
    """Tokens without a tokenizer: four characters each, the usual figure for English."""
    return [max(1, len(prompt.text) // 4) for prompt in prompts]


def rates(parameters: float, events: Iterable[Event]) -> Rates:
    """The median of the rates that the ledger has of models within a factor of two in size."""
    answering, training = [], []
    for event in events:
        seen = event.payload
        if not 0.5 <= seen["parameters"] / parameters <= 2:
            continue
        if seen["answering"]:
            answering.append(seen["answering"])
        if seen["training"]:
            training.append(seen["training"])
    return Rates(
        median(answering) if answering else ANSWERING,
        median(training) if training else TRAINING,
        "measured" if answering else "default",
    )


def rate_event(climbed: Climbed, seconds: float | None, tokens: float | None) -> Json | None:
    """What a climbed rung teaches about this machine; None where nothing was measured."""
    checkpoint = climbed.planned.checkpoint
    if checkpoint is None or isinstance(checkpoint, Endpoint):
        return None
    if not checkpoint.parameters or not seconds or not tokens:
        return None
    if isinstance(climbed.planned.rung, Rung) and climbed.planned.rung.by_head:
        return None  # another model may be behind it, and nothing was written
    trained = climbed.build.trained_tokens
    built = climbed.build.seconds
    tried = sum(trial.seconds or 0.0 for trial in climbed.trials)
    at_work = built - tried - TRAINING_START if built is not None else 0
    return {
        "rung": climbed.planned.name,
        "parameters": checkpoint.parameters,
        "answering": 2 * checkpoint.parameters * tokens / seconds,
        "training": training_flops(climbed.planned.rung) * checkpoint.parameters * trained / at_work
        if trained and at_work > 0 and isinstance(climbed.planned.rung, Rung)
        else None,
    }


def predict(
    planned: PlannedRung,
    task: Task,
    events: Iterable[Event],
    count: CountTokens = about_four_letters,
    fit: Fit | None = None,
    foresee: ForeseeTraining | None = None,
    answers: ForeseeAnswers | None = None,
) -> Prediction:
    """The cost of one rung, before anything is spent. Without `fit` every demonstration counts;
    without `foresee` no memory is foretold, and time rests on rates of whole trainings; without
    `answers` that of a request rests on rates of whole answers."""
    rung, checkpoint = planned.rung, planned.checkpoint
    if isinstance(rung, OutputsRung) or checkpoint is None:
        assert isinstance(rung, OutputsRung)
        return _of_outputs(planned.name, rung)
    dry = dry_run(rung, task, checkpoint, fit=fit, with_job=foresee is not None)
    if dry.head is not None:
        return _by_head(planned.name, dry.head, dry.prompts, events, count)
    prompts = count(checkpoint, dry.prompts)
    written = _answers(dry.adaptation, task, checkpoint, count)
    read, told, samples = mean(prompts), mean(written), dry.adaptation.samples
    known = Prediction(
        planned.name, read * samples, told * samples, None, None, "unknown", dry.notes
    )
    if isinstance(checkpoint, Endpoint):  # whose size and machine are unknown
        return replace(known, build_seconds=None if dry.trials else 0.0)
    parameters = float(checkpoint.parameters or _PARAMETERS_UNKNOWN)
    speed = rates(parameters, events)
    once: float | None = None
    if answers is not None and dry.adaptation.sampling.beams == 1:
        shared = _shared(dry.prompts, checkpoint, count)
        asked = asked_of(task, dry.adaptation, prompts=prompts, shared=shared, answers=written)
        once = answers(checkpoint, asked)
    source = speed.source if once is None else "probed"
    if once is None:
        once = 2 * parameters * (read + told) / speed.answering
    seen = [foresee(t.job) if foresee and t.job else None for t in dry.trainings]
    per_token = training_flops(rung) * parameters / speed.training
    building = [
        _seconds(training, foreseen)
        if foreseen is not None
        else _seconds_by_rate(training, per_token, mean(count(checkpoint, training.prompts)) + told)
        for training, foreseen in zip(dry.trainings, seen, strict=True)
    ]
    trying = [len(task.dev) * once * t.samples * t.sampling.beams for t in dry.trials]
    foretold = [foreseen for foreseen in seen if foreseen is not None]
    all_foretold = bool(foretold) and len(foretold) == len(seen)
    return replace(
        known,
        seconds=once * samples,
        build_seconds=sum(building) + sum(trying),
        source=source,
        probed=all_foretold,
        memory=max(foreseen.memory for foreseen in foretold) if all_foretold else None,
    )


def _of_outputs(name: str, rung: OutputsRung) -> Prediction:
    build = None if rung.seconds is None else 0.0
    return Prediction(name, rung.tokens_in, rung.tokens_out, rung.seconds, build, "given")


def _seconds(training: DryTraining, foreseen: TrainingForesight) -> float:
    return training.work.trainings * TRAINING_START + training.repeats * foreseen.seconds


def _seconds_by_rate(training: DryTraining, per_token: float, tokens: float) -> float:
    """`tokens`: of a row, its answer among them."""
    work = training.work
    return work.trainings * TRAINING_START + per_token * tokens * training.rows * work.epochs


def _shared(prompts: Sequence[Prompt], checkpoint: Model, count: CountTokens) -> int:
    """Tokens that all prompts begin with."""
    same = commonprefix([prompt.text for prompt in prompts])
    return count(checkpoint, [Prompt(same, ())])[0] if same else 0


def training_flops(rung: Rung) -> int:
    """A parameter and token: forward, the gradient of what goes in, and that of the weights, unless
    all that the rung trains is known to leave them frozen."""
    shares = {
        getattr(part, "share", None)
        for method in rung.methods
        if method.fills is None
        for part in getattr(method, "parts", (method,))
    }
    return 4 if shares <= {"adapter", "prompt"} else 6


def _by_head(
    name: str,
    job: HeadJob,
    prompts: Sequence[Prompt],
    events: Iterable[Event],
    count: CountTokens,
) -> Prediction:
    """One pass over every training row and every request; the head itself costs next to nothing."""
    parameters = float(job.body.parameters or _PARAMETERS_UNKNOWN)
    speed = rates(parameters, events)
    texts = [Prompt(row.input, (Turn("user", row.input),)) for row in job.rows[:LOOKED_AT]]
    asked, read = mean(count(job.body, prompts)), mean(count(job.body, texts))
    work = 2 * parameters / speed.answering
    build_seconds = work * read * len(job.rows)
    return Prediction(name, asked, 0.0, work * asked, build_seconds, speed.source)


def _answers(
    adaptation: Adaptation, task: Task, checkpoint: Model, count: CountTokens
) -> list[int]:
    """Tokens of what should be written, with the end; the most that may be where no row says it
    (programs, where none are given)."""
    rows = (task.train or task.test)[:LOOKED_AT]
    texts = [text for row in rows if (text := adaptation.wanted(row)) is not None]
    most = adaptation.sampling.max_new_tokens
    if not texts:
        return [most]
    return [min(n + 1, most) for n in count(checkpoint, [Prompt(text, ()) for text in texts])]


def cost_order(plan: Plan, predictions: Sequence[Prediction]) -> list[str]:
    """Names of the rungs, the cheapest at the user's traffic first; unknown costs come first too,
    since a file of outputs costs nothing to look at, and an endpoint needs no building. Where no
    time is known, fewer tokens are cheaper.
    """

    def rank(prediction: Prediction) -> tuple[float, float]:
        total = prediction.total(plan.requests)
        tokens = (prediction.tokens_in or 0.0) + (prediction.tokens_out or 0.0)
        return (-1.0, tokens) if total is None else (total, 0.0)

    return [prediction.name for prediction in sorted(predictions, key=rank)]
