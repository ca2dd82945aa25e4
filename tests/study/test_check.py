from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stepladder.checkpoints import resolve
from stepladder.engines.opening import open_engine
from stepladder.study import check
from stepladder.study.plan import make_plan
from stepladder.tasks import Task


def test_a_models_tokenizer_is_opened_once_for_all_that_is_foretold(
    make_task: Callable[..., Task],
    tiny_llama: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened: list[Any] = []

    def noted(checkpoint: Any) -> Any:
        opened.append(checkpoint)
        return open_engine(checkpoint)

    monkeypatch.setattr(check, "open_engine", noted)
    monkeypatch.setattr(check, "seconds_here", lambda _: lambda _, asked: asked.shared)
    plan = make_plan(make_task(), [resolve(str(tiny_llama))], ["one-shot", "zero-shot"])
    found = check.foresee(plan, tmp_path / "none.db")
    assert [p.name for p in found.predictions] == ["zero-shot", "one-shot"]
    assert len(opened) == 1
    check.as_climbed(plan, [], check.seconds_here("float32"))
    assert len(opened) == 2
