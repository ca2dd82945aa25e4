"""Units, costs, money and differences; JSON, page and terminal say the same."""

from __future__ import annotations

import io
import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import summaries
from reading import Page
from rich.console import Console

from stepladder.records import Cost
from stepladder.report import as_json, print_table, render_html, units, write_json
from stepladder.report.costs import against_full, known_cost, money
from stepladder.report.differences import compare
from stepladder.study.summary import RungSummary, ShownAnswer, ShownItem, Summary


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (units.seconds(0.0), "0 s"),
        (units.seconds(0.042), "42.0 ms"),
        (units.seconds(12.34), "12.3 s"),
        (units.seconds(8_130), "2.26 h"),
        (units.seconds(400_000), "4.63 days"),
        (units.size(1_288_490_188), "1.20 GiB"),
        (units.size(512), "512 B"),
        (units.count(9_999), "9,999"),
        (units.count(294_912), "295 k"),
        (units.count(7.1e9), "7.10 B"),
        (units.share(0.0349), "3.5 %"),
        (units.probability(0.0002), "< 0.001"),
        (units.signed(-0.012, 100), "−1.2"),
        (units.bounds(0.2, None, 100), "at least 20.0"),
        (units.bounds(0.0549, 0.8341, 100), "5.4 to 83.5"),
        (units.bounds(0.1, 0.8, 100), "10.0 to 80.0"),
        (units.bounds(None, None), "–"),
        (units.points(math.nan), "–"),
        (units.seconds(None), "–"),
        (units.part(0.982), "0.98"),
    ],
)
def test_units(text: str, expected: str) -> None:
    assert text == expected


def test_what_an_unknown_building_leaves_unknown() -> None:
    assert known_cost(Cost(build_seconds=None))["trainable"] is None
    assert known_cost(Cost())["trainable"] == 0


def test_money_by_the_hour_and_by_the_token() -> None:
    cost = Cost(build_seconds=1800, tokens_in=1000, tokens_out=100, seconds=0.36)
    assert money(cost, 10_000, {"per_hour": 2.0}) == pytest.approx(1.0 + 2.0)
    by_token = {"per_million_tokens_in": 0.5, "per_million_tokens_out": 2.0}
    assert money(cost, 10_000, by_token) is None  # nobody said what an hour of building costs
    assert money(replace(cost, build_seconds=0.0), 10_000, by_token) == pytest.approx(5.0 + 2.0)
    assert money(cost, 10_000, {"per_hour": 2.0, **by_token}) == pytest.approx(1.0 + 7.0)
    assert money(Cost(build_seconds=None), 10_000, {"per_hour": 2.0}) is None


def test_full_tuning_is_held_against_what_trains_a_part() -> None:
    def one(name: str, peak: int | None, foretold: int | None, *more: str) -> RungSummary:
        cost = Cost(
            build_seconds=1.0, peak_memory=peak, foretold_memory=foretold, trainable=4117344
        )
        return replace(summaries.rung(name, 0.3, cost), methods=(name, *more))

    lora, soft = one("lora", 80 << 20, 100 << 20), one("prompt-tuning(20)", 50 << 20, None)
    shown, joint = one("few-shot(2)", 10, 10, "lora"), one("full + lora", 9, 9, "lora")
    full = one("full(epochs=2)", 200 << 20, 220 << 20)
    base = summaries.undecided()
    assert against_full(replace(base, rungs=(lora, soft, shown, joint, full))) == (
        "Training all 4.12 M weights, full(epochs=2), took 200 MiB of memory: 2.50 times what lora "
        "took (foretold 2.20), 4.00 times what prompt-tuning(20) took.",
    )
    assert "2.50 times what lora took" in render_html(replace(base, rungs=(full, lora)))
    for rungs in ((lora, soft), (full, shown), (one("full", None, 9), lora)):
        assert against_full(replace(base, rungs=rungs)) == ()


