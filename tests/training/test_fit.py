"""The fit loop inside this process: it learns, it is exact to repeat and to resume, it says why."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from stepladder.checkpoints import encode_pair, load, load_tokenizer, resolve
from stepladder.errors import TrainingError
from stepladder.records import Prompt
from stepladder.training import worker
from stepladder.training.foresight import foresee
from stepladder.training.progress import Reporter
from stepladder.training.workfolder import WorkFolder


def digest(folder) -> str:
    files = sorted(f for f in folder.rglob("*") if f.is_file())
    return hashlib.sha256(b"".join(f.read_bytes() for f in files)).hexdigest()


@pytest.mark.parametrize(("method", "model"), [("lora", "llama"), ("full", "t5")])
def test_training_learns_and_leaves_the_base_alone(make_job, train, tmp_path, method, model):
    job = make_job(method, model=model, epochs=6)
    before = digest(job.checkpoint.folder)
    build = train(job, tmp_path)
    losses = [loss for _, loss in build.log["losses"]]
    assert losses[-1] < 0.7 * losses[0]
    assert digest(job.checkpoint.folder) == before
    assert build.trainable > 0
    assert build.stored == sum(f.stat().st_size for f in build.folder.rglob("*"))
    assert build.seconds > 0
    assert build.peak_memory is None or build.peak_memory > 0
    assert build.log["rows"] == {"train": 18, "dev": 8}
    assert not (tmp_path / "checkpoints").exists()


@pytest.mark.parametrize(("rate", "noted"), [(1e-2, False), (1e-12, True)])
def test_a_training_that_does_dev_no_good_says_so(make_job, train, tmp_path, rate, noted):
    log = train(make_job("full", epochs=2, learning_rate=rate), tmp_path).log
    assert log["dev_loss_before"] > 1
    assert any("try a lower lr (now" in note for note in log["notes"]) is noted


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_dev_is_looked_at_before_the_first_update_as_after_it(make_job, train, tmp_path, precision):
    job = make_job("full", epochs=1, learning_rate=1e-12)
    work = WorkFolder(tmp_path)
    work.open_for(job)
    work.settle({"precision": precision, "bf16_speed_up": None})
    log = train(job, tmp_path).log
    assert log["dev_losses"][0][1] == log["dev_loss_before"]


@pytest.mark.parametrize(("method", "model"), [("lora", "t5"), ("full", "llama")])
def test_the_memory_of_a_training_is_foretold(
    make_job, train, tmp_path, monkeypatch, method, model
):
    monkeypatch.setattr("stepladder.training.foresight.libraries", lambda: None)
    build = train(make_job(method, model=model, epochs=1), tmp_path)
    weights = sum(f.stat().st_size for f in (tmp_path / "outcome").glob("*.safetensors"))
    assert build.log["foretold_memory"] > (4 * weights if method == "full" else weights)
    forecast = foresee(make_job(method, model=model, epochs=1)).forecast
    assert forecast.peak == build.log["foretold_tensors"]
    assert forecast.expected == pytest.approx(build.log["foretold_memory"], rel=0.02)


def test_the_time_of_a_training_is_foretold_once(make_job, train, tmp_path):
    build = train(make_job("full", epochs=1), tmp_path)
    assert 0 < build.log["foretold_seconds"]
    told = {n: foresee(make_job("full", epochs=n)).seconds for n in (2, 20)}
    assert told[20] > 4 * told[2]


def test_what_does_not_fit_is_refused_before_it_starts(make_job, train, tmp_path, monkeypatch):
    whole = train(make_job("full", epochs=1), tmp_path / "a").log["foretold_tensors"]
    free = "stepladder.training.foresight.free_bytes"
    monkeypatch.setattr(free, lambda *_, **__: int(0.72 * whole))
    with pytest.raises(
        TrainingError, match=r"full: an update needs .* with batch_size=\d it needs"
    ):
        train(make_job("full", epochs=1), tmp_path / "b")
    with pytest.raises(TrainingError, match=r"with checkpointing=yes(, batch_size=\d)? it needs"):
        train(make_job("full", epochs=1), tmp_path / "d")
    monkeypatch.setattr(free, lambda *_, **__: 0)
    with pytest.raises(TrainingError, match="one row does not fit either"):
        train(make_job("full", epochs=1), tmp_path / "c")
    assert not list((tmp_path / "c").rglob("*.safetensors"))


@pytest.mark.parametrize(
    ("method", "again", "model"),
    [
        ("lora", "lora(checkpointing=yes)", "llama"),
        ("full", "full(checkpointing=yes)", "t5"),
        ("prompt-tuning(4)", "prompt-tuning(4, checkpointing=yes)", "t5"),
        (
            "lora + prompt-tuning(20, lr=0.05)",
            "lora(checkpointing=yes) + prompt-tuning(20, lr=0.05)",
            "llama",
        ),
    ],
)
def test_activations_that_are_computed_again_change_nothing_but_memory(
    make_job, train, tmp_path, method, again, model
):
    logs = []
    for way in (method, again):
        work = WorkFolder(tmp_path / way)
        work.open_for(make_job(way, model=model, epochs=2))
        work.settle({"precision": "float32", "bf16_speed_up": None})
        logs.append(train(make_job(way, model=model, epochs=2), tmp_path / way).log)
    kept, spared = logs
    for looked in ("losses", "dev_losses"):
        found, expected = ([loss for _, loss in log[looked]] for log in (spared, kept))
        assert found == pytest.approx(expected, abs=1e-4)
    assert spared["foretold_tensors"] < kept["foretold_tensors"]
    assert spared["shares_beginnings"] is False  # they are read through a cache


def test_a_model_that_cannot_be_rehearsed_is_trained_all_the_same(
    make_job, train, tmp_path, monkeypatch
):
    def fails(*_, **__):
        raise RuntimeError("data-dependent")

    monkeypatch.setattr("stepladder.training.foresight.foretell", fails)
    log = train(make_job(epochs=1), tmp_path).log
    assert log["foretold_memory"] is log["foretold_tensors"] is None
    assert "foretold_seconds" not in log


@pytest.mark.parametrize(
    ("method", "model", "before", "shared"),
    [
        ("lora", "llama", "", False),
        ("full", "t5", "", False),
        ("lora", "llama", "the cat sat. a dog ran. " * 2, True),
        ("full", "llama", "the cat sat. a dog ran. " * 2, True),
        ("lora + prompt-tuning(20, lr=0.05)", "llama", "", True),
    ],
)
def test_the_faster_way_trains_the_same(make_job, train, tmp_path, method, model, before, shared):
    job = make_job(method, model=model, epochs=2)
    behind = tuple((replace(p, text=before + p.text), answer) for p, answer in job.train)
    job = replace(job, train=behind)
    plain = {"precision": "float32", "bf16_speed_up": None}
    logs = []
    for name, settled in (
        ("fast", plain),
        ("slow", plain | {"logits": "all", "shares_beginnings": False}),
    ):
        work = WorkFolder(tmp_path / name)
        work.open_for(job)
        work.settle(settled)
        logs.append(train(job, work.root).log)
    assert logs[0]["logits"] == "answers"
    assert logs[0]["shares_beginnings"] is shared
    for name in ("losses", "dev_losses"):
        for one, other in zip(*(log[name] for log in logs), strict=True):
            assert one == pytest.approx(other, rel=2e-4)


def test_a_training_that_was_foretold_is_the_same_training(make_job, train, tmp_path, monkeypatch):
    """The rehearsal draws nothing from the training's generator."""
    told = train(make_job("lora(dropout=0.1)", epochs=1), tmp_path / "a")
    monkeypatch.setattr("stepladder.training.fit.foretold", lambda *_: None)
    untold = train(make_job("lora(dropout=0.1)", epochs=1), tmp_path / "b")
    assert told.fingerprint == untold.fingerprint


