from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import ClassVar

import pytest

from stepladder import registry
from stepladder.adaptation import Adaptation
from stepladder.engines.fake import FakeEngine
from stepladder.errors import LedgerError, RungError, TaskError, TrainingError
from stepladder.ledger import Ledger
from stepladder.records import Capabilities, Checkpoint, FitSettings
from stepladder.study import Study, Summary, load_summary
from stepladder.study.watch import Silent, Standing
from stepladder.tasks import Task

Make = Callable[..., Task]


def test_the_cheapest_rung_that_reaches_the_target_wins_and_costlier_ones_are_left_out(
    make_task: Make, checkpoint: Checkpoint, open_fake: Callable, tmp_path: Path
) -> None:
    task = make_task(target={"metric": "exact_match(case=yes)", "at_least": 0.8})
    study = Study(task, [checkpoint], ledger=tmp_path / "ledger.db")
    summary = study.climb(open_engine=open_fake)
    assert (summary.verdict.kind, summary.verdict.rung) == ("reached", "one-shot")
    states = {r.name: r.state for r in summary.rungs}
    assert states == dict.fromkeys(("zero-shot", "one-shot", "few-shot(3)"), "measured")
    zero, one, few = (rung.metrics[summary.deciding] for rung in summary.rungs)
    assert (zero.value, one.value) == (0.0, 1.0)
    # All three answer a first shard; one-shot alone is asked on, until it is shown to reach it.
    assert zero.n == few.n == 10 < one.n < 50
    assert summary.provenance["work in the last run"]["requests asked"] == 20 + one.n
    assert summary.race is not None
    assert [(d.rung, d.kind, d.items) for d in summary.race.departures] == [
        ("zero-shot", "missed", 10),
        ("one-shot", "won", one.n),
        ("few-shot(3)", "over", 10),
    ]
    assert summary.race.requests_saved == 360 - 20 - one.n
    assert f"({one.n} of 120 items)" in summary.verdict.sentence


@pytest.mark.parametrize(("at_least", "compared"), [(0.8, False), (None, True)])
def test_costs_are_compared_of_rungs_that_are_a_choice(
    make_task: Make,
    checkpoint: Checkpoint,
    open_fake: Callable,
    tmp_path: Path,
    at_least: float | None,
    compared: bool,
) -> None:
    """A rung that is shown to miss the target is none, however little it costs."""
    target = {"metric": "exact_match(case=yes)", "at_least": at_least}
    task = make_task(**({"target": target} if at_least else {}))
    study = Study(task, [checkpoint], ["zero-shot", "one-shot"], ledger=tmp_path / "l.db")
    crossover = study.climb(open_engine=open_fake).crossover
    assert (crossover is not None) is compared
    if crossover is not None:
        assert {crossover.first, crossover.second} == {"zero-shot", "one-shot"}


def test_that_rungs_are_left_out_is_said_only_where_some_are(
    make_task: Make, checkpoint: Checkpoint, open_fake: Callable, tmp_path: Path
) -> None:
    class Said(Silent):
        def __init__(self) -> None:
            self.lines: list[str] = []

        def say(self, line: str) -> None:
            self.lines.append(line)

    task = make_task(target={"metric": "exact_match(case=yes)", "at_least": 0.8})
    for rungs, lines in ((["one-shot", "few-shot(3)"], 1), (["zero-shot", "one-shot"], 0)):
        said = Said()
        Study(task, [checkpoint], rungs, ledger=tmp_path / "l.db").climb(said, open_fake)
        assert sum("asked no further" in line for line in said.lines) == lines


