"""Quality over the number of demonstrations, and when a training is the cheaper way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from stepladder.engines.fake import FakeEngine
from stepladder.errors import RungError
from stepladder.records import Checkpoint
from stepladder.report.shots import draw, render_shots
from stepladder.study.shots import (
    Draw,
    ModelShots,
    Shots,
    ShotsFound,
    Tuned,
    plan_shots,
    read_shots,
)
from stepladder.tasks import Task


def twice_shown(prompt: str) -> str:
    """Upper case where the prompt holds two demonstrations or more."""
    word = prompt.rsplit("Input: ", 1)[1].removesuffix("\nOutput:")
    return f" {word.upper()}" if prompt.count("Output:") > 2 else f" {word}"


@pytest.fixture
def found(make_task: Callable[..., Task], checkpoint: Checkpoint, tmp_path: Path) -> ShotsFound:
    task = make_task(target={"metric": "exact_match(case=yes)", "at_least": 0.8})
    plan = plan_shots(
        task, [checkpoint], shots=(4, 0, 2, 1, 2), draws=2, tuned=None, ledger=tmp_path / "l.db"
    )
    plan.study.climb(open_engine=lambda _: FakeEngine(twice_shown, context=26))
    return read_shots(plan)


def test_the_curve_holds_what_the_study_measured(found: ShotsFound) -> None:
    (model,) = found.models
    assert [shots.k for shots in model.shots] == [0, 1, 2, 4]
    assert [len(shots.draws) for shots in model.shots] == [1, 2, 2, 2]
    assert [shots.mean for shots in model.shots[:3]] == [0.0, 0.0, 100.0]
    tokens = [shots.tokens for shots in model.shots[:3]]
    assert None not in tokens and tokens == sorted(set(tokens))


def test_the_fewest_that_reach_the_target(found: ShotsFound) -> None:
    assert found.models[0].fewest == 2
    assert found.sentences[0].startswith("fake: 2 is the fewest demonstrations shown to reach")


def test_what_does_not_fit_the_context_is_told_and_not_drawn(found: ShotsFound) -> None:
    last = found.models[0].shots[-1]
    assert last.shown is not None and last.shown < last.k == 4
    assert {draw.shown for draw in last.draws} == {last.shown}
    assert f"only {last.shown} of 4 fit the context" in render_shots(found)
    picture = draw(found, 760, 400)
    assert picture is not None
    assert [dot.title.split(",")[1] for dot in picture.lines[0].dots] == [
        " 0 demonstrations: 0.0",
        " 1 demonstration: 0.0",
        " 2 demonstrations: 100.0",
    ]


def test_asked_again_it_asks_nothing(
    make_task: Callable[..., Task], checkpoint: Checkpoint, tmp_path: Path
) -> None:
    engine = FakeEngine(twice_shown)
    for asked in (360, 360):
        plan = plan_shots(
            make_task(), [checkpoint], shots=(0, 2), draws=2, tuned=None, ledger=tmp_path / "l.db"
        )
        plan.study.climb(open_engine=lambda _: engine)
        assert engine.asked == asked


def curve(*tuned_from: int | None, error: str | None = None) -> ShotsFound:
    """k = 1, 2, 4 and a training, held against each other in advance."""
    draw = Draw(50.0, 40.0, 60.0, None)
    shots = tuple(
        Shots(k, k, (draw, replace(draw, value=54.0)), 10.0 * k, 0.01 * k, traffic)
        for k, traffic in zip((1, 2, 4), tuned_from, strict=True)
    )
    tuned = Tuned("lora", draw if error is None else Draw(None, None, None, None), 9.0, 0.01, error)
    model = ModelShots("m", shots, tuned)
    return ShotsFound("s", "t", "chrf", "higher", None, 1000, 100, (model,))


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (curve(None, 900, 300), "at 1,000 requests, costs fewer seconds than 2 demonstrations or"),
        (curve(500, None, 300), "at 1,000 requests, costs fewer seconds than 4 demonstrations or"),
        (curve(None, None, 3000), "than 4 demonstrations from 3,000 requests on."),
        (curve(10, 10, None), "costs no fewer seconds a request than 4 demonstrations."),
        (curve(None, None, None, error="no memory"), "has no value to hold demonstrations"),
    ],
)
def test_when_the_training_is_the_cheaper_way(found: ShotsFound, said: str) -> None:
    assert said in found.sentences[-1]
    assert found.sentences[0] == (
        "m: 1 demonstration comes out best, chrf 52.0 (50.0 to 54.0 over 2 draws, 95 % intervals "
        "40.0 to 60.0); the lead over 2 and 4 may be chance."
    )


def test_a_lead_outside_the_other_interval_is_not_called_chance() -> None:
    points = [(0, Draw(50.0, 45.0, 55.0, None)), (1, Draw(80.0, 75.0, 84.0, None))]
    shots = tuple(Shots(k, k, (draw,), 10.0, 0.02, None) for k, draw in points)
    tuned = Tuned("lora", points[0][1], 9.0, 0.01)
    found = ShotsFound("s", "t", "chrf", "higher", None, 9, 50, (ModelShots("m", shots, tuned),))
    assert found.sentences[0] == (
        "m: 1 demonstration comes out best, chrf 80.0 (95 % interval 75.0 to 84.0)."
    )
    assert found.sentences[1].startswith("m: lora comes to chrf 50.0 (95 % interval 45.0 to 55.0)")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"shots": (-1, 2)}, "give numbers of 0 or more"),
        ({"shots": ()}, "give numbers of 0 or more"),
        ({"draws": 0}, "draws is 0; give 1 or more"),
        ({"tuned": "zero-shot"}, "'zero-shot' trains nothing"),
    ],
)
def test_impossible_numbers_are_refused(
    settings: dict[str, object],
    said: str,
    make_task: Callable[..., Task],
    checkpoint: Checkpoint,
    tmp_path: Path,
) -> None:
    with pytest.raises(RungError, match=said):
        plan_shots(make_task(), [checkpoint], ledger=tmp_path / "l.db", **settings)  # type: ignore[arg-type]
    assert not (tmp_path / "l.db").exists()


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ((0, 1, 4), "than every number of demonstrations that was tried, and than none."),
        ((0,), "at 1,000 requests, costs fewer seconds than no demonstrations."),
    ],
)
def test_a_training_that_is_cheaper_than_asking_as_it_is(
    counts: tuple[int, ...], said: str
) -> None:
    draw = Draw(50.0, 40.0, 60.0, None)
    shots = tuple(Shots(k, k, (draw,), 10.0, 0.02, 900) for k in counts)
    model = ModelShots("m", shots, Tuned("lora", draw, 9.0, 0.01))
    found = ShotsFound("s", "t", "chrf", "higher", None, 1000, 100, (model,))
    assert found.sentences[-1].endswith(said)


def test_what_fits_is_kept_by_draw(
    make_task: Callable[..., Task], checkpoint: Checkpoint, tmp_path: Path
) -> None:
    """Demonstrations of different lengths, and room for one of the shorter ones."""
    splits = {
        "train": [{"x": " ".join([f"w{i}"] * n), "y": "b"} for i, n in enumerate((1, 40) * 3)],
        "test": [{"x": "a cat", "y": "b"}],
    }
    settings = {"metrics": ["exact_match"], "sampling": {"max_new_tokens": 8}}
    task = Task.from_rows(splits, name="t", input="x", references="y", **settings)
    plan = plan_shots(task, [checkpoint], shots=(1,), draws=6, tuned=None, ledger=tmp_path / "l.db")
    plan.study.climb(open_engine=lambda _: FakeEngine(lambda _: " b", context=26))
    found = read_shots(plan)
    (point,) = found.models[0].shots
    assert {draw.shown for draw in point.draws} == {0, 1}
    assert point.shown == 0
    page = render_shots(found)
    assert "0 to 1 of 1 fit the context" in page
    assert page.count(", 1 shown") == sum(draw.shown or 0 for draw in point.draws)
