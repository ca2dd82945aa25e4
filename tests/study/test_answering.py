"""What requests take on this machine: how they are asked, and who is told of it."""

from __future__ import annotations

from dataclasses import replace

from stepladder.engines.pace import Asked
from stepladder.methods import parse_rung
from stepladder.records import Endpoint
from stepladder.study import Study
from stepladder.study.answering import asked_of, seconds_here
from stepladder.study.check import as_climbed
from stepladder.study.fitting import base_adaptation
from stepladder.study.plan import PlannedRung, make_plan
from stepladder.study.predict import cost_order, predict


def test_a_request_is_asked_in_shards(make_task, checkpoint):
    task = make_task(test=40)  # shards of ten
    adaptation = base_adaptation(task, checkpoint)
    answers = [2] * 10 + [4] * 9 + [14]
    asked = asked_of(task, adaptation, prompts=[30, 50], shared=20, answers=answers)
    assert asked == Asked(shared=20, own=20, answer=3.5, longest=8, rows=10, requests=40)
    whole = asked_of(task, adaptation, prompts=[20, 20], shared=25, answers=[3])
    assert (whole.shared, whole.own) == (20, 0)  # a piece of text can be cut into more tokens


def test_answers_drawn_for_one_prompt_share_it(make_task, checkpoint):
    task = make_task(test=40)
    drawn = replace(base_adaptation(task, checkpoint), samples=5)
    asked = asked_of(task, drawn, prompts=[30], shared=10, answers=[3])
    assert (asked.rows, asked.shared, asked.own) == (50, 2, 4)


def planned(name, model):
    return PlannedRung(name, model, parse_rung(name))


def test_a_prediction_says_that_the_machine_was_probed(make_task, checkpoint):
    told = predict(planned("zero-shot", checkpoint), make_task(), [], answers=lambda *_: 0.25)
    assert (told.source, told.seconds) == ("probed", 0.25)
    asked = []
    few = planned("few-shot(2)", checkpoint)
    predict(few, make_task(), [], answers=lambda _, one: asked.append(one) or 0.25)
    assert asked[0].shared > 2 * asked[0].own  # demonstrations stand in every prompt


def test_where_it_cannot_be_probed_a_default_is_named(make_task, checkpoint):
    rung = planned("zero-shot", checkpoint)
    default = predict(rung, make_task(), [])
    assert default.source == "default"
    assert predict(rung, make_task(), [], answers=lambda *_: None) == default
    assert seconds_here("float32")(checkpoint, Asked(1, 1, 1, 1, 1, 1)) is None  # an empty folder


def test_an_endpoint_has_no_time(make_task):
    def never(*_):
        raise AssertionError("probed")

    endpoint = Endpoint("https://h/v1#m", "https://h/v1", "m")
    told = predict(planned("zero-shot", endpoint), make_task(), [], answers=never)
    assert (told.source, told.seconds) == ("unknown", None)


def test_the_order_of_a_climb_rests_on_it(make_task, tiny_llama):
    from stepladder.checkpoints import resolve

    rungs = ["few-shot(2)", "zero-shot"]
    plan = make_plan(make_task(), [resolve(str(tiny_llama))], rungs)

    def ordered(seconds):
        return cost_order(plan, as_climbed(plan, [], lambda _, asked: seconds(asked)))

    assert ordered(lambda asked: asked.shared) == ["zero-shot", "few-shot(2)"]
    assert ordered(lambda asked: -asked.shared) == ["few-shot(2)", "zero-shot"]


def test_foretold_stands_beside_measured(make_task, tiny_llama, tmp_path):
    task = make_task(test=12, sampling={"max_new_tokens": 3})
    study = Study(task, [str(tiny_llama)], ["zero-shot"], ledger=tmp_path / "l.db")
    (rung,) = study.climb().rungs
    assert rung.cost.foretold_request is not None
    assert 0 < rung.cost.foretold_request < 60
    assert rung.cost.seconds is not None


def test_with_an_engine_that_stands_in_nothing_is_foretold(
    make_task, checkpoint, open_fake, tmp_path
):
    study = Study(make_task(), [checkpoint], ["zero-shot"], ledger=tmp_path / "l.db")
    (rung,) = study.climb(open_engine=open_fake).rungs
    assert rung.cost.foretold_request is None
