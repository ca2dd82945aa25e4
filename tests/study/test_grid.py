"""Training rows against demonstrations: cells as measured, and what one is worth in the other."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from stepladder.checkpoints import resolve
from stepladder.errors import RungError, TaskError
from stepladder.ledger import Ledger
from stepladder.records import Checkpoint
from stepladder.report.grid import draw, render_grid
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
    levels = {float(c.text): c.x for c in picture.contours}
    for level, x in levels.items():  # quality is straight across, whatever the demonstrations
        if 0 < level < 100:
            assert x == pytest.approx(left + (right - left) * level / 100, abs=0.2)
    assert len(levels) >= 3
    assert {c.path.count("M") for c in picture.contours if 0 < float(c.text) < 100} == {2}


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
        "63 rows and 3 demonstrations do best: chrf 70.0.",
        "7 rows and 3 demonstrations are worth about 31 rows and none "
        "(95 % interval 20 to more than 63).",
        "63 rows and 3 demonstrations are worth more than 63 rows and none "
        "(95 % interval 40 to more than 63).",
    )
    assert json.loads(json.dumps(found.as_json()))["sentences"] == list(found.sentences)


@pytest.mark.parametrize(
    ("settings", "error", "said"),
    [
        ({"method": "few-shot(2)"}, RungError, "is no training alone"),
        ({"method": "few-shot(2) + lora"}, RungError, "is no training alone"),
        ({"rows": (500,)}, RungError, "numbers of 0 or more"),
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
