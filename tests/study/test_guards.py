"""Forgetting, measured by the study: who is asked what, the bound, and who is refused."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import ClassVar

import numpy as np
import pytest

from stepladder import registry
from stepladder.adaptation import Adaptation
from stepladder.engines.fake import FakeEngine
from stepladder.errors import EngineError, LedgerError, MetricError, RungError
from stepladder.ledger import Ledger
from stepladder.records import Capabilities, Checkpoint, FitSettings, LogLikelihood
from stepladder.statistics import guard_level, mean_bound
from stepladder.study import Study, Summary, load_summary
from stepladder.study.export import export
from stepladder.study.guards import rise_of
from stepladder.tasks import Guard, GuardTask, PlainText, Task

Make = Callable[..., Task]
TARGET = {"metric": "exact_match(case=yes)", "at_least": 0.8}
ITEMS = 200


@dataclass(frozen=True)
class Schooled:
    """Counts as training: new weights that know the task and have forgotten a share of the rest."""

    forgets: float = 0.0

    fills: ClassVar[str | None] = None
    requires: ClassVar[Capabilities] = Capabilities()

    def fit_settings(self) -> FitSettings:
        return FitSettings()

    def adapt(self, base: Adaptation, *_: object) -> Adaptation:
        checkpoint = replace(base.checkpoint, fingerprint=f"forgets {self.forgets}")
        return replace(base, checkpoint=checkpoint)


@pytest.fixture(autouse=True)
def schooled(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    module = ModuleType("schooled_method")
    module.Schooled = Schooled  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "schooled_method", module)
    monkeypatch.setitem(registry.BUILT_IN["methods"], "schooled", "schooled_method:Schooled")  # type: ignore[arg-type]
    registry.names.cache_clear()
    yield
    registry.names.cache_clear()


class Model(FakeEngine):
    """Knows the guard task by heart and the task once it was taught; notes what it was asked."""

    def __init__(self, checkpoint: Checkpoint, asked: list[tuple[str, str]]) -> None:
        self.forgets = None
        if checkpoint.fingerprint.startswith("forgets"):
            self.forgets = float(checkpoint.fingerprint.split()[1])
        self.log = asked
        super().__init__(self.reply, name=checkpoint.fingerprint)
        self.fingerprint = checkpoint.fingerprint

    def reply(self, prompt: str) -> str:
        self.log.append((self.fingerprint, prompt))
        word = prompt.rsplit("Input: ", 1)[1].removesuffix("\nOutput:")
        if prompt.startswith("Say it again."):
            number = int(word.removeprefix("word"))
            return " ?" if number < (self.forgets or 0.0) * ITEMS else f" {word}"
        return f" {word.upper()}" if self.forgets is not None else f" {word}"

    def log_likelihood(self, pairs):  # type: ignore[no-untyped-def]
        worse = 2.0 if self.forgets else 1.0
        return [LogLikelihood(-worse * len(text.encode()), len(text), False) for _, text in pairs]


@pytest.fixture
def guarded(make_task: Make) -> Callable[..., Task]:
    def make(max_drop: float | None = 0.1, items: int = ITEMS, **settings: object) -> Task:
        rows = [{"word": f"word{i}", "same": f"word{i}"} for i in range(items)]
        guard = Task.from_rows(
            {"test": rows, "train": [{"word": "a", "same": "a"}, {"word": "b", "same": "b"}]},
            name="echo",
            input="word",
            references="same",
            instruction="Say it again.",
            metrics=["exact_match"],
        )
        settings = {"target": TARGET, "rungs": ["zero-shot", "schooled"]} | settings
        held = Guard((GuardTask(guard, max_drop),), PlainText("held.txt", ("one two", "three")))
        return replace(make_task(**settings), guard=held)

    return make


Climb = Callable[..., Summary]


@pytest.fixture
def asked() -> list[tuple[str, str]]:
    return []


@pytest.fixture
def climb(checkpoint: Checkpoint, tmp_path: Path, asked: list[tuple[str, str]]) -> Climb:
    def climbed(task: Task, **settings: object) -> Summary:
        study = Study(task, [checkpoint], name="s", ledger=tmp_path / "l.db", **settings)  # type: ignore[arg-type]
        return study.climb(open_engine=lambda model: Model(model, asked))

    return climbed


def guard_prompts(asked: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(model, prompt) for model, prompt in asked if prompt.startswith("Say it again.")]


def test_a_rung_that_forgets_is_refused_and_the_next_one_is_climbed(
    guarded: Make, climb: Climb
) -> None:
    rungs = ["zero-shot", "schooled(forgets=0.3)", "schooled(forgets=0.0)"]
    summary = climb(guarded(rungs=rungs))
    zero, forgetful, faithful = summary.rungs
    assert (summary.verdict.kind, summary.verdict.rung) == ("reached", "schooled(forgets=0.0)")
    assert "schooled(forgets=0.3) is refused: on echo it falls by 30.0 points" in (
        summary.verdict.sentence
    )
    assert zero.forgetting is None
    assert forgetful.forgetting is not None
    assert faithful.forgetting is not None
    (drop,) = forgetful.forgetting.guards
    assert (drop.before, drop.after, drop.n, drop.max_drop) == (1.0, 0.7, ITEMS, 0.1)
    assert drop.drop == pytest.approx(0.3)
    assert drop.low is not None
    assert drop.high is not None
    assert drop.low < 0.3 < drop.high
    assert faithful.forgetting.refusal is None
    assert summary.race is not None
    left = {d.rung: (d.kind, d.items) for d in summary.race.departures}
    assert left["schooled(forgets=0.3)"] == ("refused", 10)
    assert Summary.from_json(summary.as_json()) == summary


def test_the_bound_is_that_of_the_verdict_shared_over_rungs_and_guards(
    guarded: Make, climb: Climb
) -> None:
    summary = climb(guarded(rungs=["zero-shot", "schooled(forgets=0.05)"]), go_on=True)
    forgetting = summary.rungs[1].forgetting
    assert forgetting is not None
    (drop,) = forgetting.guards
    assert guard_level(2, 1) == pytest.approx(0.025)
    lost = np.zeros(ITEMS)
    lost[:10] = 1
    # The order of the items is a draw, so the bound is that of some order of ten losses.
    bounds = [
        mean_bound(np.random.default_rng(i).permutation(lost), alpha=0.025, side="upper", low=-1.0)
        for i in range(40)
    ]
    assert drop.most is not None
    assert min(bounds) <= drop.most <= max(bounds)
    assert forgetting.refusal is not None
    assert "may have fallen by up to" in forgetting.refusal
    assert "guard items would tell" in forgetting.refusal


def test_too_few_items_to_tell_refuse_a_rung_that_lost_nothing(guarded: Make, climb: Climb) -> None:
    summary = climb(guarded(items=20, max_drop=0.05))
    assert summary.verdict.rung is None
    refusal = summary.rungs[1].forgetting and summary.rungs[1].forgetting.refusal
    assert refusal is not None
    assert "20 items are too few to show a drop within 5.0 points" in refusal
    assert "100.0 before and 100.0 after" in refusal


def test_without_max_drop_it_is_measured_and_nobody_is_refused(guarded: Make, climb: Climb) -> None:
    summary = climb(guarded(None, rungs=["zero-shot", "schooled(forgets=0.5)"]))
    assert summary.verdict.rung == "schooled(forgets=0.5)"
    assert summary.rungs[1].forgetting is not None
    assert summary.rungs[1].forgetting.guards[0].drop == pytest.approx(0.5)


def test_when_all_are_refused_none_is_named(guarded: Make, climb: Climb, tmp_path: Path) -> None:
    summary = climb(guarded(rungs=["schooled(forgets=0.5)"]))
    assert (summary.verdict.kind, summary.verdict.rung) == ("refused", None)
    assert summary.verdict.sentence.startswith("The rung is refused, so none is named. ")
    with pytest.raises(LedgerError, match="refused every rung for what it forgets, so it has no"):
        export(tmp_path / "l.db", "s", tmp_path / "winner")


def test_without_a_target_the_others_are_compared_among_themselves(
    guarded: Make, climb: Climb
) -> None:
    rungs = ["zero-shot", "few-shot(3)", "schooled(forgets=0.3)"]
    summary = climb(guarded(target=None, margin=0.2, rungs=rungs))
    assert summary.verdict.kind == "good-enough"
    assert summary.verdict.rung == "zero-shot"  # the two that train nothing answer alike
    assert "schooled(forgets=0.3) is refused" in summary.verdict.sentence


def test_no_guard_is_asked_where_nothing_is_trained(
    guarded: Make, climb: Climb, asked: list[tuple[str, str]]
) -> None:
    climb(guarded(rungs=["zero-shot", "one-shot"]))
    assert asked
    assert guard_prompts(asked) == []


def test_answers_of_guards_are_kept(
    guarded: Make,
    climb: Climb,
    asked: list[tuple[str, str]],
    checkpoint: Checkpoint,
    tmp_path: Path,
) -> None:
    task = guarded(rungs=["schooled(forgets=0.3)", "schooled(forgets=0.0)"])
    first = climb(task, go_on=True)
    models = [model for model, _ in guard_prompts(asked)]
    assert {model: models.count(model) for model in set(models)} == {
        checkpoint.fingerprint: ITEMS,
        "forgets 0.3": ITEMS,
        "forgets 0.0": ITEMS,
    }
    # The task's own prompter is not there, and the guard's instruction is.
    assert {prompt.count("Output:") for _, prompt in guard_prompts(asked)} == {1}
    asked.clear()
    again = climb(task, go_on=True)
    assert asked == []
    assert again.rungs == first.rungs
    with Ledger.open(tmp_path / "l.db") as ledger:
        events = [e.payload for e in ledger.study("s").events("guard-answers")]
        texts = [e.payload for e in ledger.study("s").events("guard-text")]
    assert [len(e["answers"]) for e in events] == [ITEMS] * 3
    assert len(texts) == 3
    assert load_summary(tmp_path / "l.db", "s").rungs == first.rungs


def test_a_guard_may_be_asked_with_demonstrations_of_its_own(
    guarded: Make, climb: Climb, asked: list[tuple[str, str]]
) -> None:
    task = guarded()
    assert task.guard is not None
    shown = replace(task.guard.tasks[0], rung="few-shot(2)")
    climb(replace(task, guard=replace(task.guard, tasks=(shown,))))
    assert {prompt.count("Output:") for _, prompt in guard_prompts(asked)} == {3}


def test_answers_that_the_machine_owes_count_against_the_rung(
    guarded: Make, checkpoint: Checkpoint, tmp_path: Path, asked: list[tuple[str, str]]
) -> None:
    class Failing(Model):
        down = True

        def reply(self, prompt: str) -> str:
            if self.down and self.forgets is not None and prompt.endswith("word7\nOutput:"):
                raise EngineError("it is down")
            return super().reply(prompt)

    study = Study(guarded(), [checkpoint], ledger=tmp_path / "l.db")
    summary = study.climb(open_engine=lambda model: Failing(model, asked))
    forgetting = summary.rungs[1].forgetting
    assert forgetting is not None
    (drop,) = forgetting.guards
    assert drop.before == 1.0
    assert (drop.after, drop.drop, drop.low) == (None, None, None)
    assert drop.missing > 0
    assert "answers are missing" in (forgetting.refusal or "")
    Failing.down = False
    summary = study.climb(open_engine=lambda model: Failing(model, asked))
    assert summary.verdict.rung == "schooled"


def test_text_in_bits_per_byte() -> None:
    before = {"nats": [7 * math.log(2), 5 * math.log(2)], "bytes": [7, 5]}
    after = {"nats": [14 * math.log(2), 10 * math.log(2)], "bytes": [7, 5]}
    rise = rise_of("t", before, after)
    assert (rise.before, rise.after, rise.rise) == pytest.approx((1.0, 2.0, 1.0))
    assert (rise.pieces, rise.bytes) == (2, 12)


def test_what_the_text_costs_is_in_the_summary(guarded: Make, climb: Climb) -> None:
    forgetting = climb(guarded(rungs=["schooled(forgets=0.3)"])).rungs[0].forgetting
    assert forgetting is not None
    assert forgetting.text is not None
    assert forgetting.text.rise == pytest.approx(1 / math.log(2))


def test_what_cannot_be_a_guard_is_refused_before_anything_is_spent(
    guarded: Make, checkpoint: Checkpoint, tmp_path: Path
) -> None:
    def study(task: Task) -> Study:
        return Study(task, [checkpoint], ledger=tmp_path / "l.db")

    with pytest.raises(MetricError, match=r"guard echo: max_drop is 5, .* write 0\.05 for 5"):
        study(guarded(max_drop=5))
    task = guarded()
    assert task.guard is not None
    for rung, message in (("schooled", "is built"), ("few-shot(9)", "needs 9 training rows")):
        changed = replace(task.guard.tasks[0], rung=rung)
        with pytest.raises(RungError, match=message):
            study(replace(task, guard=replace(task.guard, tasks=(changed,))))
    assert not (tmp_path / "l.db").exists()
