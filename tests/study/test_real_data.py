"""Climbs on public data, each task in its own form: summaries, translations, numbers, labels."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from stepladder.study import Study, Summary
from stepladder.tasks import Task

sys.path.insert(0, str(Path(__file__).parents[2] / "experiments"))

from public import settings_of

pytestmark = pytest.mark.slow
MODELS = {"embedded": "embedded", "stories260K": "models/stories260K"}


def bart_outputs(data: Path, folder: Path) -> Path:
    """The stored outputs of a BART-large, one line a test dialogue, as rows with ids."""
    lines = (data / "dialogsum/baseline_bart_test_output.txt").read_text("utf-8").splitlines()
    path = folder / "bart.jsonl"
    rows = [{"id": f"test_{i}", "output": line} for i, line in enumerate(lines)]
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return path


def task_of(kind: str, data: Path, folder: Path) -> dict[str, Any]:
    """The task file of each kind, as a user would write it."""
    bart = {"outputs": str(bart_outputs(data, folder)), "name": "BART"}
    own: dict[str, dict[str, Any]] = {
        "dialogsum": {"metrics": ["rougeL", "rouge1", "rouge2"], "rungs": ["zero-shot", bart]},
        "tatoeba": {
            "metrics": ["chrf", "bleu", "exact_match"],
            "rungs": ["zero-shot", "few-shot(3, nearest=bm25)", "lora(epochs=1)"],
        },
        "gsm8k": {"sampling": {"max_new_tokens": 40}, "rungs": ["zero-shot", "few-shot(1)"]},
        "sentiment": {
            "metrics": ["accuracy", "macro_f1"],
            "rungs": ["zero-shot", "few-shot(4)", "few-shot(2) + lora(epochs=1)"],
        },
    }
    return settings_of(kind, data) | own[kind]


@pytest.fixture
def climb(shared_data: Path, tmp_path: Path) -> Callable[..., Summary]:
    def run(kind: str, model: str, only_outputs: bool = False, **changes: Any) -> Summary:
        settings = task_of(kind, shared_data, tmp_path)
        settings |= {"name": kind, "sample": {"train": 64, "dev": 16, "test": 40}, **changes}
        if only_outputs:
            settings["rungs"] = [rung for rung in settings["rungs"] if isinstance(rung, dict)]
        path = tmp_path / f"{kind}.yaml"
        path.write_text(yaml.safe_dump(settings), encoding="utf-8")
        name = MODELS[model] if model == "embedded" else str(shared_data / MODELS[model])
        study = Study(Task.load(path), [name], go_on=True, ledger=tmp_path / "ledger.db")
        return study.climb()

    return run


@pytest.mark.parametrize("kind", ["dialogsum", "tatoeba", "gsm8k", "sentiment"])
def test_every_kind_of_task_is_climbed_to_a_verdict(
    climb: Callable[..., Summary], kind: str
) -> None:
    summary = climb(kind, "embedded")
    assert all(r.state == "measured" for r in summary.rungs)
    assert all(r.missing == 0 for r in summary.rungs)
    assert {s.n for r in summary.rungs for s in r.metrics.values()} == {40}
    assert summary.verdict.sentence
    for rung in summary.rungs:
        lost = {k: v for k, v in rung.failures.items() if k != "unreadable label"}
        assert sum(lost.values()) <= 4, (rung.name, rung.failures)


def test_somebodys_outputs_are_graded_beside_the_rungs(climb: Callable[..., Summary]) -> None:
    """BART-large's outputs against the best of three references, over all 500 items: 53.65 /
    30.07 / 47.08, as rouge-score's own `score_multi` gives.
    """
    summary = climb("dialogsum", "embedded", only_outputs=True, sample={"train": 64})
    bart = summary.rungs[0]
    values = [bart.metrics[name].value for name in ("rouge1", "rouge2", "rougeL")]
    assert values == pytest.approx([0.5365, 0.3007, 0.4708], abs=5e-5)


def test_a_real_checkpoint_is_asked_tuned_and_shown(climb: Callable[..., Summary]) -> None:
    summary = climb("tatoeba", "stories260K", rungs=["zero-shot", "one-shot", "lora(epochs=1)"])
    zero, one, lora = summary.rungs
    assert lora.cost.trainable and lora.cost.build_seconds and lora.cost.peak_memory
    assert lora.cost.stored
    assert one.cost.tokens_in and zero.cost.tokens_in
    assert one.cost.tokens_in > zero.cost.tokens_in
