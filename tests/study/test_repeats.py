"""Further seeds beside the verdict: what is repeated, what it says, and that it changes nothing."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import ClassVar

import pytest

from stepladder import registry
from stepladder.adaptation import Adaptation
from stepladder.checkpoints import resolve
from stepladder.contracts import Workbench
from stepladder.engines.fake import FakeEngine
from stepladder.errors import RungError, TaskError
from stepladder.ledger import Ledger
from stepladder.records import Capabilities, Checkpoint, Endpoint, FitSettings, Prompt, Sampling
from stepladder.study import Study, Summary, load_summary
from stepladder.study.card import model_card
from stepladder.study.check import foresee
from stepladder.study.draws import draws
from stepladder.study.plan import make_plan
from stepladder.study.spread import RungSpread
from stepladder.tasks import Task

Make = Callable[..., Task]
TARGET = {"metric": "exact_match(case=yes)", "at_least": 0.5}
SHARES = {0: 0.9, 1: 0.3, 2: 0.9}
"""How many of a hundred words a training of this seed can write."""


@dataclass(frozen=True)
class Schooled:
    """Counts as training: new weights, whose name says how much of the task they know."""

    level: float = 0.0
    """Added to what the seed gives."""

    fills: ClassVar[str | None] = None
    requires: ClassVar[Capabilities] = Capabilities()

    def fit_settings(self) -> FitSettings:
        return FitSettings()

    def adapt(self, base: Adaptation, _: object, __: object, bench: Workbench) -> Adaptation:
        known = f"{SHARES[bench.seed] + self.level:.2f} seed {bench.seed}"
        return replace(base, checkpoint=replace(base.checkpoint, fingerprint=known))


@dataclass(frozen=True)
class Whim:
    """A prompting method of somebody's that draws its instruction."""

    fills: ClassVar[str | None] = "instruction"
    requires: ClassVar[Capabilities] = Capabilities()

    def adapt(self, base: Adaptation, _: object, __: object, bench: Workbench) -> Adaptation:
        asked = f"Please, and {bench.seed} times."
        return replace(base, prompter=replace(base.prompter, instruction=asked))


@pytest.fixture(autouse=True)
def methods(monkeypatch: pytest.MonkeyPatch) -> Iterable[None]:
    module = ModuleType("methods_by_seed")
    module.Schooled, module.Whim = Schooled, Whim  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "methods_by_seed", module)
    for name, attribute in (("schooled", "Schooled"), ("whim", "Whim")):
        built_in = registry.BUILT_IN["methods"]
        monkeypatch.setitem(built_in, name, f"methods_by_seed:{attribute}")  # type: ignore[arg-type]
    registry.names.cache_clear()
    yield
    registry.names.cache_clear()


def open_schooled(checkpoint: Checkpoint) -> FakeEngine:
    """Writes the first of every ten words loud, as many as the weights know; no demonstration
    helps."""
    name = checkpoint.fingerprint
    share = float(name.split()[0]) if "seed" in name else 0.0

    def answer(prompt: str) -> str:
        word = prompt.rsplit("Input: ", 1)[1].removesuffix("\nOutput:")
        return f" {word.upper()}" if int(word[-1]) < 10 * share else f" {word}"

    return FakeEngine(answer, name=name)


@pytest.fixture
def climb(make_task: Make, checkpoint: Checkpoint, tmp_path: Path) -> Callable[..., Summary]:
    def climbs(
        rungs: list[str], open_engine: Callable = open_schooled, **settings: object
    ) -> Summary:
        task = make_task(**settings)
        study = Study(task, [checkpoint], rungs, name="s", ledger=tmp_path / "ledger.db")
        return study.climb(open_engine=open_engine)

    return climbs


def values(summary: Summary) -> dict[str, tuple[float | None, ...]]:
    assert summary.spread is not None
    return {row.rung: row.values for row in summary.spread.rungs}


def test_the_winner_and_its_closest_rival_are_repeated_on_their_own_items(
    climb: Callable[..., Summary], tmp_path: Path
) -> None:
    plain = climb(["zero-shot", "one-shot", "schooled"], target=TARGET)
    again = climb(["zero-shot", "one-shot", "schooled"], target=TARGET, seeds=3)
    assert plain.spread is None and again.spread is not None
    assert again.verdict == plain.verdict and again.verdict.rung == "schooled"
    assert (again.rungs, again.comparisons) == (plain.rungs, plain.comparisons)
    assert again.spread.seeds == (0, 1, 2)
    one, schooled = again.spread.rungs
    # Zero-shot is as near to the target, and draws nothing.
    assert (one.rung, one.values) == ("one-shot", (0.0, 0.0, 0.0))
    assert one.items == plain.rungs[1].metrics[plain.deciding].n < 120
    assert (
        schooled.rung == "schooled" and schooled.items == plain.rungs[2].metrics[plain.deciding].n
    )
    first, low, third = schooled.values
    assert first == third == plain.rungs[2].metrics[plain.deciding].value
    assert low is not None and first is not None and low < 0.5 < first
    assert (schooled.low, schooled.high) == (low, first)
    assert schooled.mean == pytest.approx((2 * first + low) / 3)
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        events = list(ledger.study("s").events("generation"))
    asked = {e.payload["id"] for e in events if e.payload["rung"] == "schooled"}
    repeated = {e.payload["id"] for e in events if e.payload["rung"] == "schooled (seed 2)"}
    assert asked == repeated and len(asked) == schooled.items


