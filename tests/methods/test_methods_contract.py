"""What holds for every registered method, prompting and training alike."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stepladder import registry
from stepladder.adaptation import Adaptation, Prompter
from stepladder.adaptation.export import save
from stepladder.checkpoints import fingerprint, resolve
from stepladder.engines.opening import open_engine
from stepladder.errors import CheckpointError, OutputError, TrainingError
from stepladder.ledger import Ledger, StudyLog
from stepladder.records import Example, Query, Sampling
from stepladder.study.bench import StudyBench
from stepladder.study.dev import DevExaminer
from stepladder.study.watch import Silent
from stepladder.tasks import Task
from stepladder.tasks.knowledge import find_knowledge

TRAIN = tuple(Example(f"r{i}", f"cat {i}", (f"dog {i}",)) for i in range(12))
DEV = tuple(Example(f"d{i}", f"cat {i + 20}", (f"dog {i + 20}",)) for i in range(4))
QUERIES = [Query(f"q{i}", f"the cat {i}") for i in range(3)]
SETTINGS = {
    "decoding": "(temperature=0|1, n=1|2)",
    "few-shot": "(2)",
    "rag": "(k=1, by=bm25)",
    "lora": "(rank=2, epochs=1)",
    "full": "(epochs=1)",
}

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StudyLog]:
    with Ledger.open(tmp_path_factory.mktemp("contract") / "ledger.db") as ledger:
        yield ledger.start("contract", {})


@pytest.fixture(params=[*sorted(registry.names("methods")), "prompt-tuning(3, kind=prefix)"])
def method(request: pytest.FixtureRequest) -> Any:
    return registry.build("methods", request.param + SETTINGS.get(request.param, ""))


@pytest.fixture
def base(tiny_llama: Path) -> Adaptation:
    sampling = Sampling(max_new_tokens=6)
    return Adaptation(resolve(str(tiny_llama)), Prompter("Change it."), sampling=sampling)


def adapted(method: Any, base: Adaptation, log: StudyLog) -> tuple[Adaptation, StudyBench]:
    known = find_knowledge(["rag.md"], Path(__file__).parent)
    task = Task("t", None, TRAIN, DEV, DEV, metrics=("exact_match",))
    examiner = DevExaminer(task, open_engine, Silent())
    bench = StudyBench(
        log, 0, Silent(), before_training=gc.collect, examiner=examiner, knowledge=known
    )
    return method.adapt(base, TRAIN, DEV, bench), bench


def answers(adaptation: Adaptation) -> dict[str, str]:
    engine = open_engine(adaptation.checkpoint)
    try:
        return {g.id: g.text for g in adaptation.generate(engine, QUERIES)}
    finally:
        engine.close()


def test_same_seed_same_adaptation_and_the_base_stays_as_it_is(
    method: Any, base: Adaptation, log: StudyLog, tmp_path: Path
) -> None:
    before = fingerprint(base.checkpoint.folder)
    one, bench = adapted(method, base, log)
    with Ledger.open(tmp_path / "other.db") as other:
        two, _ = adapted(method, base, other.start("contract", {}))
    assert one.prompter == two.prompter
    assert one.checkpoint.identity == two.checkpoint.identity
    assert fingerprint(base.checkpoint.folder) == before
    learns = method.fills in (None, "head")
    assert learns == bool(bench.builds)
    assert learns == (one.checkpoint.identity != base.checkpoint.identity)
    again, second = adapted(method, base, log)
    assert again == one
    assert second.trainings == 0


def test_saved_and_loaded_it_answers_the_same(
    method: Any, base: Adaptation, log: StudyLog, tmp_path: Path
) -> None:
    adaptation, _ = adapted(method, base, log)
    save(adaptation, tmp_path / "out", "# card\n")
    loaded = Adaptation.load(tmp_path / "out")
    assert loaded.prompter == adaptation.prompter
    assert loaded.checkpoint.identity == adaptation.checkpoint.identity
    assert answers(loaded) == answers(adaptation)
    with pytest.raises(OutputError, match="not empty"):
        save(adaptation, tmp_path / "out", "")
    assert not list(tmp_path.glob(".*"))


def test_only_train_and_dev_are_in_what_it_makes(
    method: Any, base: Adaptation, log: StudyLog
) -> None:
    adaptation, bench = adapted(method, base, log)
    known = {e.id for e in (*TRAIN, *DEV)}
    shown = adaptation.prompter.demonstrations
    assert {d.id for d in shown.pool} <= known if shown else True
    assert not any(hasattr(bench, name) for name in ("test", "task", "plan"))


def test_a_checkpoint_that_changed_after_export_is_refused(
    base: Adaptation, tmp_path: Path
) -> None:
    save(base, tmp_path / "out", "")
    config = tmp_path / "out" / "generation_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"bos_token_id": 5}))
    with pytest.raises(CheckpointError, match="not the ones that were exported"):
        Adaptation.load(tmp_path / "out")


def test_an_exception_in_training_is_a_training_error(
    base: Adaptation, log: StudyLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    method = registry.build("methods", "lora(targets=no_such_layer)")
    with pytest.raises(TrainingError, match="no_such_layer"):
        adapted(method, base, log)
