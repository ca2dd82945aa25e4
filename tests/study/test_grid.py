"""Training rows against demonstrations: cells as measured, and what one is worth in the other."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from stepladder.checkpoints import resolve
from stepladder.engines.fake import FakeEngine
from stepladder.errors import RungError, TaskError
from stepladder.ledger import Ledger
from stepladder.records import Checkpoint
from stepladder.report.grid import draw, render_grid
from stepladder.report.labels import Box
from stepladder.study.grid import Cell, GridFound, GridPlan, Worth, plan_grid, read_grid, same_as
from stepladder.tasks import Task

METHOD = "lora(rank=2, epochs=1)"


@pytest.fixture(scope="module")
def plan(tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> GridPlan:
    """A grid of 0 and 12 rows, 0 and 2 demonstrations, climbed."""
    folder = tmp_path_factory.mktemp("grid")
    splits = {
        split: [{"x": f"{split} cat {i}", "y": f"dog {i}"} for i in range(count)]
        for split, count in (("train", 12), ("dev", 2), ("test", 20))
    }
    settings = {"max_new_tokens": 6}
    task = Task.from_rows(
        splits, name="t", input="x", references="y", metrics=["chrf"], sampling=settings
    )
    plan = plan_grid(
        task,
        resolve(str(tiny_llama)),
        method=METHOD,
        rows=(0, None, 500),
        shots=(0, 2),
        seeds=1,
        apart=True,
        ledger=folder / "ledger.db",
    )
    for study in plan.studies:
        study.climb()
    return plan


def test_cells_hold_what_their_studies_scored(plan: GridPlan) -> None:
    found = read_grid(plan)
    assert (found.rows, found.shots) == ((0, 12), (0, 2))
    scored = {}
    with Ledger.open(plan.ledger, create=False) as ledger:
        for place in plan.places:
            for event in ledger.study(place.study).events("scored"):
                if event.payload["rung"] == place.rung:
                    scored[place.rows, place.k] = event.payload["scores"]["chrf"]["value"]
    assert len(scored) == 4
    for cell in found.cells:
        assert cell.mean == pytest.approx(scored[cell.rows, cell.k])
        assert cell.low is not None and cell.high is not None and cell.low <= cell.mean <= cell.high
    assert [(worth.rows, worth.k) for worth in found.worths] == [(0, 2), (12, 2)]
    assert METHOD in render_grid(found)


def test_a_cell_that_was_built_after_all_tells_of_no_failure(plan: GridPlan) -> None:
    place = plan.places[0]
    with Ledger.open(plan.ledger, create=False) as ledger:
        failed = {"rung": place.rung, "error": "the machine had no memory left"}
        ledger.study(place.study).append("rung-failed", failed)
    cell = read_grid(plan).cell(place.rows, place.k)
    assert cell.mean is not None and cell.error is None


def test_rows_held_apart_are_not_trained_on(plan: GridPlan) -> None:
    name = f"few-shot(2, apart=yes) + {METHOD}"
    study = next(p.study for p in plan.places if p.rung == name)
    with Ledger.open(plan.ledger, create=False) as ledger:
        adapted = [e.payload for e in ledger.study(study).events("adapted")]
    (build,) = (e for e in adapted if e["rung"] == name)
    (alone,) = (e for e in adapted if e["rung"] == METHOD)
    pool = build["adaptation"]["prompter"]["demonstrations"]["pool"]
    assert build["trainings"][0]["rows"]["train"] == 12 - len(pool)
    assert alone["trainings"][0]["rows"]["train"] == 12


def test_what_a_quality_is_worth_in_rows() -> None:
    rows, qualities = np.array([0, 3, 15, 63]), np.array([10.0, 40.0, 35.0, 60.0])
    assert same_as(5.0, rows, qualities) == 0
    assert same_as(40.0, rows, qualities) == pytest.approx(3)
    assert same_as(50.0, rows, qualities) == pytest.approx(math.sqrt(16 * 64) - 1)
    assert same_as(60.1, rows, qualities) == math.inf


def cells(values: dict[tuple[int, int], float | None]) -> GridFound:
    made = tuple(
        Cell(rows, k, () if v is None else (v,), v, v, v) for (rows, k), v in values.items()
    )
    worths = (Worth(7, 3, 31.2, 20.0, None, 63), Worth(63, 3, None, 40.0, None, 63))
    return GridFound("t", "m", "lora", "chrf", "higher", 100, 1, False, made, worths)


def test_lines_of_equal_quality_run_between_the_cells() -> None:
    found = cells({(0, 0): 0.0, (63, 0): 100.0, (0, 3): 0.0, (63, 3): 100.0})
    picture = draw(found, 760, 420)
    assert picture is not None
    left, right = (tick.at for tick in picture.x_ticks)
    levels = {float(c.value.text): c.value.x for c in picture.contours}
    for level, x in levels.items():  # quality is straight across, whatever the demonstrations
        if 0 < level < 100:
            assert x == pytest.approx(left + (right - left) * level / 100, abs=0.2)
    assert len(levels) >= 3
    assert {c.path.count("M") for c in picture.contours} == {2}


@pytest.mark.parametrize(("size", "allowed"), [((760, 420), 0), ((340, 340), 1)])
def test_lines_run_beside_values_and_no_value_covers_another(
    size: tuple[float, float], allowed: int
) -> None:
    values = ((42, 58, 71, 80), (55, 52, 63, 74), (61, 66, 78, 72))
    found = cells(
        {
            (rows, k): float(value)
            for k, line in zip((0, 1, 4), values, strict=True)
            for rows, value in zip((0, 32, 128, 400), line, strict=True)
        }
    )
    picture = draw(found, *size)
    assert picture is not None and len(picture.contours) >= 3
    boxes = [spot.value.box for spot in picture.spots]
    crossed = set()  # on a narrow page a dot may have lines on all its sides
    for contour in picture.contours:
        for piece in contour.path.split("M")[1:]:
            (x1, y1), (x2, y2) = (map(float, end.split()) for end in piece.split("L"))
            for share in np.linspace(0, 1, 40):
                x, y = x1 + (x2 - x1) * share, y1 + (y2 - y1) * share
                crossed |= {box for box in boxes if box.overlaps(Box(x, y, x, y))}
    assert len(crossed) <= allowed
    boxes += [contour.value.box for contour in picture.contours]
    boxes += [Box(s.x - 4, s.y - 4, s.x + 4, s.y + 4) for s in picture.spots]
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
    bounds = picture.plot._replace(right=picture.width)
    assert all(box.inside(bounds) for box in boxes)


def test_a_quality_that_is_met_twice_is_written_on_both_lines() -> None:
    peak = {(0, 0): 0.0, (15, 0): 100.0, (255, 0): 0.0}
    picture = draw(cells({(rows, k): v for (rows, _), v in peak.items() for k in (0, 3)}), 760, 420)
    assert picture is not None
    middle = picture.x_ticks[1].at
    sides = sorted((c.value.text, c.value.x < middle) for c in picture.contours)
    levels = ("20", "40", "60", "80")
    assert sides == sorted((level, left) for level in levels for left in (True, False))


@pytest.mark.parametrize(
    "values",
    [
        {(0, 0): 50.0, (63, 0): 50.0, (0, 3): 50.0, (63, 3): 50.0},
        {(0, 0): 50.0, (63, 0): 60.0},
        {(0, 0): 50.0, (63, 0): 60.0, (0, 3): 70.0, (63, 3): None},
    ],
)
def test_where_no_line_can_be_drawn_the_cells_stand_alone(
    values: dict[tuple[int, int], float | None],
) -> None:
    picture = draw(cells(values), 760, 420)
    assert picture is not None
    assert picture.contours == ()
    assert len(picture.spots) == sum(v is not None for v in values.values())


def test_the_answer_in_sentences() -> None:
    found = cells({(0, 0): 10.0, (63, 0): 60.0, (7, 3): 42.0, (63, 3): 70.0})
    assert found.sentences == (
        "63 rows and 3 demonstrations come out best: chrf 70.0 (95 % interval 70.0 to 70.0).",
        "7 rows and 3 demonstrations are worth about 31 rows and none "
        "(95 % interval 20 to more than 63).",
        "63 rows and 3 demonstrations are worth more than 63 rows and none "
        "(95 % interval 40 to more than 63).",
    )
    assert json.loads(json.dumps(found.as_json()))["sentences"] == list(found.sentences)


def test_a_lead_that_may_be_chance_is_called_so() -> None:
    ends = {(0, 0): (5.0, 15.0), (63, 0): (50.0, 71.0), (63, 3): (60.0, 80.0)}
    cells = tuple(
        Cell(rows, k, ((low + high) / 2,), (low + high) / 2, low, high)
        for (rows, k), (low, high) in ends.items()
    )
    found = GridFound("t", "m", "lora", "chrf", "higher", 100, 1, False, cells, ())
    assert found.sentences == (
        "63 rows and 3 demonstrations come out best: chrf 70.0 (95 % interval 60.0 to 80.0); the "
        "lead over 1 of the 2 other cells may be chance.",
    )
    found = replace(found, cells=cells[1:])
    assert found.sentences[0].endswith("; the lead over the 1 other cell may be chance.")


@pytest.mark.parametrize(
    ("settings", "error", "said"),
    [
        ({"method": "few-shot(2)"}, RungError, "is no training alone"),
        ({"method": "few-shot(2) + lora"}, RungError, "is no training alone"),
        ({"rows": (500, 9999)}, RungError, "500 and 9,999 rows are more than the 20 "),
        ({"rows": ()}, RungError, "numbers of 0 or more"),
        ({"shots": (-1,)}, RungError, "numbers of 0 or more"),
        ({"seeds": 0}, RungError, "seeds is 0"),
        ({"shots": (99,), "rows": (0,)}, RungError, "needs 99 training rows"),
    ],
)
def test_impossible_grids_are_refused(
    settings: dict[str, object],
    error: type[Exception],
    said: str,
    make_task: Callable[..., Task],
    checkpoint: Checkpoint,
    tmp_path: Path,
) -> None:
    with pytest.raises(error, match=said):
        plan_grid(make_task(), checkpoint, ledger=tmp_path / "l.db", **settings)  # type: ignore[arg-type]


def test_a_task_without_training_rows_is_refused(checkpoint: Checkpoint, tmp_path: Path) -> None:
    task = Task.from_rows(
        {"test": [{"x": "a", "y": "b"}]}, name="t", input="x", references="y", metrics=["chrf"]
    )
    with pytest.raises(TaskError, match="no training rows"):
        plan_grid(task, checkpoint, ledger=tmp_path / "l.db")


def test_where_all_items_are_right_nothing_more_is_claimed() -> None:
    said = Worth(63, 3, 63.0, 63.0, 63.0, 63, alike=True).sentence
    assert said.endswith("are worth about 63 rows and none (the items tell no more).")


def test_a_quality_below_that_of_the_fewest_rows_is_not_said_to_be_theirs() -> None:
    """Between none and 32 rows nothing was tried."""
    assert same_as(5.0, np.array([32, 128]), np.array([40.0, 60.0])) == 32
    said = Worth(32, 4, 32.0, 32.0, 51.0, 128, fewest=32).sentence
    assert "are worth at most 32 rows and none (95 % interval at most 32 to 51)" in said
    assert "are worth about 0 rows and none" in Worth(0, 4, 0.0, 0.0, 3.0, 128).sentence


def test_numbers_beyond_all_rows_are_said_to_be_left_out(plan: GridPlan) -> None:
    found = read_grid(plan)
    beyond = "500 rows are more than the 12 training rows of 't'"
    said = f"{beyond}, and are left out; tried are 0 and 12"
    assert found.notes == (said,)
    assert said in html.unescape(render_grid(found))
    assert json.loads(json.dumps(found.as_json()))["notes"] == [said]


def test_where_no_rows_are_trained_on_nothing_is_said_in_rows(
    make_task: Callable[..., Task],
    checkpoint: Checkpoint,
    open_fake: Callable[[Checkpoint], FakeEngine],
    tmp_path: Path,
) -> None:
    plan = plan_grid(
        make_task(), checkpoint, rows=(0, 9999), shots=(0, 2), seeds=1, ledger=tmp_path / "l.db"
    )
    assert plan.notes[0].endswith("and are left out; tried are 0 (all is 20)")
    for study in plan.studies:
        study.climb(open_engine=open_fake)
    found = read_grid(plan)
    assert found.worths == ()
    assert found.sentences[1:] == (
        "What demonstrations are worth in rows is not known: no rows were tried.",
    )


def test_a_single_row_is_no_plural() -> None:
    said = Worth(0, 3, 1.2, 0.0, 3.0, 63).sentence
    assert "are worth about 1 row and none (95 % interval 0 to 3)" in said
