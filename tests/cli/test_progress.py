from __future__ import annotations

import pytest

from stepladder.cli.progress import Bars


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