def test_all_climbs_on_and_asks_nothing_twice(
    make_task: Make, checkpoint: Checkpoint, open_fake: Callable, tmp_path: Path
) -> None:
    task = make_task(target={"metric": "exact_match(case=yes)", "at_least": 0.8})
    ledger = tmp_path / "ledger.db"
    raced = Study(task, [checkpoint], name="s", ledger=ledger).climb(open_engine=open_fake)
    summary = Study(task, [checkpoint], name="s", go_on=True, ledger=ledger).climb(
        open_engine=open_fake
    )
    assert {r.metrics[summary.deciding].n for r in summary.rungs} == {120}
    assert raced.race is not None and summary.race is not None
    asked = summary.provenance["work in the last run"]["requests asked"]
    assert asked == raced.race.requests_saved > 0
    assert (summary.race.requests_saved, summary.race.departures) == (0, ())
    again = Study(task, [checkpoint], name="other", go_on=True, ledger=ledger).climb(
        open_engine=open_fake
    )
    assert again.provenance["work in the last run"]["requests asked"] == 0
    assert again.provenance["verdicts drawn from this test split"] == 2


def test_test_inputs_that_stand_in_train_are_said(
    make_task: Make, checkpoint: Checkpoint, open_fake: Callable, tmp_path: Path
) -> None:
    task = make_task()
    copies = tuple(
        replace(e, input=t.input) for e, t in zip(task.test[:3], task.train[:3], strict=True)
    )
    for name, test, said in (("apart", task.test, 0), ("shared", (*copies, *task.test[3:]), 1)):
        study = Study(replace(task, test=test), [checkpoint], name=name, ledger=tmp_path / name)
        notes = study.climb(open_engine=open_fake).verdict.notes
        told = [note for note in notes if "also stand in train" in note]
        assert len(told) == said
    assert told[0].startswith(
        "Of 120 test inputs 3 also stand in train (3 exactly, 0 nearly), which flatters rungs"
    )


def test_without_a_target_every_rung_is_climbed_and_the_default_margin_is_said(
    make_task: Make, checkpoint: Checkpoint, open_fake: Callable, tmp_path: Path
) -> None:
    study = Study(make_task(), [checkpoint], ledger=tmp_path / "ledger.db")
    summary = study.climb(open_engine=open_fake)
    assert summary.margin == 0.01
    assert any("within one point" in note for note in summary.verdict.notes)
    assert all(r.state == "measured" for r in summary.rungs)
    assert {(c.better, c.worse) for c in summary.comparisons} >= {("one-shot", "zero-shot")}


def test_an_interrupted_climb_goes_on_where_it_was(
    make_task: Make, checkpoint: Checkpoint, open_fake: Callable, tmp_path: Path
) -> None:
    class Interrupted(FakeEngine):
        def generate(self, prompts, sampling):  # type: ignore[no-untyped-def]
            for completion in super().generate(prompts, sampling):
                if self.asked == 100:
                    raise KeyboardInterrupt
                yield completion

    ledger = tmp_path / "ledger.db"
    study = Study(make_task(), [checkpoint], ledger=ledger)
    with pytest.raises(KeyboardInterrupt):
        study.climb(open_engine=lambda c: Interrupted(lambda p: " x"))
    with pytest.raises(LedgerError, match="not finished"):
        load_summary(ledger, study.name)
    summary = study.climb(open_engine=open_fake)
    assert summary.race is not None
    asked = summary.provenance["work in the last run"]["requests asked"]
    assert asked == summary.race.requests - 99