def test_a_spread_beyond_the_distance_to_the_target_is_named_and_what_it_is_not_is_said(
    climb: Callable[..., Summary],
) -> None:
    spread = climb(["zero-shot", "schooled"], target=TARGET, seeds=3).spread
    assert spread is not None
    (warning,) = spread.warnings
    assert warning.startswith("The 3 builds of schooled lie ")
    assert "between the first of them and the target: 2 of 3 come to" in warning
    said = " ".join(spread.sentences)
    assert "A spread of 3 builds, of seeds 0, 1 and 2, on the same items" in said
    assert "no interval of the population" in said and "the first build alone" in said
    assert "Another seed changes neither weights nor prompts of zero-shot" in said


def test_a_spread_within_the_distance_that_decided_warns_of_nothing(
    make_task: Make, checkpoint: Checkpoint, open_fake: Callable, tmp_path: Path
) -> None:
    task = make_task(target=TARGET, seeds=2)
    study = Study(task, [checkpoint], ["one-shot"], ledger=tmp_path / "ledger.db")
    spread = study.climb(open_engine=open_fake).spread
    assert spread is not None and spread.warnings == ()
    assert spread.rungs[0].values == (1.0, 1.0)


def test_where_lower_is_better_the_other_side_of_the_target_is_counted(
    climb: Callable[..., Summary],
) -> None:
    def open_engine(checkpoint: Checkpoint) -> FakeEngine:
        writes = open_schooled(checkpoint)._look_up
        return FakeEngine(
            lambda prompt: text if (text := writes(prompt)).isupper() else " nothing",
            name=checkpoint.fingerprint,
        )

    target = {"metric": "ter", "at_most": 50}
    summary = climb(["schooled"], open_engine, target=target, metrics=["ter"], seeds=3)
    assert summary.verdict.kind == "reached" and summary.spread is not None
    assert summary.spread.rungs[0].low == summary.spread.rungs[0].values[0] < 50  # type: ignore[operator]
    (warning,) = summary.spread.warnings
    assert warning.endswith("2 of 3 come to ter 50.0 or better on these items.")


def test_without_a_target_what_the_winner_had_to_spare_decides(
    climb: Callable[..., Summary],
) -> None:
    """schooled is 90 of a hundred, schooled(level=-0.3) 60; the second seed takes 60 off both."""
    rungs = ["zero-shot", "schooled", "schooled(level=-0.3)"]
    summary = climb(rungs, seeds=3, margin=0.05)
    assert summary.verdict.rung == "schooled" and summary.spread is not None
    assert values(summary).keys() == {"schooled", "schooled(level=-0.3)"}
    (warning,) = summary.spread.warnings
    assert "that schooled(level=-0.3) would have had to gain on schooled" in warning
    assert "schooled is ahead or within 5.0 points in 3 of 3." in warning


def test_a_rung_that_had_left_and_is_not_the_closest_is_not_repeated_and_that_is_said(
    climb: Callable[..., Summary],
) -> None:
    rungs = ["schooled", "schooled(level=-0.3)", "schooled(level=-0.6)"]
    spread = climb(rungs, seeds=2, margin=0.05).spread
    assert spread is not None and len(spread.rungs) == 2
    line = "Refused or out of the race before its end, not repeated: schooled(level=-0.6)."
    assert line in spread.sentences


def test_the_bill_is_the_spread_s_own_and_running_again_asks_nothing(
    climb: Callable[..., Summary], tmp_path: Path
) -> None:
    rungs = ["zero-shot", "schooled"]
    alone = climb(rungs, target=TARGET)
    first = climb(rungs, target=TARGET, seeds=3)
    assert first.spread is not None
    items = first.spread.rungs[-1].items
    assert (first.spread.trainings, first.spread.requests) == (2, 2 * items)
    assert [r.cost for r in first.rungs] == [r.cost for r in alone.rungs]
    assert first.provenance["work in the last run"]["requests asked"] == 2 * items
    assert f"took 2 trainings and {2 * items} requests, 0 s in all" in first.spread.sentences[-1]
    assert "on no rung's bill" in first.spread.sentences[-1]
    again = climb(rungs, target=TARGET, seeds=3)
    assert again.provenance["work in the last run"]["requests asked"] == 0
    assert again.spread == first.spread
    more = climb(rungs, target=TARGET, seeds=2)
    assert more.provenance["work in the last run"]["requests asked"] == 0
    kept = load_summary(tmp_path / "ledger.db", "s")
    assert json.loads(json.dumps(kept.as_json())) == json.loads(json.dumps(more.as_json()))
    assert kept.spread == more.spread