def test_differences_are_the_words_that_the_reference_lacks() -> None:
    pieces = compare("The red cat sat.", "The cat sat.")
    assert [p.text for p in pieces if not p.same] == ["red"]
    assert "".join(p.text for p in pieces) == "The red cat sat."
    assert compare("", "x") == ()
    assert compare("word " * 3000, "word") is None
    assert [p.text for p in compare("我喜欢猫", "我喜欢狗") if not p.same] == ["猫"]


def terminal(summary: Summary, width: int = 100) -> str:
    out = io.StringIO()
    print_table(summary, Console(file=out, width=width))
    return out.getvalue()


@pytest.mark.parametrize("name", sorted(summaries.ALL))
def test_json_page_and_terminal_say_the_same(name: str) -> None:
    summary = summaries.ALL[name]()
    data = json.loads(json.dumps(as_json(summary), allow_nan=False))
    page, table = Page(render_html(summary)), terminal(summary)
    assert data["verdict"]["sentence"] == summary.verdict.sentence == page.within("h1")
    assert " ".join(table.split("\n\n")[0].split()) == summary.verdict.sentence
    for row in data["rungs"]:
        for metric in row["metrics"].values():
            value = f"{metric['value'] * metric['times']:.1f}"
            ends = [f"{metric[end] * metric['times']:.1f}" for end in ("low", "high")]
            assert value + " to ".join(ends) in "".join(map("".join, page.rows))
            if metric["metric"] not in table:
                assert (
                    name in ("undecided", "programmed", "guarded")
                    or metric["metric"] != summary.deciding
                )
                continue
            assert value in table and "-".join(ends) in table
        if row["costs"]["total_seconds"] is not None and row["state"] == "measured":
            total = units.seconds(row["costs"]["total_seconds"])
            assert total in table and total in page.text
        if row["error"]:
            assert " ".join(row["error"].split()) in " ".join(table.split())


def test_the_json_keeps_what_the_page_needs() -> None:
    data = as_json(summaries.full())
    assert data["verdict"]["kind"] == "reached"
    assert data["rungs"][4]["metrics"]["rougeL"]["n"] == 200
    assert data["rungs"][4]["costs"]["total_seconds"] == pytest.approx(11_400 + 100_000 * 0.31)
    assert data["rungs"][4]["costs"]["money"] == pytest.approx((11_400 + 31_000) / 3600 * 1.2)
    assert data["rungs"][5]["costs"]["total_seconds"] is data["rungs"][5]["costs"]["money"] is None
    assert "money" not in as_json(summaries.undecided())["rungs"][0]["costs"]


def test_json_is_valid_whatever_a_model_wrote(tmp_path: Path) -> None:
    odd = ShownItem("1", "nan", (), {"zero-shot": ShownAnswer("å \ud83d \x00", None)})
    summary = replace(summaries.single(), items=(odd,), provenance={"loss": math.nan})
    write_json(summary, tmp_path / "deep" / "s.json")
    text = (tmp_path / "deep" / "s.json").read_text("utf-8")
    data = json.loads(text)
    assert data["items"][0]["answers"]["zero-shot"]["text"] == "å \ud83d \x00"
    assert data["provenance"] == {"loss": None} and "å" in text


@pytest.mark.parametrize("name", sorted(summaries.ALL))
@pytest.mark.parametrize("width", [80, 100, 160])
def test_the_table_fits_and_is_plain_when_piped(name: str, width: int) -> None:
    text = terminal(summaries.ALL[name](), width)
    assert max(len(line.rstrip()) for line in text.splitlines()) <= min(width, 100)
    assert "\x1b" not in text and "\x00" not in text


def test_the_terminal_takes_names_as_text_not_markup() -> None:
    summary = replace(summaries.single(), study="x")
    rung = replace(summary.rungs[0], name="[bold]x[/bold]", notes=("[red]",))
    text = terminal(replace(summary, rungs=(rung,)))
    assert "[bold]x[/bold]" in text and "[red]" in text


