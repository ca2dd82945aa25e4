"""Predicted costs follow what a rung would really do."""

from __future__ import annotations

import pytest

from stepladder.ledger import Event
from stepladder.methods import parse_rung
from stepladder.study.climb import BuildCost, Climbed
from stepladder.study.dry_run import dry_run
from stepladder.study.plan import PlannedRung
from stepladder.study.predict import (
    ANSWERING,
    TRAINING,
    TRAINING_START,
    TrainingForesight,
    predict,
    rate_event,
    rates,
)


@pytest.mark.parametrize(
    ("rung", "epochs"), [("lora", 15.0), ("lora(batch_size=1)", 8.0), ("lora(epochs=2)", 2.0)]
)
def test_epochs_left_open_are_predicted_as_the_training_will_settle_them(
    make_task, checkpoint, rung, epochs
):
    (training,) = dry_run(parse_rung(rung), make_task(), checkpoint).trainings
    assert training.work.epochs == epochs  # 20 rows: 150 updates, in 15 passes at most


def test_what_a_climb_took_is_what_the_next_prediction_starts_from(checkpoint):
    planned = PlannedRung("lora", checkpoint, parse_rung("lora"))
    build = BuildCost(seconds=TRAINING_START + 100, trained_tokens=5000)
    seen = rate_event(Climbed(planned, {}, build), seconds=0.5, tokens=100)
    assert seen is not None
    events = [Event(1, "", "rate", seen, "study")]
    answering, training = 2 * 1000 * 100 / 0.5, 4 * 1000 * 5000 / 100
    assert rates(1900, events) == (answering, training, "measured")
    assert rates(2100, events) == (ANSWERING, TRAINING, "default")  # a model of another size


def test_the_training_of_a_rung_is_found_with_the_prompts_it_would_have(make_task, checkpoint):
    task, rung = make_task(), parse_rung("few-shot(2) + lora(rank=4)")
    (training,) = dry_run(rung, task, checkpoint, with_job=True).trainings
    job = training.job
    assert job is not None
    assert job.method == "lora(rank=4)"
    assert len(job.train) == len(task.train)
    shown = job.train[0][0].text
    assert len(shown) > 2 * len(dry_run(parse_rung("lora"), task, checkpoint).prompts[0].text)
    assert dry_run(rung, task, checkpoint).trainings[0].job is None


def test_memory_is_foretold_for_what_is_trained(make_task, checkpoint):
    task, asked = make_task(), []

    def foresee(job):
        asked.append(job.method)
        return TrainingForesight(memory=5, seconds=100.0)

    def predicted(name):
        planned = PlannedRung(name, checkpoint, parse_rung(name))
        return predict(planned, task, [], foresee=foresee)

    assert predicted("zero-shot").memory is None
    assert not predicted("zero-shot").probed
    one = predicted("one-shot + lora")
    assert (one.memory, one.probed, one.build_seconds) == (5, True, TRAINING_START + 100)
    assert asked == ["lora"]
    two = predicted("lora + one-shot + prompt-tuning(4)")
    assert (two.memory, two.build_seconds) == (5, 2 * (TRAINING_START + 100))
    assert asked == ["lora", "lora", "prompt-tuning(n=4)"]


def test_a_training_that_cannot_be_foreseen_is_told_from_rates(make_task, checkpoint):
    planned = PlannedRung("lora", checkpoint, parse_rung("lora"))
    unforeseen = predict(planned, make_task(), [], foresee=lambda _: None)
    assert unforeseen.memory is None
    assert not unforeseen.probed
    assert unforeseen.build_seconds == predict(planned, make_task(), []).build_seconds


def test_frozen_weights_are_reckoned_with_two_thirds_of_the_work(make_task, checkpoint):
    def at_work(name):
        planned = PlannedRung(name, checkpoint, parse_rung(name))
        return predict(planned, make_task(), []).build_seconds - TRAINING_START

    assert at_work("lora") == pytest.approx(at_work("full") * 4 / 6)
    assert at_work("full + prompt-tuning(4)") == pytest.approx(at_work("full"))


def test_trainings_one_after_the_other_take_the_time_of_both(make_task, checkpoint):
    def seconds(name):
        planned = PlannedRung(name, checkpoint, parse_rung(name))
        return predict(planned, make_task(), []).build_seconds

    assert seconds("lora + zero-shot + prompt-tuning(4)") > 1.9 * seconds("lora")
    assert seconds("lora + prompt-tuning(4)") == seconds("lora")