@pytest.mark.parametrize("model", ["llama", "t5"])
def test_variants_of_lora_are_trained_and_loaded(make_job, train, tmp_path, model):
    method = "lora(rank=4, rslora=True, dora=True)"
    build = train(make_job(method, model=model, epochs=6), tmp_path)
    assert build.log["losses"][-1][1] < 0.7 * build.log["losses"][0][1]
    settings = json.loads((build.folder / "adapter_config.json").read_text())
    assert settings["use_rslora"] and settings["use_dora"]
    assert settings["lora_alpha"] == 4.0  # over the root of 4 that is a scale of 2
    tensors = load_file(build.folder / "adapter_model.safetensors")
    assert any("lora_magnitude_vector" in name for name in tensors)


def test_a_whole_checkpoint_stands_alone(make_job, train, tmp_path):
    job = make_job("full", epochs=1)
    build = train(job, tmp_path / "work")
    moved = shutil.move(build.folder, tmp_path / "elsewhere")
    tuned = resolve(str(moved))
    assert tuned.fingerprint == build.fingerprint != job.checkpoint.fingerprint
    from transformers import AutoModelForCausalLM, AutoTokenizer

    assert AutoModelForCausalLM.from_pretrained(moved).config.use_cache is True
    assert AutoTokenizer.from_pretrained(moved)("the cat") == AutoTokenizer.from_pretrained(
        job.checkpoint.folder
    )("the cat")


def test_the_same_seed_gives_the_same_adapter_and_another_another(make_job, train, tmp_path):
    prints = [
        train(make_job(epochs=1, seed=seed), tmp_path / str(i)).fingerprint
        for i, seed in enumerate((0, 0, 1))
    ]
    assert prints[0] == prints[1] != prints[2]


