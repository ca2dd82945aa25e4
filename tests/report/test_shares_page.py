"""The page about replay: where points stand, its lines, what is escaped, and nothing to draw."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from reading import Page
from replayed import found, share
from rich.console import Console

from stepladder.report import units
from stepladder.report.shares import (
    TradeOff,
    draw,
    print_shares,
    render_shares,
    write_shares,
)
from stepladder.study.shares_found import Build, Share, SharesFound


def picture(findings: SharesFound, width: float = 760, height: float = 380) -> TradeOff:
    drawn = draw(findings, findings.guards[0], width, height)
    assert drawn is not None
    return drawn


@pytest.mark.parametrize("size", [(760, 380), (340, 320)])
def test_right_is_more_lost_and_higher_is_a_better_score(size: tuple[float, float]) -> None:
    drawn = picture(found(), *size)
    none, little, tenth, fifth = drawn.marks
    assert none.x > little.x > fifth.x > tenth.x
    assert little.y < none.y < tenth.y < fifth.y
    assert drawn.limit is not None
    assert fifth.x < drawn.limit.at < little.x  # 3 points, 5, 13
    assert [mark.winner for mark in drawn.marks] == [False, False, True, False]
    for mark in drawn.marks:
        assert mark.across[0] < mark.x < mark.across[1]
        assert mark.upward[0] < mark.y < mark.upward[1]
        assert mark.label.box.inside(drawn.plot)


def test_the_line_runs_through_the_undominated_shares_alone() -> None:
    drawn = picture(found())
    tenth, little = drawn.marks[2], drawn.marks[1]
    ends = [float(number) for number in re.findall(r"[\d.]+", drawn.path)]
    assert ends == pytest.approx([tenth.x, tenth.y, little.x, little.y], abs=0.06)
    lower = replace(found(), better="lower")
    assert lower.pareto("echo") == (0.1, 0.2)


def test_a_guard_without_a_limit_is_drawn_without_its_line() -> None:
    findings = found()
    drawn = draw(findings, findings.guards[1], 760, 380)
    assert drawn is not None
    assert drawn.limit is None


def test_the_page_is_whole_and_says_what_was_found() -> None:
    html = render_shares(found())
    page = Page(html)
    assert found().verdict.sentence in page.text
    assert found().verdict.sentence.startswith("full(replay=0.1) is the smallest share listed")
    assert html.count("<svg") == 4  # two guards, wide and narrow
    rows = [[" ".join(cell.split()) for cell in row] for row in page.rows]
    assert rows[0][2] == "echomax_drop 5"
    assert units.limit(0.05) == "0.05" and units.limit(0.07, 100) == "7"  # as given, not rounded
    assert rows[3][0] == "0.1"
    assert rows[3][1].startswith("96.5")
    assert rows[3][2] == "2.0 lost1.0 to 3.0 lostat most 5.0 lost"  # three lines of a cell
    assert rows[3][-1] == "stays within"
    assert rows[5][-1] == "not tried"
    assert "seed 1: on echo it falls" in page.text
    assert render_shares(found()) == html


def test_a_share_with_fewer_trainings_says_so_and_has_no_spread() -> None:
    findings = found()
    share = replace(findings.shares[1], builds=findings.shares[1].builds[:1])
    findings = replace(findings, shares=(findings.shares[0], share, *findings.shares[2:]))
    row = next(row for row in Page(render_shares(findings)).rows if row[0].startswith("0.05"))
    assert row[0] == "0.051 of 2 trainings"
    assert row[1] == "98.0"
    out = io.StringIO()
    print_shares(findings, Console(file=out, width=120))
    assert "1 of 2 trainings" in out.getvalue()


@pytest.mark.parametrize("size", [(760, 380), (340, 320)])
def test_no_label_lies_on_a_line(size: tuple[float, float]) -> None:
    drawn = picture(found(), *size)
    (x1, y1, x2, y2) = (float(number) for number in re.findall(r"[\d.]+", drawn.path))
    on_it = [(x1 + (x2 - x1) * t / 100, y1 + (y2 - y1) * t / 100) for t in range(101)]
    assert drawn.limit is not None
    for mark in drawn.marks:
        left, top, right, bottom = mark.label.box
        assert not [x for x, y in on_it if left < x < right and top < y < bottom], mark.title
        assert not left < drawn.limit.at < right


def test_what_was_gained_is_said_in_words_and_never_below_zero() -> None:
    findings = found()
    gained = share(96.0, [-0.41, -0.37], "within", 0.1)
    findings = replace(findings, shares=(*findings.shares[:2], gained, *findings.shares[3:]))
    assert "(at least 35.0 gained on echo)" in findings.verdict.sentence
    row = next(row for row in Page(render_shares(findings)).rows if row[0] == "0.1")
    assert row[2] == "39.0 gained37.0 to 41.0 gainedat least 35.0 gained"
    assert row[4] == "0.410 fewer"
    assert "left of 0, what it gained" in render_shares(findings)
    assert "left of 0" not in render_shares(found())
    assert "39.0 gained (37.0 to 41.0 gained)" in picture(findings).marks[2].title
    out = io.StringIO()
    print_shares(findings, Console(file=out, width=120))
    assert re.search(r"39\.0 gained +19\.5 gained", out.getvalue())


def test_what_comes_from_data_is_escaped() -> None:
    hostile = "<script>alert(1)</script>"
    html = render_shares(replace(found(hostile), task=hostile, model=hostile))
    assert "<script" not in html
    assert "Content-Security-Policy" in html
    Page(html)


def test_where_nothing_was_measured_there_is_a_page_all_the_same(tmp_path: Path) -> None:
    failed = Share(0.0, "full", (Build(0, None, error="the loss is not a number"),), "open")
    findings = replace(found(), shares=(failed,), seeds=1)
    write_shares(findings, tmp_path / "p.html", tmp_path / "p.json")
    page = Page((tmp_path / "p.html").read_text(encoding="utf-8"))
    assert "Nothing was measured" in page.text
    assert "could not be built in seed 0: the loss is not a number" in page.text
    kept = json.loads((tmp_path / "p.json").read_text(encoding="utf-8"))
    assert kept["verdict"]["kind"] == "undecided"


def test_the_terminal_says_the_same() -> None:
    out = io.StringIO()
    print_shares(found(), Console(file=out, width=120))
    said = out.getvalue()
    assert found().verdict.sentence in " ".join(said.split())
    assert re.search(r"0\.05 +98\.5 +13\.0 lost +6\.5 lost +exceeds it", said)
