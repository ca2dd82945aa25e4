"""The report as one page that needs nothing but itself.

write_html(summary, Path("runs/demo/report.html"))
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from stepladder.records import ProgramRun
from stepladder.report import units
from stepladder.report.axes import STRIP
from stepladder.report.differences import compare
from stepladder.report.evidence import KINDS, WAYS
from stepladder.report.files import write_whole
from stepladder.report.frame import render_page
from stepladder.report.picture import draw
from stepladder.report.trials import trials_of
from stepladder.report.view import COSTS, look
from stepladder.study.summary import (
    PROGRAM_FATES,
    Comparison,
    ProgramFate,
    ShownItem,
    Summary,
)


def render_html(summary: Summary) -> str:
    """The whole page. The same summary gives the same page, byte for byte."""
    return render_page(
        "report.html.j2",
        summary=summary,
        view=look(summary),
        pictures={
            "wide": draw(summary, breadth=760, height=400, named=True),
            "narrow": draw(summary, breadth=340, height=320, named=False),
        },
        pairs=[_pair(comparison, summary) for comparison in summary.comparisons],
        items=[_item(item, summary) for item in summary.items],
        prompts=_prompts(summary),
        costs=COSTS,
        kinds=KINDS,
        ways=WAYS,
        tried=trials_of(summary),
        breadth=STRIP,
        fates=[fate for fate in PROGRAM_FATES if _occurs(fate, summary)],
    )


def write_html(summary: Summary, path: Path) -> None:
    """Writes the page, whole or not at all. Raises OutputError."""
    write_whole(path, render_html(summary).encode("utf-8"))


def _occurs(fate: ProgramFate, summary: Summary) -> bool:
    return any(rung.programs is not None and fate in rung.programs.fates for rung in summary.rungs)


class _Pair(NamedTuple):
    better: str
    worse: str
    difference: str
    interval: str
    p: str
    p_holm: str
    n: str


def _pair(pair: Comparison, summary: Summary) -> _Pair:
    score = summary.deciding_score
    times = score.times if score else 1.0
    return _Pair(
        better=pair.better,
        worse=pair.worse,
        difference=units.signed(pair.difference, times),
        interval=units.interval(pair.low, pair.high, times),
        p=units.probability(pair.p),
        p_holm=units.probability(pair.p_holm),
        n=units.DASH if pair.n is None else f"{pair.n:,}",
    )


class _Answer(NamedTuple):
    rung: str
    number: int
    text: str
    pieces: Sequence[tuple[str, bool]] | None
    """The text in runs, with whether the first reference has them; None: too long to compare."""
    failure: str | None
    runs: Sequence[ProgramRun]
    same_as: int | None
    """The first rung above with the same answer."""
    winner: bool
    probability: float | None = None


class _Item(NamedTuple):
    id: str
    input: str
    references: tuple[str, ...]
    answers: tuple[_Answer, ...]


def _item(item: ShownItem, summary: Summary) -> _Item:
    answers: list[_Answer] = []
    first: dict[str, int] = {}
    for number, rung in enumerate(summary.rungs, 1):
        shown = item.answers.get(rung.name)
        if shown is None:
            continue
        text = units.legible(shown.text)
        same_as = first.setdefault(text, number) if text.strip() else number
        answers.append(
            _Answer(
                rung=rung.name,
                number=number,
                text=text,
                pieces=compare(text, units.legible(item.references[0])) if item.references else (),
                failure=shown.failure,
                runs=shown.runs,
                probability=shown.probability,
                same_as=same_as if same_as != number else None,
                winner=rung.name == summary.verdict.rung,
            )
        )
    return _Item(item.id, item.input, item.references, tuple(answers))


class _PromptView(NamedTuple):
    rungs: tuple[str, ...]
    text: str


def _prompts(summary: Summary) -> list[_PromptView]:
    """Each prompt once, under all rungs that ask it."""
    rungs: dict[str, list[str]] = {}
    for rung in summary.rungs:
        if rung.prompt is not None:
            rungs.setdefault(rung.prompt, []).append(rung.name)
    return [_PromptView(tuple(names), text) for text, names in rungs.items()]
