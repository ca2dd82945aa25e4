"""The ladder picture: every measured rung in its place, labels that keep clear of each other."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import combinations

import pytest
import summaries

from stepladder.records import Cost
from stepladder.report.axes import cost_scale, quality_scale
from stepladder.report.labels import Box
from stepladder.report.picture import Picture, draw
from stepladder.study.summary import Summary

SIZES = [(760, 400, True), (340, 320, False)]


def body(mark) -> Box:
    return Box(mark.x - 5, mark.y - 5, mark.x + 5, mark.y + 5)


def assert_clear(picture: Picture) -> None:
    for one, other in combinations(picture.marks, 2):
        assert not one.label.box.overlaps(other.label.box), (one.title, other.title)
    for mark in picture.marks:
        assert mark.label.box.inside(picture.plot), mark.title
        for other in picture.marks:
            assert not mark.label.box.overlaps(body(other)), (mark.title, other.title)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ["full", "undecided", "single", "stopped"])
def test_labels_keep_clear(name: str, size) -> None:
    assert_clear(draw(summaries.ALL[name](), *size))


@pytest.mark.parametrize("size", SIZES)
def test_labels_keep_clear_in_crowds(size) -> None:
    for seed in range(30):
        assert_clear(draw(crowd(random.Random(seed)), *size))


def crowd(draws: random.Random) -> Summary:
    """Ten rungs with long names, some of them nearly in the same place."""
    names = [f"few-shot({k}, nearest=bm25) + lora(rank={2**k})" for k in range(1, 11)]
    rungs = []
    for name in names:
        seconds = draws.choice([0.04, draws.uniform(0.02, 0.5)])
        value = draws.choice([0.3, draws.uniform(0.1, 0.6)])
        cost = Cost(build_seconds=None) if draws.random() < 0.1 else summaries.asking(seconds)
        rungs.append(summaries.rung(name, value, cost))
    return replace(summaries.full(), rungs=tuple(rungs))


def test_height_is_quality_and_breadth_is_cost() -> None:
    picture = draw(summaries.full(), *SIZES[0])
    by_number = {mark.number: mark for mark in picture.marks}
    assert set(by_number) == {1, 2, 3, 5, 6}  # the fourth failed to build
    assert by_number[1].y > by_number[2].y > by_number[3].y > by_number[5].y
    assert by_number[1].x < by_number[3].x < by_number[2].x < by_number[5].x < picture.lane
    assert by_number[6].x > picture.lane
    assert [mark.number for mark in picture.marks if mark.winner] == [5]
    assert by_number[5].whisker[0] < by_number[5].y < by_number[5].whisker[1]
    # The winner's bound lies above the target line, the third rung's does not.
    assert by_number[5].bounds[1] < picture.target.at < by_number[3].bounds[1]
    assert {by_number[n].shape for n in (1, 2, 3)} == {"circle"}
    assert by_number[5].shape == "square"


def test_the_margin_is_a_band_below_the_best() -> None:
    picture = draw(summaries.undecided(), *SIZES[0])
    best = min(mark.y for mark in picture.marks)
    assert picture.target is None
    assert picture.band[0] == pytest.approx(best)
    assert picture.band[1] > best


def test_nothing_measured_draws_nothing() -> None:
    assert draw(summaries.unmeasured(), *SIZES[0]) is None


def test_a_rung_that_costs_nothing_can_be_drawn() -> None:
    free = summaries.rung("fake", 0.5, Cost(tokens_in=1.0, tokens_out=1.0, seconds=0.0))
    summary = replace(summaries.single(), rungs=(free,), deciding="rougeL", target=None)
    assert draw(summary, *SIZES[0]).marks[0].x > 0


def test_all_costs_unknown_leaves_a_bare_axis() -> None:
    summary = replace(summaries.full(), rungs=summaries.full().rungs[5:])
    picture = draw(summary, *SIZES[0])
    assert picture.x_ticks == () and picture.marks[0].x > picture.lane


@pytest.mark.parametrize(
    ("seconds", "logarithmic", "expected"),
    [
        ([4000.0, 9000.0], False, ["0", "1 h", "2 h"]),
        ([3000.0, 4800.0], False, ["0", "20 min", "40 min", "1 h", "80 min"]),
        ([0.5, 90_000.0], True, ["1 s", "10 s", "1 min", "10 min", "1 h", "10 h"]),
    ],
)
def test_ticks_are_round_times(seconds, logarithmic, expected) -> None:
    scale = cost_scale(seconds, 0.0, 600.0)
    assert scale.logarithmic == logarithmic
    assert [tick.text for tick in scale.ticks] == expected


def test_equal_values_still_have_a_scale() -> None:
    scale = quality_scale([100.0, 100.0], 300.0, 0.0)
    assert scale.at(100.0) == pytest.approx(0.0)
    assert scale.ticks[-1].text.startswith("100")