def test_a_study_of_another_seed_shares_the_answers(
    make_task: Make, checkpoint: Checkpoint, tmp_path: Path
) -> None:
    ledger = tmp_path / "ledger.db"
    task = make_task(target=TARGET, seeds=2)
    Study(task, [checkpoint], ["schooled"], ledger=ledger).climb(open_engine=open_schooled)
    other = Study(replace(task, seed=1, seeds=1), [checkpoint], ["schooled"], go_on=True,
                  ledger=ledger)  # fmt: skip
    asked = other.climb(open_engine=open_schooled).provenance["work in the last run"]
    assert asked["requests asked"] < 120


def test_killed_among_the_repeats_the_verdict_is_there_and_the_same_climb_goes_on(
    climb: Callable[..., Summary], tmp_path: Path
) -> None:
    class Interrupted(FakeEngine):
        def generate(self, prompts: list[Prompt], sampling: Sampling):  # type: ignore[no-untyped-def]
            for completion in super().generate(prompts, sampling):
                if self.asked == 7:
                    raise KeyboardInterrupt
                yield completion

    def dying(checkpoint: Checkpoint) -> FakeEngine:
        engine = open_schooled(checkpoint)
        if not checkpoint.fingerprint.endswith("seed 2"):
            return engine
        return Interrupted(engine._look_up, name=checkpoint.fingerprint)

    rungs = ["zero-shot", "schooled"]
    with pytest.raises(KeyboardInterrupt):
        climb(rungs, dying, target=TARGET, seeds=3)
    kept = load_summary(tmp_path / "ledger.db", "s")
    assert kept.verdict.rung == "schooled" and kept.spread is None
    ended = climb(rungs, target=TARGET, seeds=3)
    assert ended.verdict == kept.verdict and ended.spread is not None
    items = ended.spread.rungs[-1].items
    assert ended.provenance["work in the last run"]["requests asked"] == items - 6


def test_what_the_machine_owes_and_what_cannot_be_built_has_no_value_and_says_so(
    climb: Callable[..., Summary],
) -> None:
    def failing(checkpoint: Checkpoint) -> FakeEngine:
        engine = open_schooled(checkpoint)
        engine._fail_after = 3 if checkpoint.fingerprint.endswith("seed 1") else None
        return engine

    down = climb(["schooled"], failing, target=TARGET, seeds=3).spread
    assert down is not None
    (row,) = down.rungs
    assert row.values[1] is row.mean is row.low is row.high is None
    assert row.values[0] == row.values[2] is not None and down.warnings == ()
    owed = f"schooled (seed 1) is owed {row.items - 3} answers; run the same climb again"
    assert any(line.startswith(owed) for line in down.sentences)
    up = climb(["schooled"], target=TARGET, seeds=3)
    assert up.spread is not None and None not in up.spread.rungs[0].values
    assert up.provenance["work in the last run"]["requests asked"] == row.items - 3


def test_what_draws(make_task: Make, tiny_llama: Path) -> None:
    model = resolve(str(tiny_llama))
    rungs = {
        "zero-shot": False,
        "one-shot": True,
        "few-shot(3)": True,
        "few-shot(3, seed=7)": False,
        "few-shot(3, nearest=bm25)": False,
        "few-shot(20)": True,  # all rows, in another order
        "decoding(temperature=0|0.7)": False,
        "few-shot(3, nearest=bm25) + decoding(beams=4)": False,
        "few-shot(2) + decoding(beams=4)": True,
        "whim": True,
        "schooled": True,
        "few-shot(3, seed=7) + schooled": True,
        "features": False,  # texts: the nearest row, which nothing draws
    }
    task = make_task(rungs=list(rungs), seeds=2)
    plan = make_plan(task, [model])
    assert {p.name: draws(p, task) for p in plan.rungs} == rungs
    rows = tuple(replace(row, references=(str(i),)) for i, row in enumerate(task.train))
    sums = replace(task, train=rows)
    assert draws(make_plan(sums, [model], ["features"]).rungs[0], sums)  # the folds it chooses by