def test_metrics_without_room_are_named() -> None:
    assert "no room here for rouge1, rouge2" in terminal(summaries.full(), 80)
    assert "no room" not in terminal(summaries.full(), 100)


@pytest.mark.parametrize("name", ["raced", "unfinished"])
def test_all_three_say_by_which_evidence_rungs_left_and_what_that_saved(name: str) -> None:
    summary = summaries.ALL[name]()
    data, table = as_json(summary), " ".join(terminal(summary).split())
    page = " ".join(Page(render_html(summary)).text.split())
    saved = "Saved by early decisions: 470 of 600 requests and 1 training, predicted to take 321 s."
    assert data["race"]["saved"] == saved and data["race"]["requests_saved"] == 470
    for sentence in (
        saved,
        "few-shot(3) left after 40 of 200 items: at most 24.4: it misses rougeL 25.0.",
        "lora was not asked: zero-shot, predicted to cost less, reaches it.",
        "n = 40",
        "n = 90",
        "not asked yet" if name == "unfinished" else "not built",
    ):
        assert sentence in table and sentence in page
    if name == "raced":  # by how much it costs was predicted; what it really costs nobody knows
        assert "not built: a rung predicted to cost less had reached the target" in page
    assert data["race"]["departures"][0]["evidence"] in table
    assert Summary.from_json(json.loads(json.dumps(summary.as_json()))) == summary


def test_all_three_say_what_was_forgotten_and_who_is_refused() -> None:
    summary = summaries.ALL["guarded"]()
    data, table = as_json(summary), " ".join(terminal(summary, 160).split())
    page = Page(render_html(summary))
    rows = ["|".join(cell.strip() for cell in row) for row in page.rows]
    assert data["rungs"][-1]["forgetting"]["guards"][0]["drop"] == 0.3
    assert "echo accuracy 100.0 before, 70.0 after, 30.0 lost" in table
    assert "95 % interval 24.0 to 37.0 lost, at most 40.2 lost, allowed 10" in table
    for line in (
        "|200|100.0|70.0|30.0 lost|24.0 to 37.0 lost|at most 40.2 lost|10",
        "bits per byte|12 pieces|1.250|1.500|0.250 more|0.200 to 0.310 more|–|–",
    ):
        assert any(line in row for row in rows)
    for said in ("30.0 lost", "refused", "on echo it falls by 30.0 points"):
        assert said in page.text
    assert "30.0 0" in table and "lost refused" in table
    assert "forgetting" not in terminal(summaries.undecided())


def test_all_three_say_how_far_builds_lie_apart_and_that_it_is_no_interval() -> None:
    summary = summaries.ALL["seeded"]()
    data, table = as_json(summary), " ".join(terminal(summary).split())
    page = Page(render_html(summary))
    rows = ["|".join(cell.strip() for cell in row) for row in page.rows]
    few, winner = data["spread"]["rungs"]
    assert winner["values"][:2] == [0.341, 0.262] and few["values"][1] is few["mean"] is None
    assert (winner["low"], winner["high"]) == (0.262, 0.352)
    assert "lora: seed 0 34.1, seed 1 26.2, seed 2 30.0" in table
    assert "mean 31.8, 26.2 to 35.2 (n = 200)" in table
    assert any("lora|31.8|26.2 to 35.2||200|34.1|26.2|30.0|33.3" in row for row in rows)
    assert any("bm25)|–|–||200|21.4|–|20.0" in row for row in rows)
    for said in ("no interval of the population", "more than the 5.1 points", "on no rung's bill"):
        assert said in table and page.text.count(said) == 1
    assert Summary.from_json(json.loads(json.dumps(summary.as_json()))) == summary
    nothing = summaries.ALL["unseeded"]()
    assert "No rung that the verdict hangs on" in terminal(nothing)
    assert "Over seeds" in Page(render_html(nothing)).text
    assert "Over seeds" not in Page(render_html(summaries.full())).text
