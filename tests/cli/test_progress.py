from __future__ import annotations

import pytest

from stepladder.cli.progress import Bars


def test_on_a_narrow_terminal_all_but_the_name_stays_whole(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    path = "/".join(["a-long-folder"] * 9)
    with Bars() as bars:
        bars.stage("google/flan-t5-base: few-shot(2, nearest=bm25) + lora", "training", 1300)
        bars.reach(1300, note="loss 0.513")
        bars.say(path)
    shown = capsys.readouterr().err
    for whole in ("google/flan-t5", "1300/1300", "left 0:00:00 loss 0.513", path):
        assert whole in shown


def test_a_bar_that_stopped_early_is_closed_by_the_next(capsys: pytest.CaptureFixture[str]) -> None:
    with Bars() as bars:
        bars.stage("lora", "training", None)
        bars.reach(3, 10, "loss 0.5")
        bars.stage("lora", "asking", 4)
        bars.reach(4)
        bars.say("done [with] it")
    shown = capsys.readouterr().err
    assert "3/3" in shown
    assert "4/4" in shown
    assert "done [with] it" in shown
