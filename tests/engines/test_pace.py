"""What a request takes: arithmetic, the probe of the engine, and models it does not tell of."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from stepladder.checkpoints import resolve
from stepladder.engines.hf import HFEngine
from stepladder.engines.pace import Asked, Pace, pace_of
from stepladder.records import Prompt, Sampling

ALONE = Asked(shared=0, own=20, answer=5, longest=5, rows=1, requests=1)


def test_a_request_is_a_pass_over_its_prompt_and_a_step_a_token() -> None:
    pace = Pace(token=1e-3, step=1e-2, row=1e-3)
    assert pace.seconds(ALONE) == pytest.approx(20e-3 + 4e-2)
    none = ALONE._replace(answer=1, longest=1)  # its only token comes of the prompt's pass
    assert pace.seconds(none) == pytest.approx(20e-3)


def test_rows_share_a_step_and_what_prompts_begin_with() -> None:
    pace = Pace(token=1e-3, step=1e-2, row=1e-3)
    many = ALONE._replace(rows=10, shared=50, requests=100)
    assert pace.seconds(many) == pytest.approx(20e-3 + 0.5e-3 + 4 * (9e-3 + 10e-3) / 10)
    uneven = many._replace(longest=9)  # four more steps, in which one row is left of ten
    assert pace.seconds(uneven) - pace.seconds(many) == pytest.approx(4 * 9e-3 / 10)


def test_the_engine_is_probed_once_and_nothing_is_drawn(tiny_llama: Path) -> None:
    pace_of.cache_clear()
    torch.manual_seed(3)
    pace = pace_of(str(tiny_llama), "float32")
    drawn = torch.rand(3)
    assert pace is not None
    assert pace.token > 0
    assert 0 < pace.step < 5
    assert 0 <= pace.row < pace.step
    torch.manual_seed(3)
    assert torch.equal(drawn, torch.rand(3))
    assert pace_of(str(tiny_llama), "float32") is pace


def test_layers_of_two_kinds_are_cut(tiny_model: Callable[[str], Path]) -> None:
    assert pace_of(str(tiny_model("gemma2")), "float32") is not None


def test_models_off_the_shared_path_have_none(
    tiny_t5: Path, tiny_model: Callable[[str], Path]
) -> None:
    assert pace_of(str(tiny_t5), "float32") is None
    assert pace_of(str(tiny_model("bloom")), "float32") is None


def test_a_model_that_would_fill_the_memory_is_not_made(
    tiny_llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pace_of.cache_clear()
    monkeypatch.setattr("stepladder.checkpoints.free_bytes", lambda _: 1000)
    assert pace_of(str(tiny_llama), "float32") is None
    pace_of.cache_clear()


@pytest.mark.slow
def test_the_bundled_model_is_told_within_a_factor_of_three() -> None:
    """On a machine with whatever company; docs/log.md has closer figures."""
    checkpoint = resolve("embedded")
    pace = pace_of(str(checkpoint.folder), "float32")
    engine = HFEngine(checkpoint)
    prompts = [Prompt(f"{i} cats and {i} dogs live in a house by the river", ()) for i in range(10)]
    list(engine.generate(prompts[:2], Sampling(max_new_tokens=4)))
    begin = time.perf_counter()
    answers = list(engine.generate(prompts, Sampling(max_new_tokens=20)))
    measured = (time.perf_counter() - begin) / 10
    written = [answer.tokens_out for answer in answers]
    own = sum(engine.count_tokens(prompts)) / 10
    assert pace is not None
    told = pace.seconds(Asked(0, own, sum(written) / 10, max(written), 10, 10))
    assert 1 / 3 < told / measured < 3
