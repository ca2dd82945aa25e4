"""The page: whole, self-contained, escaped, and saying what the summary says."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import summaries
from reading import Page
from rich.console import Console

from stepladder.errors import OutputError
from stepladder.records import Trial
from stepladder.report import print_table, render_html, write_html
from stepladder.report.axes import STRIP
from stepladder.report.trials import trials_of
from stepladder.report.view import COSTS
from stepladder.study.summary import ShownAnswer, ShownItem, Summary


@pytest.fixture(scope="module", params=sorted(summaries.ALL))
def case(request: pytest.FixtureRequest):
    summary = summaries.ALL[request.param]()
    html = render_html(summary)
    return summary, html, Page(html)


def test_every_element_is_closed_and_every_id_is_unique(case) -> None:
    _, html, page = case
    ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    named = " ".join(attrs.get("aria-labelledby") or "" for _, attrs in page.elements).split()
    assert set(named) <= set(ids)
    assert html.lstrip().lower().startswith("<!doctype html>")


def test_the_page_loads_nothing_and_runs_nothing(case) -> None:
    _, html, page = case
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"script", "img", "link", "iframe", "object", "embed", "form", "base", "a"}
    names = {name for _, attrs in page.elements for name in attrs}
    assert not names & {"src", "href", "srcset", "xlink:href", "action", "style"}
    assert not [name for name in names if name.startswith("on")]
    style = page.within("style")
    assert "url(" not in style and "@import" not in style


def test_the_policy_allows_the_style_sheet_alone(case) -> None:
    _, html, page = case
    policy = next(
        attrs["content"]
        for tag, attrs in page.elements
        if attrs.get("http-equiv") == "Content-Security-Policy"
    )
    style = re.search(r"<style>(.*?)</style>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    directives = dict(part.split(None, 1) for part in policy.split("; "))
    assert directives["default-src"] == "'none'"
    assert directives["style-src"] == f"'sha256-{digest}'"
    assert "script-src" not in directives


def test_the_verdict_is_the_headline(case) -> None:
    summary, _, page = case
    assert page.within("h1") == summary.verdict.sentence


def test_every_rung_with_every_value_and_its_interval(case) -> None:
    summary, _, page = case
    for number, rung in enumerate(summary.rungs, 1):
        rows = [
            row
            for row in page.rows
            if row[0].split("winner")[0].strip().startswith(f"{number} {rung.name}")
        ]
        assert rows, rung.name
        cells = " ".join(rows[0])
        for score in rung.metrics.values():
            low, value, high = (x * score.times for x in (score.low, score.value, score.high))
            assert f"{value:.1f}{low:.1f} to {high:.1f}" in cells
        if rung.state == "failed":
            assert "failed to build" in cells
            assert rung.error in page.text
        if rung.state == "skipped":
            waiting = summary.verdict.kind == "unfinished"
            assert ("not asked yet" if waiting else "not built") in cells
        for cause, count in rung.failures.items():
            assert f"{count} {cause}".split("\x1b")[0] in cells


def test_unknown_costs_are_dashes_never_numbers() -> None:
    page = Page(render_html(summaries.full()))
    costs = [row for row in page.rows if row[0].startswith("6 outputs: bart")][1]
    assert [cell.strip() for cell in costs[1:]] == ["–"] * 13
    titles = [attrs.get("title") for tag, attrs in page.elements if attrs.get("role") == "img"]
    assert "not known" in titles


def test_known_costs_in_human_units() -> None:
    page = Page(render_html(summaries.full()))
    costs = [row for row in page.rows if row[0].startswith("5 google/flan-t5-base: lora")][1]
    assert [cell.strip() for cell in costs[1:]] == [
        "3.17 h", "2.85 h", "1.25 GiB", "1.17 GiB", "1.77 M", "6.78 MiB", "1,100", "212", "24.2",
        "0.31 s", "0.28 s", "11.8 h", "14.13",
    ]  # fmt: skip


@pytest.mark.parametrize("summary", [summaries.full(), summaries.undecided()])
def test_groups_of_costs_stand_over_their_columns(summary: Summary) -> None:
    html = render_html(summary)
    groups = [int(span) for span in re.findall(r'scope="colgroup" colspan="(\d+)"', html)]
    shown = [label for key, label in COSTS.items() if key != "money" or summary.prices]
    assert sum(groups) == len(shown)
    assert shown[groups[0] :][0] == "tokens in"


def test_no_money_without_prices() -> None:
    page = Page(render_html(summaries.undecided()))
    assert not [row for row in page.rows if "money" in row]


def test_hostile_texts_are_shown_and_do_nothing() -> None:
    summary = summaries.full()
    html = render_html(summary)
    page = Page(html)
    assert "<img" not in html and "</script>" not in html and "<b>two" not in html
    assert "\x00" not in html and "\x1b" not in html
    assert "</script></style><img src=x onerror=alert(1)>" in page.text
    assert "{{ 7 * 7 }}" in page.text and "49" not in page.within("mark")
    assert page.within("title").startswith("dialogsum-<b>two models</b>")


def test_models_in_folders_are_called_by_the_folders_names() -> None:
    summary = summaries.full()
    rungs = tuple(replace(r, model=f"/data/nets/{r.model.split('/')[-1]}") for r in summary.rungs)
    html = render_html(replace(summary, rungs=rungs))
    assert "/data/nets" not in html
    assert "</svg> flan-t5-base</span>" in html


def test_a_models_name_stands_in_the_record_as_it_is() -> None:
    models = {"/data/my_nets/width_64": {"chat_template": False}}
    page = Page(render_html(replace(summaries.single(), provenance={"models": models})))
    assert "/data/my_nets/width_64" in page.within("dt")
    assert "chat template" in page.within("dt")


def test_half_a_surrogate_pair_does_not_break_the_page(tmp_path: Path) -> None:
    summary = summaries.single()
    item = ShownItem(
        "\ud83d", "in\ud83d", ("r\udc00",), {"zero-shot": ShownAnswer("a\ud83d", None)}
    )
    write_html(replace(summary, items=(item,), task={"k\ud83d": "v\ud83d"}), tmp_path / "r.html")
    assert "in\ufffd" in (tmp_path / "r.html").read_text("utf-8")


def test_items_stand_side_by_side_with_differences_marked() -> None:
    page = Page(render_html(summaries.full()))
    assert sum(tag == "article" for tag, _ in page.elements) == 10
    marked = [text for tag, text in page.texts if tag == "mark"]
    assert "writes" in marked
    assert "equal to the reference" in page.text
    assert "the same answer as rung 1" in page.text
    assert "failed: prompt over the context" in page.text


def test_pairs_are_named_as_description() -> None:
    page = Page(render_html(summaries.undecided()))
    assert "A description beside the verdict, which does not rest on it" in page.text
    pair = next(row for row in page.rows if row[0] == "lora over one-shot")
    assert pair[1:] == ["+0.9", "−0.5 to 2.4", "0.031", "0.312"]


def test_a_prompt_shared_by_rungs_is_shown_once() -> None:
    page = Page(render_html(summaries.full()))
    assert sum(tag == "pre" for tag, _ in page.elements) == 1
    assert page.within("pre") == summaries.full().rungs[0].prompt


def test_provenance_is_readable_at_any_depth() -> None:
    text = Page(render_html(summaries.full())).text
    for word in ("max new tokens", "2.13.0", "ab12" * 16, "8350000000"):
        assert word in text


def test_the_same_summary_gives_the_same_page() -> None:
    assert render_html(summaries.full()) == render_html(summaries.full())


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="is a folder"):
        write_html(summaries.single(), tmp_path)
    (tmp_path / "file").write_text("kept")
    with pytest.raises(OutputError, match="cannot write"):
        write_html(summaries.single(), tmp_path / "file" / "report.html")
    assert (tmp_path / "file").read_text() == "kept"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_programs_are_counted_and_shown_with_what_became_of_them() -> None:
    page = Page(render_html(summaries.ALL["programmed"]()))
    head = next(row for row in page.rows if "wrong answer" in row)
    assert head[:5] == ["Rung", "right", "wrong answer", "syntax", "refused"]  # those that occur
    counts = page.rows[page.rows.index(head) + 1]
    assert counts[1:] == ["120", "60", "19", "1", "200", "60.0 ms", "1.2 %"]
    assert "1 refused: no pandas" in page.text
    assert "apples = 7\nanswer = apples * 2" in page.within("pre")
    assert "comes to 14" in page.text
    assert "half" in page.within("pre")
    plain = Page(render_html(summaries.ALL["undecided"]()))
    assert "wrong answer" not in plain.text


def test_the_terminal_counts_programs_too() -> None:
    out = io.StringIO()
    print_table(summaries.ALL["programmed"](), Console(file=out, width=100))
    told = " ".join(out.getvalue().split())
    assert "programs of zero-shot: 120 right, 60 wrong answer, 19 syntax, 1 refused" in told


def test_what_was_tried_on_dev_is_tabled_and_drawn_with_the_chosen_one_marked() -> None:
    summary = summaries.ALL["undecided"]()
    trials = (
        Trial("greedy", summaries.score("rougeL", 0.25, n=40), 2.0, answers=40),
        Trial("n=5 <b>", summaries.score("rougeL", 0.35, n=40), None, answers=200, chosen=True),
    )
    rung = replace(summary.rungs[0], trials=trials)
    page = Page(render_html(replace(summary, rungs=(rung, *summary.rungs[1:]))))
    head = next(row for row in page.rows if "answers" in row)
    greedy, chosen = page.rows[page.rows.index(head) + 1 :][:2]
    assert greedy[:3] == ["greedy", "25.0", "23.4 to 26.8"] and greedy[-2:] == ["40", "2.00 s"]
    assert chosen[0] == "n=5 <b> chosen" and chosen[-2] == "200"
    assert "Over 40 rows of dev" in page.text
    drawn = trials_of(replace(summary, rungs=(rung,)))[0].rows
    lows, highs = [row.low for row in drawn], [row.high for row in drawn]
    assert lows[0] == 5 < (highs[0] or 0) < (lows[1] or 0) < highs[1] == STRIP - 5
    assert "tried on dev" not in Page(render_html(summary)).text


def test_an_older_summary_without_programs_is_read() -> None:
    data = json.loads(json.dumps(summaries.ALL["undecided"]().as_json()))
    for rung in data["rungs"]:
        del rung["programs"]
    for shown in data["items"]:
        for answer in shown["answers"].values():
            del answer["runs"]
    assert Summary.from_json(data).rungs[0].programs is None