def test_answers_that_the_machine_owes_leave_the_verdict_undecided(
    make_task: Make, checkpoint: Checkpoint, tmp_path: Path
) -> None:
    task = make_task(target={"metric": "exact_match(case=yes)", "at_least": 0.8})
    study = Study(task, [checkpoint], ["one-shot"], ledger=tmp_path / "ledger.db")
    answer = lambda p: " " + p.rsplit("Input: ", 1)[1].removesuffix("\nOutput:").upper()  # noqa: E731

    class Watching(Silent):
        seen: ClassVar[list[Standing]] = []

        def standings(self, standings: Sequence[Standing]) -> None:
            self.seen += standings

    down = study.climb(Watching(), lambda c: FakeEngine(answer, fail_after=12))
    (rung,) = down.rungs
    # On the way a value is over the answers that are there: what is owed is not wrong.
    assert (Watching.seen[-1].items, Watching.seen[-1].value) == (12, 100.0)
    assert rung.missing == 108
    assert down.verdict.kind == "undecided"
    assert "108 answers are missing" in down.verdict.sentence
    score = rung.metrics[down.deciding]
    assert score.value is None
    assert (score.low, score.high, score.n) == (0.1, 1.0, 12)
    up = study.climb(open_engine=lambda c: FakeEngine(answer))
    assert up.rungs[0].missing == 0
    assert up.verdict.kind == "reached"
    n = up.rungs[0].metrics[up.deciding].n
    assert up.provenance["work in the last run"]["requests asked"] == n - 12


def test_demonstrations_that_do_not_fit_are_dropped_for_the_whole_rung_and_said(
    make_task: Make, checkpoint: Checkpoint, tmp_path: Path
) -> None:
    shown: list[str] = []

    def answer(prompt: str) -> str:
        shown.append(prompt)
        return " x"

    study = Study(make_task(), [checkpoint], ["few-shot(3)"], ledger=tmp_path / "ledger.db")
    # Instruction 3 words, a demonstration 4, the query 3, the answer 8: 22 words hold two.
    summary = study.climb(open_engine=lambda c: FakeEngine(answer, context=22))
    assert {prompt.count("Output:") for prompt in shown} == {3}
    assert summary.rungs[0].notes == (
        "shows 2 of 3 demonstrations: more do not fit the context of 22 tokens",
    )
    assert not summary.rungs[0].failures


def test_an_item_that_never_fits_is_a_failure_of_its_rung(
    make_task: Make, checkpoint: Checkpoint, shown_how: Callable[[str], str], tmp_path: Path
) -> None:
    task = make_task()
    long = replace(task.test[0], input="long " * 50)
    task = replace(task, test=(long, *task.test[1:]))
    study = Study(task, [checkpoint], ["one-shot"], ledger=tmp_path / "ledger.db")
    summary = study.climb(open_engine=lambda c: FakeEngine(shown_how, context=30))
    assert summary.rungs[0].failures == {"prompt over the context": 1}
    assert summary.rungs[0].metrics[summary.deciding].value == pytest.approx(119 / 120)
    assert summary.rungs[0].cost.tokens_in == 10  # of those that were asked


def test_a_file_of_outputs_is_a_rung_of_unknown_cost(
    make_task: Make, checkpoint: Checkpoint, open_fake: Callable, tmp_path: Path
) -> None:
    file = tmp_path / "theirs.jsonl"
    rows = [{"id": f"c{i}", "output": f"WORDC{i}"} for i in range(119)]
    file.write_text("\n".join(json.dumps(row) for row in [*rows, {"id": "zz", "output": "?"}]))
    task = make_task(
        rungs=["zero-shot", {"outputs": str(file), "name": "theirs"}],
        target={"metric": "exact_match(case=yes)", "at_least": 0.8},
    )
    summary = Study(task, [checkpoint], ledger=tmp_path / "l.db").climb(open_engine=open_fake)
    theirs = summary.rungs[1]
    assert theirs.failures == {"no output in the file": 1}
    assert theirs.cost.seconds is None
    assert theirs.cost.build_seconds is None
    assert theirs.cut_share is None
    assert theirs.metrics[summary.deciding].value == pytest.approx(119 / 120)
    assert any("1 row of the file" in note for note in theirs.notes)
    assert "cost" in summary.verdict.sentence + " ".join(summary.verdict.notes)


