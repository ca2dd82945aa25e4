"""Hands a rung over as a folder that answers as it did in the study, or does not hand it over.

    export("runs/ledger.db", "demo", Path("winner"))

Before the folder gets its name, its model is loaded from it as anybody would, and where it is an
adapter merged into its base as well. Each form is given prompts of the study again, in float32:
greedy tokens must be the same up to ties, and log-likelihoods within 1e-3 nats; a head's answers
must be the same. A form that answers otherwise ends the export, and the error names the likely
cause.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from stepladder.adaptation import Adaptation
from stepladder.adaptation.export import save
from stepladder.checkpoints import is_soft_prompt
from stepladder.engines.head import HeadEngine
from stepladder.engines.hf import HFEngine
from stepladder.engines.sameness import Sameness, hold, observe
from stepladder.errors import (
    CheckpointError,
    EngineError,
    LedgerError,
    OutputError,
    nearest_name,
)
from stepladder.ledger import Ledger, StudyLog
from stepladder.records import Checkpoint, Prompt, Sampling, prompt_from_json
from stepladder.study.card import model_card, sameness_section
from stepladder.study.recorded import RecordedEngine
from stepladder.study.study import load_summary
from stepladder.study.summary import RungSummary, Summary

ITEMS = 120
"""Prompts of the study that every form is asked; all of them where the study has fewer."""


_NO_WINNER = {
    "undecided": "is undecided",
    "not-reached": "has no rung that reaches the target",
    "refused": "refused every rung for what it forgets",
}
"""Why a finished study names no rung, by its verdict."""


class Exported(NamedTuple):
    """What was handed over."""

    rung: RungSummary
    forms: tuple[Sameness, ...]
    """How each form of it answered, held against the study; none where the ledger is of a version
    that did not keep prompts."""


def export(
    ledger: str | Path,
    study: str,
    folder: Path,
    rung: str | None = None,
    *,
    merged: bool = False,
) -> Exported:
    """Writes a rung of a finished study, the winner unless another is named, to a folder; with
    `merged` an adapter is added into its base's weights.

    Raises LedgerError for a study or rung that is not there, OutputError for the folder and for
    weights that answer otherwise once they are written.
    """
    with Ledger.open(ledger, create=False) as opened:
        summary = load_summary(ledger, study)
        row, adaptation = _chosen(opened.study(study), summary, rung)
        if merged and not getattr(adaptation.checkpoint, "adapters", ()):
            raise OutputError(f"rung '{row.name}' has no adapter to merge; leave --merged out")
        found: list[Sameness] = []

        def examine(part: Path) -> str:
            found.extend(_held(opened, study, row.name, adaptation, part))
            return sameness_section(found)

        card = model_card(summary, row, adaptation.checkpoint, merged=merged)
        save(adaptation, folder, card, merged=merged, examine=examine)
    return Exported(row, tuple(found))


def _chosen(log: StudyLog, summary: Summary, rung: str | None) -> tuple[RungSummary, Adaptation]:
    """The rung to hand over, with its adaptation. Raises LedgerError."""
    study, name = summary.study, rung or summary.verdict.rung
    if name is None:
        why = _NO_WINNER[summary.verdict.kind]
        exportable = [
            r.name for r in summary.rungs if r.state == "measured" and r.model != "outputs"
        ]
        raise LedgerError(
            f"study '{study}' {why}, so it has no winner; choose with --rung: "
            + ", ".join(exportable)
        )
    rows = {r.name: r for r in summary.rungs}
    if name not in rows:
        raise LedgerError(f"study '{study}' has no rung '{name}'; {nearest_name(name, rows)}")
    kept = [e.payload["adaptation"] for e in log.events("adapted") if e.payload["rung"] == name]
    if not kept:
        why = rows[name].error or (
            "its outputs came from a file" if rows[name].model == "outputs" else "it was not built"
        )
        raise LedgerError(f"rung '{name}' cannot be exported: {why}")
    return rows[name], Adaptation.from_json(kept[-1])


def _held(
    ledger: Ledger, study: str, rung: str, adaptation: Adaptation, folder: Path
) -> Iterator[Sameness]:
    """Every form of what was written, held against the study. Raises OutputError."""
    log, checkpoint = ledger.study(study), adaptation.checkpoint
    assert isinstance(checkpoint, Checkpoint)  # an endpoint has no weights to write
    if checkpoint.head is not None:
        yield from _held_head(ledger, study, rung, folder)
        return
    sampling = replace(adaptation.drawing, temperature=0.0, beams=1)
    with closing(HFEngine(checkpoint)) as engine:
        asked = [pair for pair in _asked(ledger, study, rung) if engine.fits(*pair)][:ITEMS]
        if not asked:
            return
        prompts, answers = zip(*asked, strict=True)
        recorded = RecordedEngine(engine, log)
        studied = observe(engine, prompts, answers, sampling, asked_through=recorded)
    written = Adaptation.load(folder).checkpoint
    assert isinstance(written, Checkpoint)
    forms = {"as written": HFEngine(written)}
    if written.adapters and not is_soft_prompt(written.adapters[-1].folder):
        forms["merged into its base"] = HFEngine(written, merged=True)
    for form, engine in forms.items():
        with closing(engine):
            try:
                yield hold(form, engine, studied)
            except (EngineError, CheckpointError) as error:
                raise OutputError(f"nothing was exported: {error}") from error


def _held_head(ledger: Ledger, study: str, rung: str, folder: Path) -> Iterator[Sameness]:
    """The head as written, held against the study's answers. Raises OutputError."""
    written = Adaptation.load(folder)
    assert isinstance(written.checkpoint, Checkpoint)
    with closing(HeadEngine(written.checkpoint)) as engine:
        kept = [
            (prompt_from_json(answer.recipe["prompt"]), answer.payload)
            for answer in ledger.answers(study)
            if answer.recipe["parts"][0] == engine.identity
        ][:ITEMS]
        if not kept:
            return
        gap = 0.0
        for completion in engine.generate([prompt for prompt, _ in kept], Sampling()):
            before = kept[completion.index][1]
            if completion.text != before["text"]:
                raise OutputError(
                    f"nothing was exported: the head of '{rung}' answers {completion.text!r} "
                    f"where it answered {before['text']!r} in the study; another version of a "
                    "library may be installed, so climb again"
                )
            if completion.probability and before["probability"]:
                gap = max(gap, abs(math.log(completion.probability / before["probability"])))
    yield Sameness("as written", len(kept), 0, gap)


def _asked(ledger: Ledger, study: str, rung: str) -> list[tuple[Prompt, str]]:
    """The prompts of a study with the answers to them, those of the rung first."""
    events = ledger.study(study).events("generation")
    own = {e.payload["prompt"] for e in events if e.payload["rung"] == rung}
    first: dict[Prompt, str] = {}
    rest: dict[Prompt, str] = {}
    for answer in ledger.answers(study):
        if answer.payload["finish"] != "over-context":
            prompt = prompt_from_json(answer.recipe["prompt"])
            into = first if answer.recipe["parts"][1] in own else rest
            into.setdefault(prompt, answer.payload["text"])
    return [*first.items(), *((p, text) for p, text in rest.items() if p not in first)]