def test_seeds_that_could_repeat_nothing_are_refused(
    make_task: Make, checkpoint: Checkpoint, tmp_path: Path
) -> None:
    endpoint = Endpoint("far", "http://127.0.0.1:9/v1", Capabilities(), reported="m")
    for model in (checkpoint, endpoint):
        with pytest.raises(RungError, match="no rung trains or draws its demonstrations") as told:
            Study(make_task(seeds=3), [model], ["zero-shot", "few-shot(2, nearest=bm25)"],
                  ledger=tmp_path / "l.db")  # fmt: skip
        assert "(zero-shot, few-shot(2, nearest=bm25))" in str(told.value)
        Study(make_task(seeds=3), [model], ["zero-shot", "one-shot"], ledger=tmp_path / "l.db")
    with pytest.raises(TaskError, match="seeds is 0; give how many"):
        Study(replace(make_task(), seeds=0), [checkpoint], ["one-shot"])
    for wrong in (0, -1, "three", 1.5, True):
        with pytest.raises(TaskError, match="seeds: a whole number of 1 or more is expected"):
            make_task(seeds=wrong)
    assert not (tmp_path / "l.db").exists()


def test_check_counts_what_further_seeds_would_cost_at_most(
    make_task: Make, tiny_llama: Path, tmp_path: Path
) -> None:
    rungs = ["zero-shot", "one-shot", "schooled", "few-shot(2) + decoding(temperature=0|0.7, n=5)"]
    task = make_task(rungs=rungs, seeds=3)
    plan = make_plan(task, [resolve(str(tiny_llama))])
    found = foresee(plan, tmp_path / "none.db").repeats
    assert found is not None
    assert (found.rungs, found.unmoved) == (tuple(rungs[1:]), ("zero-shot",))
    assert found.trainings == 2
    assert found.requests == 2 * (3 * 120 + (1 + 5) * 5)  # greedy once, drawn five times
    predictions = {p.name: p for p in foresee(plan, tmp_path / "none.db").predictions}
    assert found.seconds == pytest.approx(2 * sum(predictions[r].total(120) for r in rungs[1:]))
    alone = make_plan(replace(task, seeds=1), [resolve(str(tiny_llama))])
    assert foresee(alone, tmp_path / "none.db").repeats is None


def test_the_number_of_seeds_is_no_other_study(make_task: Make, checkpoint: Checkpoint) -> None:
    one, three = (Study(make_task(seeds=n), [checkpoint], ["one-shot"]) for n in (1, 3))
    assert (one.name, one.plan.settings()) == (three.name, three.plan.settings())


def test_a_card_says_how_far_other_builds_came(climb: Callable[..., Summary]) -> None:
    summary = climb(["schooled"], target=TARGET, seeds=3)
    assert summary.spread is not None
    (row,) = summary.spread.rungs
    base = Checkpoint("fake", Path(), "0" * 64, Capabilities())
    card = model_card(summary, summary.rungs[0], base)
    assert f"3 builds that differ in their seed came to {100 * (row.low or 0):.1f} to " in card
    assert "differ in their seed" not in model_card(
        replace(summary, spread=None), summary.rungs[0], base
    )


def test_a_spread_with_a_hole_has_no_ends() -> None:
    whole, hole = RungSpread.of("a", 9, [0.5, 0.25]), RungSpread.of("a", 9, [0.5, None])
    assert (whole.mean, whole.low, whole.high) == (0.375, 0.25, 0.5)
    assert (hole.mean, hole.low, hole.high) == (None, None, None)


def test_real_trainings_of_two_seeds_and_those_of_a_study_of_another_seed_are_the_same(
    make_task: Make, tiny_llama: Path, tmp_path: Path
) -> None:
    lora, ledger = "lora(rank=2, epochs=1)", tmp_path / "ledger.db"
    task = make_task(test=12, seeds=2, metrics=["token_f1"])
    study = Study(task, [str(tiny_llama)], ["zero-shot", lora], name="s", ledger=ledger)
    first = study.climb()
    assert first.spread is not None
    (row,) = first.spread.rungs
    assert row.rung == lora and None not in row.values and row.values[0] == first.rungs[1].metrics[
        first.deciding
    ].value  # fmt: skip
    assert first.provenance["work in the last run"]["trainings"] == 2
    assert (first.spread.trainings, first.spread.requests) == (1, row.items)
    assert first.spread.seconds is not None and first.spread.seconds > 0
    with Ledger.open(ledger) as opened:
        builds = {b["recipe"]["seed"]: b["fingerprint"] for b in opened.builds().values()}
    assert sorted(builds) == [0, 1] and len(set(builds.values())) == 2
    again = study.climb()
    assert again.spread == first.spread
    work = again.provenance["work in the last run"]
    assert (work["requests asked"], work["trainings"]) == (0, 0)
    other = Study(replace(task, seed=1, seeds=1), [str(tiny_llama)], [lora], ledger=ledger)
    assert other.climb().provenance["work in the last run"]["trainings"] == 0