def test_outputs_may_be_written_as_one_text(
    make_task: Make, checkpoint: Checkpoint, tmp_path: Path
) -> None:
    file = tmp_path / "theirs.jsonl"
    file.write_text(json.dumps({"id": "c0", "output": "WORDC0"}))
    quoted = f"outputs: {file}"
    in_file = Study(make_task(rungs=["zero-shot", quoted]), [checkpoint]).plan
    named = Study(make_task(), [checkpoint], ["zero-shot", quoted]).plan
    for plan in (in_file, named):
        assert [p.name for p in plan.rungs] == ["zero-shot", "theirs"]
    assert in_file.settings() == named.settings()


def test_changed_or_missing_outputs_are_seen_before_the_climb(
    make_task: Make, checkpoint: Checkpoint, tmp_path: Path
) -> None:
    file = tmp_path / "theirs.jsonl"
    file.write_text(json.dumps({"id": "c0", "output": "WORDC0"}))
    task = make_task(rungs=["zero-shot", {"outputs": str(file), "name": "theirs"}])

    def settings() -> dict[str, object]:
        return Study(task, [checkpoint], ledger=tmp_path / "l.db").plan.settings()

    before = settings()
    assert settings() == before
    file.write_text(json.dumps({"id": "c0", "output": "another"}))
    assert settings() != before
    file.write_text("no rows")
    with pytest.raises(TaskError):
        settings()


def test_the_summary_is_the_same_from_the_ledger_alone(
    make_task: Make, checkpoint: Checkpoint, open_fake: Callable, tmp_path: Path
) -> None:
    study = Study(make_task(), [checkpoint], name="s", ledger=tmp_path / "ledger.db")
    summary = study.climb(open_engine=open_fake)
    loaded = load_summary(tmp_path / "ledger.db", "s")
    assert isinstance(loaded, Summary)
    assert json.loads(json.dumps(loaded.as_json())) == json.loads(json.dumps(summary.as_json()))
    study.climb(open_engine=open_fake)  # again, which says nothing new
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        kinds = Counter(event.kind for event in ledger.study("s").events())
    assert (kinds["verdict"], kinds["scored"]) == (1, 3)


def test_what_cannot_be_is_refused_before_anything_is_written(
    make_task: Make, checkpoint: Checkpoint, tmp_path: Path
) -> None:
    with pytest.raises(RungError, match="needs a model that trains"):
        Study(make_task(), [checkpoint], ["lora"], ledger=tmp_path / "l.db")
    with pytest.raises(RungError, match="stands twice"):
        Study(make_task(), [checkpoint], ["one-shot", "one-shot"], ledger=tmp_path / "l.db")
    with pytest.raises(RungError, match="model 'fake' stands twice"):
        Study(make_task(), [checkpoint, checkpoint], ledger=tmp_path / "l.db")
    with pytest.raises(RungError, match="no rung is named"):
        Study(make_task(), [checkpoint], [], ledger=tmp_path / "l.db")
    for name in ("", "../s", "a\\b", " s"):
        with pytest.raises(LedgerError, match="a study cannot be named"):
            Study(make_task(), [checkpoint], name=name, ledger=tmp_path / "l.db")
    assert Study(make_task(name="a/../b"), [checkpoint]).name.startswith("a-..-b-")
    with pytest.raises(TaskError, match="requests is 0"):
        Study(make_task(), [checkpoint], requests=0, ledger=tmp_path / "l.db")
    assert not (tmp_path / "l.db").exists()


def test_a_name_with_other_settings_is_refused_and_nothing_lost(
    make_task: Make, checkpoint: Checkpoint, open_fake: Callable, tmp_path: Path
) -> None:
    ledger = tmp_path / "ledger.db"
    Study(make_task(), [checkpoint], name="s", ledger=ledger).climb(open_engine=open_fake)
    other = Study(make_task(instruction="Shout."), [checkpoint], name="s", ledger=ledger)
    with pytest.raises(LedgerError, match="settings"):
        other.climb(open_engine=open_fake)
    assert load_summary(ledger, "s").study == "s"


