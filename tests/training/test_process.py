"""The training's process: interrupted, killed, orphaned, failing; the folder survives all of it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from stepladder.checkpoints import resolve
from stepladder.errors import OutputError, TrainingError
from stepladder.records import Build, FitSettings, Prompt, TrainingJob
from stepladder.training import run_job
from stepladder.training.spawn import environment
from stepladder.training.workfolder import WorkFolder


def saved_with_tokenizer(config, folder):
    """Random weights, and a tokenizer to which `w123` is token 123."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

    torch.manual_seed(0)
    LlamaForCausalLM(config).save_pretrained(folder)
    words = {"<pad>": 0, "</s>": 1, **{f"w{i}": i for i in range(2, config.vocab_size)}}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<pad>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>"
    ).save_pretrained(folder)


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def workers(parent: int) -> list[int]:
    listed = subprocess.run(
        ["ps", "-o", "pid=,args=", "--ppid", str(parent)], capture_output=True, text=True
    )
    lines = [line.split() for line in listed.stdout.splitlines()]
    return [int(line[0]) for line in lines if "stepladder.training.worker" in line]


def alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")


@linux
def test_interrupted_then_killed_then_finished_equals_never_disturbed(make_job, train, tmp_path):
    job = make_job(epochs=16)
    whole = train(job, tmp_path / "whole")
    work = WorkFolder(tmp_path / "work")
    ended: dict[str, float] = {}

    def interrupt(progress):
        if progress.step >= 10:
            ended["at"], ended["pid"] = time.monotonic(), workers(os.getpid())[0]
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run_job(job, work.root, on_progress=interrupt)
    assert time.monotonic() - ended["at"] < 2
    assert not alive(int(ended["pid"]))
    assert work.newest_checkpoint() is not None

    def kill(progress):
        if progress.step >= 35:
            for pid in workers(os.getpid()):
                os.kill(pid, signal.SIGKILL)

    with pytest.raises(TrainingError, match="the system ended the training.*lower batch_size"):
        run_job(job, work.root, on_progress=kill)
    seen = []
    build = run_job(job, work.root, on_progress=seen.append)
    assert build.fingerprint == whole.fingerprint
    assert seen[0].step > 30
    assert build.seconds > seen[0].seconds
    assert run_job(job, work.root) == build


@linux
@pytest.mark.slow
def test_the_memory_of_a_process_is_foretold_within_a_seventh(tmp_path):
    """A Llama of 9 million parameters, with what its libraries grow by."""
    from transformers import LlamaConfig

    config = LlamaConfig(
        hidden_size=256,
        intermediate_size=512,
        num_hidden_layers=6,
        num_attention_heads=4,
        vocab_size=16_000,
        pad_token_id=0,
        eos_token_id=1,
        tie_word_embeddings=True,
    )
    saved_with_tokenizer(config, tmp_path / "model")
    text = " ".join(f"w{5 + i % 90}" for i in range(200))
    job = TrainingJob(
        method="full",
        checkpoint=resolve(str(tmp_path / "model")),
        train=((Prompt(text, ()), text[:180]),) * 16,
        dev=(),
        fit=FitSettings(epochs=1.0, batch_size=8),
        seed=0,
    )
    build = run_job(job, tmp_path / "job")
    assert build.log["foretold_memory"] == pytest.approx(build.peak_memory, rel=0.15)


@linux
@pytest.mark.slow
@pytest.mark.parametrize("method", ["lora", "full"])
def test_the_memory_of_the_bundled_model_is_foretold_within_a_quarter(tmp_path, method):
    """Dev rows, a last batch of three rows, and updates enough for holes to show."""
    pairs = tuple(
        (Prompt(f"Write the plural.\n\nInput: {word}{i}\nOutput:", ()), f"{word}{i}s")
        for i in range(32)
        for word in ("cat", "horse", "elephant")
    )
    job = TrainingJob(
        method=method,
        checkpoint=resolve("embedded"),
        train=pairs[:75],
        dev=pairs[75:],
        fit=FitSettings(epochs=4.0, batch_size=8),
        seed=0,
    )
    build = run_job(job, tmp_path / "job")
    assert build.log["libraries"]["of"] == "a training of next to no model"
    assert build.log["foretold_memory"] == pytest.approx(build.peak_memory, rel=0.25)


