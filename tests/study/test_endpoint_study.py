"""Climbs on an endpoint: what is missing, what is kept, and what the report says of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from servers import FakeServer
from stepladder.checkpoints import read_address
from stepladder.engines.endpoint import EndpointEngine, Patience
from stepladder.errors import CheckpointError, OutputError, RungError
from stepladder.ledger import Ledger
from stepladder.records import Endpoint
from stepladder.study import Study, export, load_summary
from stepladder.study.check import as_climbed
from stepladder.tasks import Task

Make = Callable[..., Task]
QUICK = Patience(request=20.0, faults=2, first_wait=0.02)


def loud(prompt: str) -> str:
    return prompt.split()[-1].upper()


def open_quick(endpoint: Endpoint) -> EndpointEngine:
    return EndpointEngine(endpoint, patience=QUICK)


@pytest.fixture
def loud_server(server: FakeServer) -> FakeServer:
    server.answer = loud
    return server


def test_a_climb_on_an_endpoint_reaches_a_verdict_and_is_free_the_second_time(
    loud_server: FakeServer, make_task: Make, tmp_path: Path
) -> None:
    task = make_task(target={"metric": "exact_match(case=yes)", "at_least": 0.8})
    address, ledger = loud_server.address, tmp_path / "ledger.db"
    summary = Study(task, [address], name="s", ledger=ledger).climb()
    assert (summary.verdict.kind, summary.verdict.rung) == ("reached", "zero-shot")
    zero = summary.rungs[0]
    assert (zero.model, zero.missing) == (address, 0)
    assert zero.cost.tokens_in is not None
    assert zero.cost.seconds is not None
    assert zero.prompt is not None
    assert zero.prompt.startswith("[user, ")
    asked = len(loud_server.asked)
    again = Study(task, [address], name="s", ledger=ledger).climb()
    assert again.provenance["work in the last run"]["requests asked"] == 0
    assert len(loud_server.asked) == asked + 2  # found out again
    assert [r.metrics for r in again.rungs] == [r.metrics for r in summary.rungs]


def test_the_report_says_that_the_weights_cannot_be_known(
    loud_server: FakeServer, make_task: Make, tmp_path: Path
) -> None:
    ledger = tmp_path / "ledger.db"
    Study(make_task(10), [loud_server.address], ["zero-shot"], name="s", ledger=ledger).climb()
    summary = load_summary(ledger, "s")
    model = summary.provenance["models"][loud_server.address]
    assert model["weights"] == "cannot be known"
    assert model["model as reported"] == "tiny-2026-11"
    assert len(model["answered on"]) == 1
    (note,) = [note for note in summary.verdict.notes if "endpoint" in note]
    assert "weights cannot be known" in note
    assert f"tiny-2026-11 as it answered on {model['answered on'][0]}" in note
    with pytest.raises(OutputError, match="is an endpoint: there are no weights"):
        export(ledger, "s", tmp_path / "winner", "zero-shot")


def test_answers_that_cannot_be_had_are_missing_and_asked_for_again(
    loud_server: FakeServer, make_task: Make, tmp_path: Path
) -> None:
    task = make_task(60, target={"metric": "exact_match(case=yes)", "at_least": 0.8})
    down = ("wordc7", "wordc21", "wordc33")
    loud_server.fault = lambda request: (
        "500" if request["messages"][-1]["content"].split()[-1] in down else None
    )
    ledger = tmp_path / "ledger.db"
    study = Study(task, [loud_server.address], ["zero-shot"], name="s", ledger=ledger)
    (rung,) = study.climb(open_engine=open_quick).rungs  # type: ignore[arg-type]
    assert (rung.missing, rung.failures) == (3, {})
    assert rung.notes == ("answers missing: 3 by HTTP 500",)
    assert rung.metrics[task.deciding].value is None
    with Ledger.open(ledger) as opened:
        told = [e.payload for e in opened.study("s").events("machine-failure")]
    assert sorted(event["id"] for event in told) == ["c21", "c33", "c7"]
    loud_server.fault = lambda request: None
    loud_server.asked.clear()
    (rung,) = study.climb().rungs
    assert (rung.missing, rung.metrics[task.deciding].value) == (0, 1.0)
    assert len(loud_server.asked) == 3


def test_a_server_that_goes_down_leaves_the_rest_missing(
    loud_server: FakeServer, make_task: Make, tmp_path: Path
) -> None:
    task = make_task(200, target={"metric": "exact_match(case=yes)", "at_least": 0.8})
    study = Study(task, [loud_server.address], ["zero-shot"], ledger=tmp_path / "l.db")
    loud_server.fault = lambda request: "503" if len(loud_server.asked) > 15 else None
    summary = study.climb(open_engine=open_quick)  # type: ignore[arg-type]
    assert 170 <= summary.rungs[0].missing < 200
    assert "answers are missing" in summary.verdict.sentence


def test_a_prompt_over_the_context_counts_as_empty(
    loud_server: FakeServer, make_task: Make, tmp_path: Path
) -> None:
    study = Study(make_task(20), [loud_server.address], ["zero-shot"], ledger=tmp_path / "l.db")
    loud_server.fault = lambda request: "400 overflow" if "wordc3" in str(request) else None
    (rung,) = study.climb().rungs
    assert (rung.failures, rung.missing) == ({"prompt over the context": 1}, 0)


def test_another_day_or_another_model_is_asked_anew(
    loud_server: FakeServer, make_task: Make, tmp_path: Path
) -> None:
    def asked(day: str, name: str) -> int:
        def on(endpoint: Endpoint) -> EndpointEngine:
            engine = EndpointEngine(endpoint)
            engine.day = day
            return engine

        models, rungs, ledger = [loud_server.address], ["zero-shot"], tmp_path / "l.db"
        study = Study(make_task(10), models, rungs, name=name, ledger=ledger)
        work = study.climb(open_engine=on).provenance["work in the last run"]  # type: ignore[arg-type]
        return int(work["requests asked"])

    assert asked("2026-11-24", "first") == 10
    assert asked("2026-11-24", "the same day") == 0
    assert asked("2026-11-25", "the next day") == 10
    assert asked("2026-11-26", "first") == 0  # a study goes on with what it has
    loud_server.reported = "tiny-2027"
    assert asked("2026-11-24", "another model") == 10


def test_what_an_endpoint_cannot_do_is_refused_before_the_climb(
    loud_server: FakeServer, make_task: Make, tmp_path: Path
) -> None:
    for rung in ("lora", "full", "few-shot(2) + lora"):
        with pytest.raises(RungError, match="needs a model that trains, which http"):
            Study(make_task(), [loud_server.address], [rung], ledger=tmp_path / "l.db")
    with pytest.raises(CheckpointError, match="dtype is chosen where its server is started"):
        Study(make_task(), [loud_server.address], ["zero-shot"], dtype="bfloat16")
    assert not (tmp_path / "l.db").exists()
    assert sum(request["max_tokens"] for request in loud_server.asked) <= 8  # found out


def test_rungs_of_an_endpoint_are_climbed_in_the_order_of_their_tokens(
    make_task: Make, tmp_path: Path
) -> None:
    from stepladder.study.plan import make_plan
    from stepladder.study.predict import cost_order

    endpoint = read_address("https://h/v1#m")
    plan = make_plan(make_task(), [endpoint], ["few-shot(3)", "zero-shot", "one-shot"])
    assert cost_order(plan, as_climbed(plan, [], None)) == ["zero-shot", "one-shot", "few-shot(3)"]