def test_the_log_holds_every_generation_and_score(
    make_task: Make, checkpoint: Checkpoint, open_fake: Callable, tmp_path: Path
) -> None:
    study = Study(make_task(), [checkpoint], name="s", go_on=True, ledger=tmp_path / "ledger.db")
    study.climb(open_engine=open_fake)
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        log = ledger.study("s")
        assert sum(1 for _ in log.events("generation")) == 360
        scored = {e.payload["rung"]: e.payload["statistics"] for e in log.events("scored")}
    assert set(scored) == {"zero-shot", "one-shot", "few-shot(3)"}
    assert len(scored["one-shot"]["token_f1"]) == 120


@dataclass(frozen=True)
class Broken:
    """A method whose training fails."""

    fills: ClassVar[str | None] = None
    requires: ClassVar[Capabilities] = Capabilities()

    def fit_settings(self) -> FitSettings:
        return FitSettings()

    def adapt(self, base: Adaptation, *_: object) -> Adaptation:
        raise TrainingError("out of memory: lower batch_size (now 8)")


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    module = ModuleType("broken_method")
    module.Broken = Broken  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "broken_method", module)
    monkeypatch.setitem(registry.BUILT_IN["methods"], "broken", "broken_method:Broken")  # type: ignore[arg-type]
    registry.names.cache_clear()
    yield
    registry.names.cache_clear()


@pytest.mark.usefixtures("broken")
def test_a_rung_that_cannot_be_built_fails_alone_and_the_others_are_decided(
    make_task: Make, checkpoint: Checkpoint, open_fake: Callable, tmp_path: Path
) -> None:
    task = make_task(target={"metric": "exact_match(case=yes)", "at_least": 0.8})
    study = Study(task, [checkpoint], ["broken", "one-shot"], go_on=True, ledger=tmp_path / "l.db")
    summary = study.climb(open_engine=open_fake)
    failed, one = summary.rungs
    assert (failed.state, failed.metrics) == ("failed", {})
    assert "lower batch_size" in (failed.error or "")
    assert (summary.verdict.kind, summary.verdict.rung) == ("reached", "one-shot")
    assert any("broken" in note for note in summary.verdict.notes)
    assert one.state == "measured"


@pytest.mark.usefixtures("broken")
def test_when_every_rung_fails_the_study_says_so(
    make_task: Make, checkpoint: Checkpoint, open_fake: Callable, tmp_path: Path
) -> None:
    study = Study(make_task(), [checkpoint], ["broken"], ledger=tmp_path / "l.db")
    summary = study.climb(open_engine=open_fake)
    assert summary.verdict.kind == "undecided"
    assert "every rung failed" in summary.verdict.sentence


def test_more_demonstrations_than_rows_are_refused_beforehand(
    make_task: Make, checkpoint: Checkpoint, tmp_path: Path
) -> None:
    with pytest.raises(RungError, match="needs 50 training rows"):
        Study(make_task(), [checkpoint], ["few-shot(50)"], ledger=tmp_path / "l.db")


def test_the_log_says_how_a_model_was_asked(
    make_task: Make, checkpoint: Checkpoint, open_fake: Callable, tmp_path: Path
) -> None:
    """An engine that has several ways names the one it took; asked again from the ledger alone,
    no engine took any."""
    from stepladder.engines.hf import EnginePath

    def open_one(model: Checkpoint) -> FakeEngine:
        engine = open_fake(model)
        engine.path, engine.near_ties = EnginePath("generate", "it is recurrent"), 3
        return engine

    study = Study(make_task(test=12), [checkpoint], ledger=tmp_path / "ledger.db")
    for _ in range(2):
        study.climb(open_engine=open_one)
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        said = [event.payload for event in ledger.study(study.name).events("engine")]
    asked = {"path": "generate", "reason": "it is recurrent", "near_ties": 3}
    assert said == [{"weights": checkpoint.identity, **asked}]
