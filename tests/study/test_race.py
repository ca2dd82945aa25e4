"""The race: who is asked how much, who is built, by which evidence; and that it can be repeated."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import ClassVar

import numpy as np
import pytest

from stepladder import registry
from stepladder.adaptation import Adaptation
from stepladder.engines.fake import FakeEngine
from stepladder.records import Capabilities, Checkpoint, Example, FitSettings
from stepladder.statistics import mean_bound
from stepladder.study import Silent, Study, load_summary
from stepladder.study.calibration import Mean
from stepladder.study.card import model_card
from stepladder.study.evidence import Extent, Measured
from stepladder.study.race import Course, Race, Rules, Runner
from stepladder.study.shards import item_order, shard_ends
from stepladder.study.watch import Standing
from stepladder.tasks import Task

Make = Callable[..., Task]
TARGET = {"metric": "exact_match(case=yes)", "at_least": 0.8}


def answers(share: float, items: int = 200, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng([seed, int(1000 * share)]).random((items, 1)) < share) * 1.0


def evenly(share: float, items: int = 200) -> np.ndarray:
    """So many right, as evenly spread as can be."""
    right = np.floor(np.arange(1, items + 1) * share + 1e-9)
    return np.diff(right, prepend=0.0)[:, None]


@dataclass
class Simulated:
    """Rungs whose answers are given; remembers what they were asked."""

    rows: dict[str, np.ndarray]
    trains: Sequence[str] = ()
    free: Sequence[str] = ()
    broken: Sequence[str] = ()
    turns: list[tuple[str, int]] = field(default_factory=list)

    def race(self, target: float | None = None, **settings: float) -> Race:
        items = len(next(iter(self.rows.values())))
        extent = Extent.of(items)
        rules = Rules(
            Mean(), target, settings.pop("margin", 0.01), len(self.rows), 0.05, **settings
        )
        runners = [Runner(n, n, n in self.trains, n in self.free) for n in self.rows]
        race = Race(runners, rules, Course(extent, shard_ends(extent, corpus=False)))
        race.run(self.advance, lambda departure: None)
        return race

    def advance(self, name: str, until: int) -> Measured | None:
        self.turns.append((name, until))
        if name in self.broken:
            return None
        rows = self.rows[name][:until]
        return Measured(name, rows, rows, rows, None if name in self.free else 1.0)


def test_a_costlier_rung_is_neither_built_nor_asked_on_once_a_cheaper_one_reaches_the_target() -> (
    None
):
    field = Simulated({"a": answers(0.3), "b": answers(0.95), "c": answers(0.9), "d": answers(1)})
    field.trains = ["d"]
    race = field.race(target=0.7)
    kinds = {name: d.kind for name, d in race.departures.items()}
    assert kinds == {"a": "missed", "b": "won", "c": "over", "d": "left out"}
    assert race.departures["a"].items < 60 and race.departures["b"].items < 100
    assert race.departures["c"].items == 10 and "d" not in {name for name, _ in field.turns}


def test_the_table_has_every_prompting_rung_before_any_is_asked_on_and_before_any_training() -> (
    None
):
    for target in (0.7, None):
        field = Simulated({"a": answers(0.5), "tuned": answers(0.9), "b": answers(0.6)})
        field.trains = ["tuned"]
        field.race(target=target)
        assert field.turns[:2] == [("a", 10), ("b", 10)]


def test_a_training_waits_until_every_cheaper_rung_is_decided_or_has_no_items_left() -> None:
    field = Simulated({"a": evenly(0.71), "tuned": answers(0.95), "dear": answers(0.95)})
    field.trains = ["tuned"]
    race = field.race(target=0.7)
    first = field.turns.index(("tuned", 10))
    assert ("a", 200) in field.turns[:first]
    assert race.departures["tuned"].kind == "won" and "a" not in race.departures


def test_a_rung_is_left_where_its_remaining_items_cannot_make_it_the_answer() -> None:
    race = Simulated({"a": evenly(0.66), "b": answers(0.99)}).race(target=0.7)
    left = race.departures["a"]
    assert left.kind == "hopeless" and "cannot make it the answer" in left.evidence
    right = evenly(0.66)[: left.items].sum()
    assert right + 200 - left.items < 140 and left.items == 178
    assert race.departures["b"].kind == "won"


def test_where_all_others_miss_it_the_hopeless_are_asked_on() -> None:
    """Only then can it be claimed that no rung reaches the target."""
    field = Simulated({"a": evenly(0.66), "b": answers(0.3)})
    race = field.race(target=0.7)
    assert field.turns[-1] == ("a", 200) and race.departures["b"].kind == "missed"
    open_too = Simulated({"a": evenly(0.66), "b": evenly(0.71)})
    race = open_too.race(target=0.7)
    assert race.departures["a"].kind == "hopeless" and ("a", 200) not in open_too.turns


def test_without_a_target_the_worse_leave_and_the_cheapest_that_none_beats_has_won() -> None:
    rows = {"a": answers(0.2), "b": answers(0.9, seed=1), "tuned": answers(0.6)}
    field = Simulated(rows, trains=["tuned"])
    race = field.race()
    assert {n: d.kind for n, d in race.departures.items()} == {
        "a": "worse",
        "b": "won",
        "tuned": "over",
    }
    a = race.departures["a"]
    assert a.items < race.departures["b"].items < 200
    assert "than b on" in a.evidence and f"{a.items} common items" in a.evidence
    lead = rows["a"][: a.items, 0] - rows["b"][: a.items, 0]
    level = 0.05 / 6
    bound = mean_bound(lead, alpha=level, side="upper", low=-1.0, horizon=200)
    assert bound < -0.01
    before = [n for n in (10, 20, 30, 40, 50) if n < a.items]
    for n in before:
        bound = mean_bound(lead[:n], alpha=level, side="upper", low=-1.0, horizon=200)
        assert bound >= -0.01


def test_a_cheaper_rung_that_may_yet_be_good_enough_keeps_the_race_going() -> None:
    rows = {"a": evenly(0.7), "b": evenly(0.74)}
    assert not Simulated(rows).race(margin=0.02).departures
    # Right wherever a is, and in 8 of 100 beside: b is soon within 15 points of a, and even shown
    # to be better. The race waits for a, which comes to be shown within 15 points of b.
    a = evenly(0.7)
    b = a.copy()
    wrong = np.flatnonzero(a[:, 0] == 0)
    b[wrong[np.linspace(0, len(wrong) - 1, 16).astype(int)]] = 1.0
    race = Simulated({"a": a, "b": b}).race(margin=0.15)
    assert race.departures["a"].kind == "won" and race.departures["a"].items > 100
    wide = Simulated({"a": evenly(0.7), "b": evenly(0.74)}).race(margin=0.5)
    assert wide.departures["a"].kind == "won" and wide.departures["b"].kind == "over"


def test_all_asks_everything_and_so_does_a_rung_alone() -> None:
    race = Simulated({"a": answers(0.2), "b": answers(0.9)}).race(target=0.5, go_on=True)
    assert not race.departures
    assert {len(m.statistics) for m in race.measured.values()} == {200}
    alone = Simulated({"a": answers(0.9)})
    assert len(alone.race().measured["a"].statistics) == 200
    left = Simulated({"a": answers(0.9), "b": answers(0.5)}, broken=["b"]).race()
    assert len(left.measured["a"].statistics) == 200


def test_outputs_of_unknown_cost_end_no_race_and_are_compared_over_common_items() -> None:
    field = Simulated({"people": answers(1), "a": answers(0.95, seed=2)}, free=["people"])
    race = field.race(target=0.8)
    assert race.departures["a"].kind == "won" and field.turns[0] == ("people", 200)
    worse = Simulated({"people": answers(1), "a": answers(0.3)}, free=["people"]).race()
    assert worse.departures["a"].kind == "worse" and worse.departures["a"].items < 60


def test_rungs_of_one_engine_are_asked_together_and_the_open_engine_goes_on() -> None:
    runners = [Runner(n, e, False, False) for n, e in ["aX", "bY", "cX", "dY"]]
    rows = {runner.name: answers(0.5, seed=3) for runner in runners}
    field, extent = Simulated(rows), Extent.of(200)
    rules = Rules(Mean(), None, 0.01, 4, 0.05)
    Race(runners, rules, Course(extent, (10, 20, 30, 200))).run(field.advance, lambda d: None)
    assert "".join(name for name, _ in field.turns) == "acbd" + "bdac" + "acbd" + "bdac"


def test_the_order_of_asking_is_drawn_keeps_groups_and_follows_neither_file_nor_added_rows() -> (
    None
):
    items = [Example(f"i{n}", "x", ("y",), f"g{n % 7}") for n in range(50)]
    order = [items[place] for place in item_order(items, 0)]
    assert [e.id for e in order] == [
        e.id for e in (items[::-1][place] for place in item_order(items[::-1], 0))
    ]
    assert [e.id for e in order] != [e.id for e in (items[p] for p in item_order(items, 1))]
    groups = np.array([e.group for e in order])
    assert (groups[1:] != groups[:-1]).sum() == 6
    extent = Extent.of(50, groups)
    assert (extent.units, extent.largest) == (7, 8)
    for end in shard_ends(extent, corpus=False, groups=groups):
        assert end == 50 or groups[end] != groups[end - 1]
    assert shard_ends(Extent.of(200), corpus=True) == [10, 50, 100, 200]
    assert shard_ends(Extent.of(7), corpus=False) == [7]


# -- with a ledger


@dataclass(frozen=True)
class Schooled:
    """A method that counts as training and does nothing, but is seen to have been built."""

    fills: ClassVar[str | None] = None
    requires: ClassVar[Capabilities] = Capabilities()
    built: ClassVar[list[str]] = []

    def fit_settings(self) -> FitSettings:
        return FitSettings()

    def adapt(self, base: Adaptation, *_: object) -> Adaptation:
        self.built.append("schooled")
        return base


@pytest.fixture
def schooled(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    module = ModuleType("schooled_method")
    module.Schooled = Schooled  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "schooled_method", module)
    monkeypatch.setitem(registry.BUILT_IN["methods"], "schooled", "schooled_method:Schooled")  # type: ignore[arg-type]
    registry.names.cache_clear()
    Schooled.built.clear()
    yield Schooled.built
    registry.names.cache_clear()


def test_a_training_that_is_not_needed_is_not_run_and_counted_as_saved(
    make_task: Make,
    checkpoint: Checkpoint,
    open_fake: Callable,
    schooled: list[str],
    tmp_path: Path,
) -> None:
    task = make_task(target=TARGET, rungs=["zero-shot", "one-shot", "schooled"])
    summary = Study(task, [checkpoint], ledger=tmp_path / "l.db").climb(open_engine=open_fake)
    tuned = summary.rungs[2]
    assert (tuned.state, dict(tuned.metrics), schooled) == ("skipped", {}, [])
    race = summary.race
    assert race is not None and race.trainings_saved == 1
    assert race.requests + race.requests_saved == 360
    assert race.seconds_saved is not None and race.seconds_saved >= 12  # a training's start alone
    assert "1 training, predicted to take" in race.saved
    assert race.departures[-1].kind == "left out"
    assert "one-shot, predicted to cost less" in race.departures[-1].evidence


def test_the_card_of_a_rung_names_the_items_it_was_graded_on(
    make_task: Make, checkpoint: Checkpoint, open_fake: Callable, tmp_path: Path
) -> None:
    study = Study(make_task(target=TARGET), [checkpoint], ledger=tmp_path / "l.db")
    summary = study.climb(open_engine=open_fake)
    one = summary.rungs[1]
    n = one.metrics[summary.deciding].n
    card = model_card(summary, one, checkpoint)
    assert f"Graded on {n} of 120 items." in card
    rows = [row for row in card.splitlines() if row.startswith("| ")][1:]
    assert [row.split(" | ")[-1] for row in rows] == ["10 |", f"{n} |", "10 |"]

    named = replace(one, model="/data/nets/width-64")
    card = model_card(replace(summary, rungs=(named,)), named, checkpoint)
    assert f"{one.name} on width-64\n" in card
    assert 'base_model: "/data/nets/width-64"' in card


@pytest.mark.parametrize("target", [TARGET, None])
def test_a_killed_race_goes_on_to_the_same_decision(
    make_task: Make,
    checkpoint: Checkpoint,
    shown_how: Callable[[str], str],
    tmp_path: Path,
    target: dict[str, object] | None,
) -> None:
    """Killed after every seventh request, again and again, it takes the same turns to the end."""
    task = make_task(test=60, target=target)

    class Killed(FakeEngine):
        def generate(self, prompts, sampling):  # type: ignore[no-untyped-def]
            for completion in super().generate(prompts, sampling):
                yield completion
                if self.asked == 7:
                    raise KeyboardInterrupt

    def study(name: str) -> Study:
        return Study(task, [checkpoint], name="s", ledger=tmp_path / name)

    whole = study("whole.db").climb(open_engine=lambda c: FakeEngine(shown_how))
    for _ in range(60):
        try:
            killed = study("killed.db").climb(open_engine=lambda c: Killed(shown_how))
            break
        except KeyboardInterrupt:
            pass
    assert killed.verdict == whole.verdict
    assert killed.race is not None and whole.race is not None
    assert killed.race.departures == whole.race.departures
    assert killed.race.requests == whole.race.requests
    for one, other in zip(killed.rungs, whole.rungs, strict=True):
        assert (one.metrics, one.failures, one.lower) == (
            other.metrics,
            other.failures,
            other.lower,
        )


def test_an_unfinished_study_has_a_partial_table_in_the_ledger_and_on_the_screen(
    make_task: Make, checkpoint: Checkpoint, shown_how: Callable[[str], str], tmp_path: Path
) -> None:
    class Watching(Silent):
        seen: ClassVar[list[Sequence[Standing]]] = []

        def standings(self, standings: Sequence[Standing]) -> None:
            self.seen.append(standings)

    class Down(FakeEngine):
        def generate(self, prompts, sampling):  # type: ignore[no-untyped-def]
            if self.asked >= 30:
                raise KeyboardInterrupt
            yield from super().generate(prompts, sampling)

    study = Study(make_task(), [checkpoint], name="s", ledger=tmp_path / "l.db")
    with pytest.raises(KeyboardInterrupt):
        study.climb(Watching(), open_engine=lambda c: Down(shown_how))
    partial = load_summary(tmp_path / "l.db", "s", partial=True)
    assert partial.verdict.kind == "unfinished" and "partial" in partial.verdict.sentence
    assert partial.rungs[0].metrics[partial.deciding].n == 10
    assert {row.name: row.state for row in partial.rungs[1:]} == {
        "one-shot": "skipped",
        "few-shot(3)": "skipped",
    }
    race = partial.race  # nobody has left it, and whoever has not is not done
    assert race is not None and (race.requests_saved, race.saved) == (0, "")
    last = {row.rung: row for row in Watching.seen[-1]}
    assert last["zero-shot"] == Standing("zero-shot", 10, 120, 0.0, None)
    assert last["one-shot"].value == 100.0 and last["few-shot(3)"].items == 10
