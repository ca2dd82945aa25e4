"""The recipe of the small T5: what its pretraining asks."""

from __future__ import annotations

import sys
from pathlib import Path
from random import Random

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from recipes.small_t5.train import GAPS, RUN, SHARE, with_gaps  # noqa: E402


@pytest.mark.parametrize("count", [1, 2, 7, 40, 300, 2000])
def test_a_text_can_be_put_together_again(count: int) -> None:
    words = [f"w{number}" for number in range(count)]
    for seed in range(20):
        shown, told = with_gaps(Random(seed), words)
        runs: list[list[str]] = []
        for word in told.split():
            if word.startswith("<"):
                runs.append([])
            else:
                runs[-1].append(word)
        filled: list[str] = []
        marks = [word for word in shown.split() if word.startswith("<")]
        assert marks == [f"<extra_id_{number}>" for number in range(len(marks))]
        for word in shown.split():
            filled += runs.pop(0) if word.startswith("<") else [word]
        assert filled == words
        assert not runs
        left_out = sum(not word.startswith("<") for word in told.split())
        assert left_out == max(1, round(SHARE * count))
        assert len(shown.split()) - (count - left_out) == min(GAPS, max(1, round(left_out / RUN)))
