"""Rungs built on minute models, and what comes of them, for the tests of training methods."""

from __future__ import annotations

import gc
from collections.abc import Sequence

import pytest

from stepladder.adaptation import Adaptation
from stepladder.engines.hf import HFEngine
from stepladder.ledger import StudyLog
from stepladder.methods import parse_rung
from stepladder.records import Example, Query, Sampling
from stepladder.study.bench import StudyBench
from stepladder.study.dev import DevExaminer
from stepladder.study.watch import Silent
from stepladder.tasks import Task

TRAIN = tuple(Example(f"r{i}", f"cat {i}", (f"dog {i}",)) for i in range(8))
QUERIES = [Query(f"q{i}", f"the cat {i}") for i in range(5)]
SAMPLING = Sampling(max_new_tokens=6)


def adapted(text: str, base: Adaptation, log: StudyLog) -> tuple[Adaptation, StudyBench]:
    task = Task("t", None, TRAIN, (), TRAIN, metrics=("exact_match",))
    examiner = DevExaminer(task, HFEngine, Silent())
    bench = StudyBench(log, 0, Silent(), before_training=gc.collect, examiner=examiner)
    for method in parse_rung(text).methods:
        base = method.adapt(base, TRAIN, (), bench)
    return base, bench


def answers(adaptation: Adaptation) -> dict[str, str]:
    engine = HFEngine(adaptation.checkpoint)
    return {g.id: g.text for g in adaptation.generate(engine, QUERIES)}


def scores(adaptation: Adaptation) -> float:
    """Log-likelihood of an answer to every query, summed."""
    pairs = [(adaptation.prompter.render(query), "a dog") for query in QUERIES]
    return sum(found.total for found in HFEngine(adaptation.checkpoint).log_likelihood(pairs))


def answers_alike_without(
    ways: Sequence[str], tuned: Adaptation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scores and greedy tokens stay what they are where the engine may not take its own paths."""
    pairs = [(tuned.prompter.render(query), "a dog") for query in QUERIES]
    fast = HFEngine(tuned.checkpoint)
    shared = [found.total for found in fast.log_likelihood(pairs)]
    for way in ways:
        monkeypatch.setattr(HFEngine, way, lambda self, base: (None, "for the test"))
    slow = HFEngine(tuned.checkpoint)
    assert [found.total for found in slow.log_likelihood(pairs)] == pytest.approx(shared, abs=1e-3)
    prompts = [prompt for prompt, _ in pairs]
    found = [{c.index: c.tokens for c in e.generate(prompts, SAMPLING)} for e in (fast, slow)]
    assert found[0] == found[1]
    assert slow.path.name == "generate"
