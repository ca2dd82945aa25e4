"""Decoding: which settings are tried, and which of them is taken."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from stepladder import registry
from stepladder.adaptation import Adaptation
from stepladder.engines.fake import FakeEngine
from stepladder.errors import RungError
from stepladder.ledger import Ledger
from stepladder.methods import parse_rung
from stepladder.methods.decoding import Decoding
from stepladder.records import Checkpoint, Endpoint, Example, Sampling, Score, Trial
from stepladder.study import Study, Summary
from stepladder.study.plan import make_plan
from stepladder.study.predict import predict
from stepladder.tasks import Task

DEV = tuple(Example(f"d{i}", f"cat {i}", ("dog",)) for i in range(3))
Make = Callable[..., Task]


class Bench:
    """Grades by a table, in the order of asking."""

    seed = 0

    def __init__(self, values: Sequence[float | None], better: str = "higher") -> None:
        self.values = list(values)
        self.better = better
        self.tried: list[str] = []
        self.recorded: list[Trial] = []

    def score_dev(self, setting: str, adaptation: Adaptation, dev: Sequence[Example]) -> Trial:
        self.tried.append(setting)
        value = self.values[len(self.tried) - 1]
        return Trial(setting, Score("m", value, None, None, 3, "s", self.better), 1.0)  # type: ignore[arg-type]

    def record_trials(self, trials: Sequence[Trial]) -> None:
        self.recorded += trials


@pytest.fixture
def base(checkpoint: Checkpoint) -> Adaptation:
    return Adaptation(checkpoint, sampling=Sampling(max_new_tokens=8, stop=("x",)))


@pytest.fixture
def checkpoint(tmp_path: Path) -> Checkpoint:
    from stepladder.records import Capabilities

    return Checkpoint("fake", tmp_path, "0" * 64, Capabilities(), parameters=1000)


def method(text: str) -> Decoding:
    found = registry.build("methods", text)
    assert isinstance(found, Decoding)
    return found


@pytest.mark.parametrize(
    ("text", "tried"),
    [
        (
            "decoding",
            [
                "greedy",
                "temperature=0.7, top_p=0.9, n=1",
                "temperature=0.7, top_p=1, n=1",
                "temperature=0.7, top_p=0.9, n=5",
                "temperature=0.7, top_p=1, n=5",
            ],
        ),
        ("decoding(temperature=0|1)", ["greedy", "temperature=1, top_p=1, n=1"]),
        ("decoding(beams=4|1|2)", ["greedy", "beams=2", "beams=4"]),
        (
            "decoding(temperature=0|0.5, beams=1|3, top_k=5)",
            ["greedy", "temperature=0.5, top_p=1, top_k=5, n=1", "beams=3"],
        ),
    ],
)
def test_every_setting_that_draws_otherwise_is_tried_once_the_cheapest_first(
    text: str, tried: list[str], base: Adaptation
) -> None:
    bench = Bench([None] * len(tried))
    adapted = method(text).adapt(base, (), DEV, bench)  # type: ignore[arg-type]
    assert bench.tried == tried
    assert [t.chosen for t in bench.recorded] == [True] + [False] * (len(tried) - 1)
    assert adapted == base  # greedy is what the task has


@pytest.mark.parametrize(
    ("values", "better", "place"),
    [
        ([0.2, 0.5, 0.4], "higher", 1),
        ([0.2, 0.5, 0.4], "lower", 0),
        ([0.3, 0.3, 0.3], "higher", 0),
        ([None, 0.1, None], "higher", 1),
    ],
)
def test_the_best_is_taken_and_of_equals_the_cheapest(
    values: list[float | None], better: str, place: int, base: Adaptation
) -> None:
    bench = Bench(values, better)
    adapted = method("decoding(temperature=0|0.7, n=1|5)").adapt(base, (), DEV, bench)  # type: ignore[arg-type]
    assert [t.chosen for t in bench.recorded] == [i == place for i in range(3)]
    assert (adapted.sampling.temperature, adapted.samples) == [(0, 1), (0.7, 1), (0.7, 5)][place]
    assert adapted.sampling.stop == ("x",)


def test_one_setting_is_taken_without_a_trial(base: Adaptation) -> None:
    bench = Bench([])
    adapted = method("decoding(beams=4)").adapt(base, (), (), bench)  # type: ignore[arg-type]
    assert adapted.sampling == replace(base.sampling, beams=4) and not bench.tried
    with pytest.raises(RungError, match="and top_p changes nothing"):  # of a greedy task
        method("decoding(top_p=0.9|1)").adapt(base, (), DEV, bench)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("decoding(temperature=warm)", "give numbers between bars"),
        ("decoding(n=0)", "n is 0"),
        ("decoding(top_p=2)", "top_p is 2"),
        ("decoding(temperature=-1)", "temperature is -1"),
        ("decoding(temperature=0.5, beams=4)", "beams are searched at temperature 0"),
        ("decoding(n=1|two)", "'1|two'"),
        ("decoding(temperature=0, n=1|5)", "at temperature 0 nothing is drawn, and n changes"),
    ],
)
def test_settings_that_cannot_be_are_refused_before_there_is_a_task(text: str, says: str) -> None:
    with pytest.raises(RungError, match=says.replace("|", r"\|")):
        parse_rung(text)


def test_without_dev_rows_there_is_nothing_to_choose_on(base: Adaptation) -> None:
    with pytest.raises(RungError, match="chooses among 5 settings on dev rows"):
        Decoding().adapt(base, (), (), Bench([]))  # type: ignore[arg-type]
    endpoint = replace(base, checkpoint=Endpoint("http://h/v1", "m"))
    with pytest.raises(RungError, match="searches no beams"):
        Decoding(beams="1|4").adapt(endpoint, (), DEV, Bench([]))  # type: ignore[arg-type]


def test_it_is_applied_last_wherever_it_stands() -> None:
    for text in ("decoding + few-shot(2) + lora", "lora + decoding + few-shot(2)"):
        assert isinstance(parse_rung(text).methods[-1], Decoding)
    assert parse_rung("decoding").builds and not parse_rung("decoding").trains


@pytest.fixture
def make_task() -> Make:
    def make(**settings: object) -> Task:
        def rows(split: str, count: int) -> list[dict[str, str]]:
            return [
                {"id": f"{split}{i}", "x": f"{split} {i} three words", "y": f"{split} {i} three"}
                for i in range(count)
            ]

        splits = {"train": rows("a", 4), "dev": rows("b", 12), "test": rows("c", 40)}
        given: dict[str, object] = {
            "name": "drop",
            "id": "id",
            "input": "x",
            "references": "y",
            "metrics": ["exact_match"],
            "sampling": {"max_new_tokens": 8},
            "rungs": ["zero-shot", "decoding(temperature=0|1, n=1|3)"],
        }
        return Task.from_rows(splits, **(given | settings))

    return make


def without_last_word(prompt: str) -> str:
    return " ".join(prompt.rsplit("Input: ", 1)[1].removesuffix("\nOutput:").split()[:-1])


def climbed(task: Task, checkpoint: Checkpoint, folder: Path, **engine: int) -> Summary:
    study = Study(task, [checkpoint], name="s", go_on=True, ledger=folder / "ledger.db")
    return study.climb(open_engine=lambda _: FakeEngine(without_last_word, **engine))  # type: ignore[arg-type]


def test_trials_are_recorded_billed_and_never_asked_twice(
    make_task: Make, checkpoint: Checkpoint, tmp_path: Path
) -> None:
    name = "decoding(temperature=0|1, n=1|3)"
    summary = climbed(make_task(), checkpoint, tmp_path)
    row = next(r for r in summary.rungs if r.name == name)
    assert [t.setting for t in row.trials] == [
        "greedy",
        "temperature=1, top_p=1, n=1",
        "temperature=1, top_p=1, n=3",
    ]
    greedy, once, _ = row.trials
    assert greedy.chosen and greedy.score.value == 1.0 and greedy.score.n == 12
    assert once.score.value is not None and once.score.value < 1 and once.score.low is not None
    assert [t.answers for t in row.trials] == [12, 12, 36]
    assert row.cost.labels == 12
    assert "greedy was chosen among 3 on 12 dev rows (exact_match 100 there)" in row.notes
    # 40 test items, greedy like zero-shot's; 12 dev rows, greedy and by three seeds.
    assert summary.provenance["work in the last run"]["requests asked"] == 40 + 12 + 36
    assert Summary.from_json(json.loads(json.dumps(summary.as_json()))).rungs == summary.rungs
    with Ledger.open(tmp_path / "ledger.db", create=False) as ledger:
        kept = [e.payload for e in ledger.study("s").events("trial")]
    assert [k["setting"] for k in kept] == [t.setting for t in row.trials]

    again = climbed(make_task(), checkpoint, tmp_path)
    assert again.provenance["work in the last run"]["requests asked"] == 0
    found = next(r for r in again.rungs if r.name == name)
    assert [asdict(t) for t in found.trials] == [asdict(t) for t in row.trials]


def test_a_machine_that_fails_while_trying_fails_the_rung_and_is_asked_again(
    make_task: Make, checkpoint: Checkpoint, tmp_path: Path
) -> None:
    task = make_task(rungs=["decoding(temperature=0|1)"])
    failed = climbed(task, checkpoint, tmp_path, fail_after=15)
    (row,) = failed.rungs
    assert row.state == "failed" and "could not be tried on dev" in (row.error or "")
    (row,) = climbed(task, checkpoint, tmp_path).rungs
    assert row.state == "measured" and row.metrics["exact_match"].value == 1.0


def test_check_counts_the_trials_into_the_building(
    make_task: Make, checkpoint: Checkpoint, tmp_path: Path
) -> None:
    task = make_task()
    plan = make_plan(task, [checkpoint])
    plain, tried = (predict(planned, task, ()) for planned in plan.rungs)
    assert plain.seconds is not None and tried.seconds == plain.seconds
    assert tried.build_seconds == pytest.approx(12 * (1 + 1 + 3) * plain.seconds)
    assert tried.notes == ("tries 3 settings on dev; a request is predicted for greedy",)
    none = Task.from_rows(
        {"test": [{"x": "a", "y": "b"}]},
        name="n",
        input="x",
        references="y",
        metrics=["exact_match"],
    )
    with pytest.raises(RungError, match=r"give data\.dev"):
        Study(none, [checkpoint], ["decoding"], ledger=tmp_path / "l.db")
