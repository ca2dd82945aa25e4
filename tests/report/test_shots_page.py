from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from reading import Page
from rich.console import Console

from stepladder.report.shots import draw, print_shots, render_shots, write_shots
from stepladder.study.shots import Draw, ModelShots, Shots, ShotsFound


def found(*models: str) -> ShotsFound:
    shots = tuple(
        Shots(k, k, (Draw(value, value - 5, value + 5, None),), 10.0 + k, 0.01, None)
        for k, value in ((0, 20.0), (2, 40.0))
    )
    curves = tuple(ModelShots(model, shots) for model in models)
    return ShotsFound("s", "t", "chrf", "higher", None, 1000, 100, curves)


@pytest.mark.parametrize(
    ("models", "called"),
    [
        (("/data/nets/width-64", "/data/nets/width-224"), ["width-64", "width-224"]),
        (("/data/one/net", "/data/two/net", "embedded"), ["one/net", "two/net", "embedded"]),
    ],
)
def test_folders_are_called_by_their_names_and_the_record_has_their_paths(
    models: tuple[str, ...], called: list[str], tmp_path: Path
) -> None:
    findings = found(*models)
    write_shots(findings, tmp_path / "shots.html", tmp_path / "shots.json")
    html = (tmp_path / "shots.html").read_text("utf-8")
    assert "/data/" not in html
    assert Page(html).within("bdi") == "".join(["s", *called])
    picture = draw(findings, 760, 400)
    assert picture is not None
    assert [line.label.lines[0] for line in picture.lines if line.label] == called
    assert picture.lines[0].dots[0].title.startswith(f"{called[0]}, 0 demonstrations")
    out = io.StringIO()
    print_shots(findings, Console(file=out, width=100))
    assert "/data/" not in out.getvalue()
    assert f"{called[0]}: 2 demonstrations come out best" in out.getvalue()
    data = json.loads((tmp_path / "shots.json").read_text("utf-8"))
    assert [model["model"] for model in data["models"]] == list(models)


def test_what_the_items_leave_open_is_printed_and_drawn() -> None:
    findings = found("embedded")
    picture = draw(findings, 760, 400)
    assert picture is not None
    for dot in picture.lines[0].dots:
        assert dot.reach is not None
        above, below = dot.reach
        assert picture.plot.top <= above < dot.y < below <= picture.plot.bottom
    page = render_shots(findings)
    assert page.count('class="reach"') == 4  # two dots, wide and narrow
    out = io.StringIO()
    print_shots(findings, Console(file=out, width=100))
    assert "35.0 to 45.0" in out.getvalue()


def test_a_dot_without_an_interval_has_no_bar() -> None:
    shots = Shots(0, 0, (Draw(20.0, None, None, None),), 10.0, 0.01, None)
    findings = replace(found("m"), models=(ModelShots("m", (shots,)),))
    picture = draw(findings, 760, 400)
    assert picture is not None
    assert picture.lines[0].dots[0].reach is None
    assert 'class="reach"' not in render_shots(findings)
