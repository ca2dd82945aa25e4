"""Rungs built on minute models, and what comes of them, for the tests of training methods."""

from __future__ import annotations

import gc

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