class Cut(Exception):
    """Stands for whatever ends a training."""


@pytest.fixture
def dev_is_best_at_10(monkeypatch):
    """Scripted dev losses, so that early stopping surely counts, and surely ends the training."""
    from stepladder.training.loop import StepladderTrainer

    honest = StepladderTrainer.compute_loss

    def scripted(self, model, *args, **kwargs):
        if model.training:
            return honest(self, model, *args, **kwargs)
        return torch.tensor(2 + abs(self.state.global_step - 10) / 10)

    monkeypatch.setattr(StepladderTrainer, "compute_loss", scripted)


@pytest.mark.usefixtures("dev_is_best_at_10")
@pytest.mark.parametrize("at", [3, 12, 18])
def test_an_interrupted_training_ends_with_the_same_weights(
    make_job, train, tmp_path, monkeypatch, at
):
    # Dropout draws from the generator, and early stopping counts: both must be taken up again.
    job = make_job("lora(dropout=0.2)", epochs=6, patience=2)
    whole = train(job, tmp_path / "whole")
    assert whole.log["steps"] == {"planned": 30, "done": 20}
    assert whole.log["best_step"] == 10

    def cut(self, step, *args, **kwargs):
        if step == at:
            raise Cut

    with monkeypatch.context() as patched:
        patched.setattr(Reporter, "report", cut)
        with pytest.raises(Cut):
            train(job, tmp_path / "cut")
    again = train(job, tmp_path / "cut")
    assert again.fingerprint == whole.fingerprint
    assert again.log["dev_losses"] == whole.log["dev_losses"]
    assert again.log["steps"] == whole.log["steps"]


@pytest.mark.usefixtures("dev_is_best_at_10")
def test_a_training_cut_before_its_outcome_was_written_does_not_train_on(
    make_job, train, tmp_path, monkeypatch
):
    job = make_job(epochs=6, patience=1)
    whole = train(job, tmp_path / "whole")
    assert whole.log["stopped_early"]

    def cut(*args):
        raise Cut

    with monkeypatch.context() as patched:
        patched.setattr("stepladder.training.outcome.write_outcome", cut)
        with pytest.raises(Cut):
            train(job, tmp_path / "cut")
    torn = tmp_path / "cut" / "checkpoints" / "checkpoint-999"
    torn.mkdir()
    (torn / "trainer_state.json").write_text('{"global_step": 9')
    assert train(job, tmp_path / "cut").fingerprint == whole.fingerprint


def test_three_rows_and_no_dev_are_enough(make_job, train, tmp_path):
    job = make_job(epochs=2)
    build = train(make_job(train=job.train[:3], dev=(), epochs=2), tmp_path)
    assert build.log["steps"] == {"planned": 2, "done": 2}
    assert "no dev rows" in build.log["stopped_by"]
    assert build.log["dev_losses"] == []


def test_rows_that_do_not_fit_are_named(make_job, train, tmp_path):
    job = make_job()
    long = (Prompt("zq" * 200, (), joint=" "), "cat")
    build = train(make_job(train=(*job.train[:4], long), epochs=1), tmp_path / "some")
    assert build.log["left_out"]["train"] == [4]
    note = build.log["notes"][0]
    assert note.startswith("1 of 5 train rows were left out") and "256 tokens" in note
    tokenizer = load_tokenizer(job.checkpoint)
    once = [encode_pair(tokenizer, *pair, encoder_decoder=False) for pair in job.train[:4]]
    assert build.log["trained_tokens"] == sum(len(p.prompt_ids) + len(p.answer_ids) for p in once)
    with pytest.raises(TrainingError, match="none of the 1 training rows fits.*256 tokens"):
        train(make_job(train=(long,)), tmp_path / "none")


def test_a_loss_that_is_no_number_ends_the_training_and_keeps_the_checkpoint(
    make_job, train, tmp_path, monkeypatch
):
    from stepladder.training.loop import StepladderTrainer

    honest = StepladderTrainer.compute_loss

    def spoilt(self, *args, **kwargs):
        loss = honest(self, *args, **kwargs)
        return loss * float("nan") if self.state.global_step == 6 else loss

    monkeypatch.setattr(StepladderTrainer, "compute_loss", spoilt)
    with pytest.raises(TrainingError, match="loss became nan at update 7 of 15, on .*; lower lr"):
        train(make_job(), tmp_path)
    assert WorkFolder(tmp_path).newest_checkpoint().name == "checkpoint-5"


