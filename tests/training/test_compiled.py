"""Compiled layers: the same training, where it is long and they pay, and the same after a stop."""

from __future__ import annotations

import math
import os
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from stepladder.training import compiled
from stepladder.training.batches import Collator, Encoded, Row
from stepladder.training.fit import _two_batches
from stepladder.training.progress import Reporter
from stepladder.training.workfolder import WorkFolder

LAYERS = {"llama": 2, "t5": 4}
UPDATES = 10
"""Of 18 rows in fours, twice."""


@pytest.fixture
def begin(make_job, train, tmp_path) -> Callable[..., Any]:
    """One training of two passes in float32, every row read whole."""

    def begun(name: str, method: str = "lora(dropout=0.1)", model: str = "llama", **choices: Any):
        job = make_job(method, model=model, epochs=2)
        work = WorkFolder(tmp_path / name)
        work.open_for(job)
        plain = {"precision": "float32", "bf16_speed_up": None}
        plain |= {"logits": "answers", "shares_beginnings": False}
        work.settle(plain | choices | work.settled())
        return train(job, work.root)

    return begun


class Recorded:
    """A compiler that hands back what it was given, and counts."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.factor = 1.0

    def __call__(self, graph: Any, inputs: Any) -> Callable[..., Any]:
        self.counts["made"] += 1

        def run(*given: Any) -> Any:
            self.counts["used"] += 1
            return tuple(self.factor * out for out in graph(*given))

        return run


@pytest.fixture
def compiler(monkeypatch) -> Recorded:
    backend = Recorded()
    compile_ = torch.nn.Module.compile

    def recorded(module: torch.nn.Module, *, dynamic: bool, options: Any) -> None:
        compile_(module, dynamic=dynamic, backend=backend)

    monkeypatch.setattr(torch.nn.Module, "compile", recorded)
    return backend


@pytest.fixture
def long(monkeypatch) -> None:
    """Any training is long enough."""
    monkeypatch.setattr(compiled, "LONG", 0.0)


def losses(log: Any) -> list[float]:
    return [loss for name in ("losses", "dev_losses") for _, loss in log[name]]


@pytest.mark.parametrize(
    ("method", "model"),
    [
        ("lora(dropout=0.1)", "llama"),
        ("full", "t5"),
        ("full(checkpointing=yes)", "llama"),
        ("lora + prompt-tuning(20, lr=0.05)", "llama"),
    ],
)
def test_compiled_layers_are_used_and_train_the_same(begin, compiler, method, model):
    fast = begin("compiled", method, model, compiled=True).log
    made, used = compiler.counts["made"], compiler.counts["used"]
    assert made <= LAYERS[model]
    unpadded = 1 if model == "t5" else 0  # a pass without a mask, for which none are compiled
    assert used >= LAYERS[model] * (UPDATES + 1 - unpadded)  # and the pass that compiles
    plain = begin("plain", method, model, compiled=False).log
    assert compiler.counts == {"made": made, "used": used}
    assert losses(fast) == pytest.approx(losses(plain), rel=2e-4)


@pytest.mark.usefixtures("long")
@pytest.mark.parametrize(("least", "kept"), [(0.0, True), (math.inf, False)])
def test_they_are_kept_where_they_pay(begin, compiler, monkeypatch, least, kept):
    monkeypatch.setattr(compiled, "_AT_LEAST", least)
    tried = begin("tried")
    assert tried.log["compiled"] is kept
    assert tried.log["compiled_speed_up"] > 0
    assert tried.log["compile_seconds"] >= 0
    assert tried.log["foretold_seconds"] > 0
    plain = begin("plain", compiled=False)
    assert losses(tried.log) == pytest.approx(losses(plain.log), rel=2e-4)  # nothing was drawn
    assert kept or tried.fingerprint == plain.fingerprint
    passes = 1 + compiled._PASSES + (UPDATES if kept else 0)
    assert compiler.counts["used"] == LAYERS["llama"] * passes


@pytest.mark.usefixtures("long", "compiler")
def test_what_is_compiled_is_kept_by_a_whole_path(make_job, train, monkeypatch, tmp_path):
    seen = set()
    compile_ = torch.nn.Module.compile

    def looked(module: torch.nn.Module, **settings: Any) -> None:
        seen.add(os.environ["TORCHINDUCTOR_CACHE_DIR"])
        compile_(module, **settings)

    monkeypatch.setattr(torch.nn.Module, "compile", looked)
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "before")
    monkeypatch.chdir(tmp_path)
    train(make_job(epochs=1), Path("here"))
    assert seen == {str(tmp_path / "here" / "compiled")}
    assert os.environ["TORCHINDUCTOR_CACHE_DIR"] == "before"


@pytest.mark.usefixtures("long")
def test_layers_that_come_out_otherwise_are_not_used(begin, compiler):
    compiler.factor = 1.1
    tried = begin("tried")
    assert tried.log["compiled"] is False
    assert tried.log["not_compiled"] == "loss or gradient came out otherwise"
    assert tried.fingerprint == begin("plain", compiled=False).fingerprint


@pytest.mark.parametrize(
    ("settled", "message", "told"),
    [
        ({}, "no C++ compiler\nmuch more about it", "no C++ compiler"),
        ({}, "'inductor' raised:\nno C++ compiler\nmore", "'inductor' raised: no C++ compiler"),
        ({"compiled": True}, "", "no message"),
    ],
)
@pytest.mark.usefixtures("long")
def test_where_there_is_no_compiler_a_training_goes_on_without(
    begin, monkeypatch, settled, message, told
):
    def missing(*_: Any, **__: Any) -> None:
        raise RuntimeError(message)

    monkeypatch.setattr(torch.nn.Module, "compile", missing)
    tried = begin("tried", **settled)
    assert tried.log["compiled"] is False
    assert tried.log["not_compiled"] == f"RuntimeError: {told}"
    assert tried.fingerprint == begin("plain", compiled=False).fingerprint


@pytest.mark.parametrize("rows", [1, 3, 5, 8, 9])
def test_they_are_compiled_for_as_many_rows_as_most_updates_have(make_job, rows):
    train = Encoded([Row((1,) * length, (2,)) for length in range(1, rows + 1)], [])
    two = _two_batches(train, Collator(pad=0, encoder_decoder=False), make_job())
    assert [len(batch["input_ids"]) for batch in two] == [min(rows, 4)] * 2


def test_a_short_training_is_not_tried(begin, compiler):
    log = begin("short").log
    assert log["compiled"] is False
    assert "compile_seconds" not in log and not compiler.counts


@pytest.mark.usefixtures("long")
@pytest.mark.parametrize(
    "method", ["prompt-tuning(4, kind=prefix)", "lora + prompt-tuning(20, lr=0.05)"]
)
def test_layers_that_read_a_cache_are_not_tried(make_job, train, tmp_path, compiler, method):
    log = train(make_job(method, epochs=1), tmp_path).log
    assert log["compiled"] is False and not compiler.counts
    assert log["shares_beginnings"] or "prefix" in method


@pytest.mark.parametrize("settled", [{}, {"compiled": True}])
@pytest.mark.usefixtures("long")
def test_a_compiler_that_is_switched_off_is_not_said_to_be_used(
    begin, compiler, monkeypatch, settled
):
    monkeypatch.setattr(compiled, "_AT_LEAST", 0.0)
    monkeypatch.setenv("TORCHDYNAMO_DISABLE", "1")
    log = begin("off", **settled).log
    assert log["compiled"] is False and "compiled_speed_up" not in log and not compiler.counts
    assert "switched off" in log["not_compiled"]


class Broken(torch.autograd.Function):
    """A layer's end that is computed forward and not back."""

    @staticmethod
    def forward(ctx: Any, states: torch.Tensor) -> torch.Tensor:
        return states.clone()

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("no code for this gradient")