def test_a_failure_inside_is_told_with_its_reason(make_job, tmp_path):
    with pytest.raises(TrainingError, match=r"no linear layer 'w_proj'; it has down_proj, gate_p"):
        run_job(make_job("lora(targets=w_proj)"), tmp_path)
    assert WorkFolder(tmp_path).build() is None


@linux
def test_a_planted_fault_and_a_limit_on_memory_are_told(make_job, tmp_path, monkeypatch):
    """A third party's method, found by its entry point in the other process too."""
    package = tmp_path / "plugin"
    info = package / "stepladder_faulty-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: stepladder-faulty\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[stepladder.methods]\nfaulty = faulty:Faulty\n")
    (package / "faulty.py").write_text(
        "from dataclasses import dataclass\n"
        "@dataclass(frozen=True)\n"
        "class Faulty:\n"
        "    def prepare(self, model):\n"
        "        import torch\n"
        "        torch.empty(2**60)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(package))
    with pytest.raises(TrainingError, match="faulty: out of memory; lower batch_size"):
        run_job(make_job("faulty"), tmp_path / "work")


@linux
def test_the_worker_ends_when_its_parent_dies(make_job, tmp_path):
    work = WorkFolder(tmp_path)
    work.open_for(make_job(epochs=500))
    waiting = (
        "import sys; from pathlib import Path; from stepladder.training.workfolder import "
        "WorkFolder; from stepladder.training import run_job; "
        "run_job(WorkFolder(Path(sys.argv[1])).job(), Path(sys.argv[1]))"
    )
    parent = subprocess.Popen([sys.executable, "-c", waiting, str(tmp_path)])
    found: list[int] = []
    deadline = time.monotonic() + 60
    while not found and time.monotonic() < deadline:
        found = workers(parent.pid)
        time.sleep(0.05)
    time.sleep(1.5)
    assert alive(found[0])
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 10
    while alive(found[0]) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not alive(found[0])


def test_a_deleted_outcome_is_trained_anew(make_job, tmp_path):
    work, job = WorkFolder(tmp_path), make_job()
    work.open_for(job)
    written = tmp_path / "written"
    written.mkdir()
    work.finish(Build(written, "0" * 64, 1.0, None, 1, 1), written)
    work.progress.write_text("{}\n")
    assert work.build() is not None
    shutil.rmtree(work.outcome)
    work.open_for(job)
    assert work.build() is None
    assert not work.progress.exists()


def test_a_folder_that_cannot_be_written_is_told_in_a_line(make_job, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written.*--ledger"):
        run_job(make_job(), tmp_path / "file" / "work")


def test_waiting_threads_give_way_unless_the_user_says_otherwise(monkeypatch):
    monkeypatch.delenv("GOMP_SPINCOUNT", raising=False)
    assert environment()["GOMP_SPINCOUNT"] == "20000"
    monkeypatch.setenv("GOMP_SPINCOUNT", "7")
    assert environment()["GOMP_SPINCOUNT"] == "7"


def test_the_allocator_keeps_less_unless_the_user_says_otherwise(monkeypatch):
    monkeypatch.delenv("GLIBC_TUNABLES", raising=False)
    assert environment()["GLIBC_TUNABLES"] == "glibc.malloc.tcache_count=0:glibc.malloc.mxfast=0"
    monkeypatch.setenv("GLIBC_TUNABLES", "glibc.malloc.check=0")
    assert environment()["GLIBC_TUNABLES"] == "glibc.malloc.check=0"