@pytest.mark.parametrize("named", [True, False])
def test_a_loss_that_is_no_number_names_the_rows_of_its_batch(
    make_job, train, tmp_path, monkeypatch, named
):
    from stepladder.training.loop import StepladderTrainer

    long = (Prompt("zq" * 200, (), joint=" "), "cat")  # left out, so that places differ
    rows = (long, *make_job().train)
    names = [f"r{i}" if named else str(i + 1) for i in range(len(rows))]
    job = make_job(train=rows, batch_size=6, ids=tuple(names) if named else ())
    tokenizer, called = load_tokenizer(job.checkpoint), {}
    for name, pair in zip(names, rows, strict=True):
        found = encode_pair(tokenizer, *pair, encoder_decoder=False)
        called[(*found.prompt_ids, *found.answer_ids)] = name
    honest, read = StepladderTrainer.compute_loss, []

    def spoilt(self, model, inputs, *args, **kwargs):
        loss = honest(self, model, inputs, *args, **kwargs)
        if not model.training or self.state.global_step != 4:
            return loss
        for ids, kept in zip(inputs["input_ids"], inputs["attention_mask"], strict=True):
            read.append(called[tuple(ids[kept.bool()].tolist())])
        return loss * float("nan")

    monkeypatch.setattr(StepladderTrainer, "compute_loss", spoilt)
    with pytest.raises(TrainingError, match="at update 5 of 9, on rows ") as told:
        train(job, tmp_path)
    assert len(read) == 6
    assert f"on rows {', '.join(read[:4])} and 2 more; lower lr" in str(told.value)


def test_a_model_without_numbers_is_not_laid_to_the_learning_rate(
    make_job, train, tmp_path, monkeypatch
):
    from stepladder.training.loop import StepladderTrainer

    monkeypatch.setattr(
        StepladderTrainer, "compute_loss", lambda self, model, *_, **__: nan_of(model)
    )
    with pytest.raises(TrainingError, match="became nan at update 1 of 15, on .*; nothing was"):
        train(make_job(), tmp_path)


def nan_of(model: Any) -> Any:
    return sum(p.sum() for p in model.parameters() if p.requires_grad) * float("nan")


def test_a_folder_belongs_to_one_training(make_job, tmp_path):
    WorkFolder(tmp_path).open_for(make_job())
    with pytest.raises(TrainingError, match="holds another training"):
        WorkFolder(tmp_path).open_for(make_job(epochs=9))
    assert WorkFolder(tmp_path).job() == make_job()


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: 9 bytes")]
)
def test_out_of_memory_says_what_to_lower(make_job, tmp_path, error):
    told = worker.explain(error, make_job(), WorkFolder(tmp_path))
    assert told == "lora: out of memory; lower batch_size (now 4), or take a smaller model"
    assert "batch_size is 1 already" in worker.explain(
        error, make_job(batch_size=1), WorkFolder(tmp_path)
    )


def test_interpolated_weights_lie_between_the_base_and_the_tuned_ones(make_job, train, tmp_path):
    job = make_job("full", epochs=1.0)
    folders = {
        share: train(replace(job, method=f"full(wise_ft={share})"), tmp_path / str(share)).folder
        for share in (1.0, 0.25)
    }
    base, tuned, between = (
        dict(load(checkpoint)[0].named_parameters())
        for checkpoint in (job.checkpoint, *(resolve(str(f)) for f in folders.values()))
    )
    assert any(not torch.equal(base[name], tuned[name]) for name in base)
    for name in base:
        wanted = 0.75 * base[name] + 0.25 * tuned[name]
        torch.testing.assert_close(between[name], wanted, rtol=1e-5, atol=1e-7)


def test_an_adapter_is_scaled_by_the_same_number(make_job, train, tmp_path):
    job = make_job("lora(rank=2)", epochs=1.0)
    whole, half = (
        train(replace(job, method=f"lora(rank=2, wise_ft={share})"), tmp_path / str(share)).folder
        for share in (1.0, 0.5)
    )
    alphas = [
        json.loads((folder / "adapter_config.json").read_text())["lora_alpha"]
        for folder in (whole, half)
    ]
    assert alphas == [4, 2]
    files = [(folder / "adapter_model.safetensors").read_bytes() for folder in (whole, half)]
    assert files[0] == files[1]


def test_the_log_says_how_many_rows_came_from_where(make_job, train, tmp_path):
    job = make_job("lora(rank=2)", epochs=1.0)
    build = train(replace(job, mixture={"songs": 3, "letters": 2}), tmp_path / "work")
    assert build.log["mixture"] == {"songs": 3, "letters": 2}
    (note,) = [note for note in build.log["notes"] if "other data" in note]
    assert note == (
        "trained on 13 rows of its own and 5 of other data (2 of letters, 3 of songs), 27.8 % of "
        "the mixture"
    )
    plain = train(job, tmp_path / "plain")
    assert not any("other data" in note for note in plain.log["notes"])