@pytest.mark.usefixtures("long")
def test_a_pass_that_breaks_off_on_its_way_back_leaves_no_gradient(begin, compiler, monkeypatch):
    made = compiler.__call__

    def broken(_: Recorded, graph: Any, inputs: Any) -> Callable[..., Any]:
        run = made(graph, inputs)
        return lambda *given: tuple(map(Broken.apply, run(*given)))

    monkeypatch.setattr(Recorded, "__call__", broken)
    tried = begin("tried", "full")
    assert tried.log["not_compiled"] == "RuntimeError: no code for this gradient"
    assert tried.fingerprint == begin("plain", "full", compiled=False).fingerprint


class Cut(Exception):
    """Stands for whatever ends a training."""


@pytest.mark.skipif(
    not any(map(shutil.which, ("g++", "clang++"))), reason="there is no C++ compiler here"
)
@pytest.mark.usefixtures("long")
def test_a_compiled_training_that_was_stopped_ends_with_the_same_weights(
    begin, monkeypatch, tmp_path
):
    monkeypatch.setattr(compiled, "_AT_LEAST", 0.0)
    whole = begin("whole")
    assert whole.log["compiled"] is True
    assert not (tmp_path / "whole" / "compiled").exists()

    def cut(self, step, *args, **kwargs):
        if step == 7:
            raise Cut

    with monkeypatch.context() as patched:
        patched.setattr(Reporter, "report", cut)
        with pytest.raises(Cut):
            begin("cut")
    assert list((tmp_path / "cut" / "compiled").iterdir())
    again = begin("cut")
    assert again.log["compiled"] is True
    assert again.fingerprint == whole.fingerprint
    plain = begin("plain", compiled=False)
    assert losses(again.log) == pytest.approx(losses(plain.log), rel=2e-4)
