"""The model's layers compiled, where a training is long enough to pay for it.

    with compiling(trainer, typical, other, work, reporter):
        trainer.train()
    work.settled()["compiled_speed_up"]     # 1.16; there only where it was tried

torch.compile takes half a minute to two minutes on a processor, and what comes out of it is not
always faster. So it is tried where the training is foretold to take long, before the first update,
beside the same passes as they are: it is kept where their loss is the same and their time shorter,
and settled once. A layer is compiled by itself, for any number of rows and columns: a model's
layers are of one code, so that this takes a fraction of compiling the model.

What a compiler makes depends on what it sees first. So that is always the same batch, what it made
lies in the training's folder, and nothing is compiled after: what does not suit it (a look at dev,
a last batch of one row) is computed as it is. A training that was stopped goes on to the same
weights.

What is NOT covered: rows that read a common beginning, or a trained prefix, through a cache, in
which each layer looks for its own number.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch.fx.experimental import _config as _shapes
from transformers.modeling_layers import GradientCheckpointingLayer

from stepladder.checkpoints.prefix import Prefix
from stepladder.checkpoints.soft_prompt import soft_prompt
from stepladder.records import Json
from stepladder.training.loop import OnePass, Pass, StepladderTrainer
from stepladder.training.progress import Reporter
from stepladder.training.workfolder import WorkFolder

Batch = dict[str, Any]

LONG = 1800.0
"""Foretold seconds from which it is tried: compiling then takes a twentieth of them at most."""
_AT_LEAST = 1.04
"""Times faster that the passes must be."""
_PASSES = 3
"""Of each way; the fastest counts."""
_TOLERANCE = {"float32": 1e-3, "bf16": 3e-2}
"""Between losses and between norms of gradients of the two ways, as a share."""
_COMPILED, _AS_WRITTEN = "eager_on_recompile", "force_eager"
"""torch's names: what is compiled is used, and nothing more is compiled; nothing is used."""
_FOLDER = "TORCHINDUCTOR_CACHE_DIR"
"""torch's variable: where what is compiled is kept."""
_OPTIONS = {
    "fallback_random": True,  # what is dropped out is the same as without a compiler
    "compile_threads": 1,  # more would stay as processes, each as large as a small training
}


@contextmanager
def compiling(
    trainer: StepladderTrainer, typical: Batch, other: Batch, work: WorkFolder, reporter: Reporter
) -> Iterator[None]:
    """A training within it has its layers compiled, if that is settled or proves to pay; after it
    the model is as it was. They are compiled for the `typical` batch and timed on the `other`, of
    another size: what suits one size alone would be of no use."""
    settled = work.settled()
    layers = _layers(trainer.model, typical)
    long = settled.get("foretold_seconds", 0.0) >= LONG
    if not settled.get("compiled", bool(layers) and long):
        work.settle(settled | {"compiled": False})
        yield
        return
    trainer.before_updates = _Trial(trainer, layers, typical, other, work, reporter)
    before = os.environ.get(_FOLDER)
    # torch 2.6 calls the C++ compiler from within it, by names that begin with it.
    os.environ[_FOLDER] = str(work.compiled.absolute())
    try:
        yield
    finally:
        _as_they_were(layers)
        if before is None:
            del os.environ[_FOLDER]
        else:
            os.environ[_FOLDER] = before


def _layers(model: Any, batch: Batch) -> list[torch.nn.Module]:
    """Those that repeat; none where each looks for its own number in a cache."""
    if "common" in batch or isinstance(soft_prompt(model), Prefix):
        return []
    return [m for m in model.modules() if isinstance(m, GradientCheckpointingLayer)]


def _graphs() -> int:
    """That torch has made so far, for a compiler to compile."""
    from torch._dynamo.utils import counters

    return counters["stats"]["unique_graphs"]


def _as_they_were(layers: Sequence[torch.nn.Module]) -> None:
    for layer in layers:
        layer._compiled_call_impl = None
    torch.compiler.set_stance("default")
    torch.compiler.reset()


@dataclass(frozen=True)
class _Trial:
    """What happens before the first update."""

    trainer: StepladderTrainer
    layers: Sequence[torch.nn.Module]
    typical: Batch
    other: Batch
    work: WorkFolder
    reporter: Reporter

    def __call__(self, one_pass: OnePass) -> None:
        settled = self.work.settled()
        started = self.reporter.seconds
        with _drawing_nothing():
            try:
                found = self._compiled(one_pass)
                if "compiled" in settled:
                    return
                found |= self._paying(one_pass)
            except Exception as error:  # no compiler here, or a model that it cannot read
                found = {"compiled": False, "not_compiled": _first_line(error)}
        if not found["compiled"]:
            _as_they_were(self.layers)
        if "compiled" not in settled and "foretold_seconds" in settled:
            left = settled["foretold_seconds"] - started
            faster = found["compiled_speed_up"] if found["compiled"] else 1.0
            found["foretold_seconds"] = round(self.reporter.seconds + left / faster, 3)
        self.work.settle(settled | found)

    def _compiled(self, one_pass: OnePass) -> Json:
        """Compiles the layers, by a pass forward and back. Nothing is compiled after it."""
        start, made = time.perf_counter(), _graphs()
        for layer in self.layers:
            layer.compile(dynamic=True, options=_OPTIONS)
        # Else columns that are by chance as many as a layer's units are taken for these.
        with _shapes.patch(use_duck_shape=False):  # type: ignore[attr-defined]
            one_pass(self.typical)
        torch.compiler.set_stance(_COMPILED)
        if _graphs() == made:  # torch says nothing of it
            raise RuntimeError("the compiler is switched off, or made nothing")
        return {"compiled": True, "compile_seconds": round(time.perf_counter() - start, 1)}

    def _paying(self, one_pass: OnePass) -> Json:
        """Whether they are worth having, by passes of both ways in turn from the same draws."""
        passes: dict[str, Pass] = {}
        best = {_COMPILED: math.inf, _AS_WRITTEN: math.inf}
        for way in [*best] * _PASSES:
            torch.manual_seed(0)
            with torch.compiler.set_stance(way):
                start = time.perf_counter()
                passes[way] = one_pass(self.other)
                best[way] = min(best[way], time.perf_counter() - start)
        ratio = best[_AS_WRITTEN] / best[_COMPILED]
        found: Json = {"compiled": ratio >= _AT_LEAST, "compiled_speed_up": round(ratio, 2)}
        precision = self.work.settled()["precision"]
        if not _alike(passes[_COMPILED], passes[_AS_WRITTEN], _TOLERANCE[precision]):
            found |= {"compiled": False, "not_compiled": "loss or gradient came out otherwise"}
        return found


def _alike(one: Pass, other: Pass, tolerance: float) -> bool:
    return all(abs(a - b) <= tolerance * abs(b) for a, b in zip(one, other, strict=True))


def _first_line(error: Exception) -> str:
    """With the next, where it only leads up to that."""
    first, *more = str(error).strip().splitlines() or ["no message"]
    if first.endswith(":") and more:
        first = f"{first} {more[0].strip()}"
    return f"{type(error).__name__}: {first}"


@contextmanager
def _drawing_nothing() -> Iterator[None]:
    """What is drawn within is drawn again after it."""
    cuda = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices=cuda):
        yield
