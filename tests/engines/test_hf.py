"""The transformers engine against transformers itself, one prompt at a time."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from comparing import compare, plain_model, some_prompts

from stepladder.checkpoints import resolve
from stepladder.engines.hf import HFEngine
from stepladder.errors import CheckpointError, EngineError
from stepladder.records import Prompt, Sampling


@pytest.mark.parametrize("kind", ["tiny_llama", "tiny_t5"])
def test_greedy_tokens_are_those_of_generate(kind: str, request: pytest.FixtureRequest) -> None:
    found = compare(request.getfixturevalue(kind), some_prompts(12), new_tokens=32)
    assert found.tokens >= 300
    assert not found.others and found.ties <= 1


def test_greedy_tokens_of_a_real_model(shared_data: Path) -> None:
    found = compare(shared_data / "models" / "stories260K", some_prompts(10), new_tokens=40)
    assert found.tokens >= 300
    assert not found.others and found.ties <= 1


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["tiny_llama", "tiny_t5", "stories260K"])
def test_greedy_tokens_over_twenty_thousand(
    kind: str, request: pytest.FixtureRequest, record_property: Any
) -> None:
    if kind == "stories260K":
        folder = request.getfixturevalue("shared_data") / "models" / kind
    else:
        folder = request.getfixturevalue(kind)
    tokens = ties = 0
    for seed in range(40):
        found = compare(folder, some_prompts(64, seed), new_tokens=64)
        tokens, ties = tokens + found.tokens, ties + found.ties
        assert not found.others
        if tokens >= 20_000:
            break
    record_property("tokens", tokens)
    record_property("ties", ties)
    print(f"{kind}: {ties} ties in {tokens:,} tokens")
    assert tokens >= 20_000
    assert ties <= tokens / 2_000


def test_the_published_story(shared_data: Path) -> None:
    """What llama2.c prints for this model at temperature 0 (doc/stories260K.md there)."""
    folder = shared_data / "models" / "stories260K"
    page = (folder / "raw" / "stories260K.md").read_text(encoding="utf-8")
    block = page.split("-t 0.0\n", 1)[1].split("\n```", 1)[0]
    engine = HFEngine(resolve(str(folder)))
    found = next(engine.generate([Prompt("", ())], Sampling(max_new_tokens=256)))
    assert found.text.strip().startswith("Once upon a time, there was a little girl named Lily.")
    assert found.text.strip() == block.strip()


@pytest.mark.parametrize("kind", ["tiny_llama", "tiny_t5"])
@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(max_new_tokens=24),
        Sampling(max_new_tokens=24, temperature=0.8, top_p=0.9, seed=7),
        Sampling(max_new_tokens=24, stop=("t", "é")),
    ],
    ids=["greedy", "drawn", "stopped"],
)
def test_a_stream_is_the_same_answer(
    kind: str, sampling: Sampling, request: pytest.FixtureRequest
) -> None:
    engine = HFEngine(resolve(str(request.getfixturevalue(kind))))
    prompt = some_prompts(3)[2]
    stream, pieces = engine.stream(prompt, sampling), []
    while True:
        try:
            pieces.append(next(stream))
        except StopIteration as end:
            streamed = end.value
            break
    whole = next(engine.generate([prompt], sampling))
    assert "".join(pieces) == streamed.text == whole.text
    assert (streamed.tokens, streamed.finish) == (whole.tokens, whole.finish)


def test_equal_prompts_are_asked_once(tiny_llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine, rows = HFEngine(resolve(str(tiny_llama))), []
    runner = engine._ready().runner
    answers = runner.answers

    def counted(asks: Any, sampling: Any) -> Any:
        rows.append(len(asks))
        return answers(asks, sampling)

    monkeypatch.setattr(runner, "answers", counted)
    found = list(engine.generate([Prompt("the cat", ())] * 5, Sampling(max_new_tokens=4)))
    assert rows == [1] and len(found) == 5
    assert len({c.text for c in found}) == 1


def test_the_checkpoints_own_sampling_settings_do_not_act(tiny_llama: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_llama, tmp_path / "model"))
    settings = {"repetition_penalty": 5.0, "do_sample": True, "temperature": 3.0, "eos_token_id": 1}
    (folder / "generation_config.json").write_text(json.dumps(settings))
    prompts, sampling = some_prompts(4), Sampling(max_new_tokens=16)
    answers = [
        {c.index: c.tokens for c in HFEngine(resolve(str(f))).generate(prompts, sampling)}
        for f in (folder, tiny_llama)
    ]
    assert answers[0] == answers[1]


def test_any_of_the_checkpoints_end_tokens_ends_an_answer(tiny_llama: Path, tmp_path: Path) -> None:
    prompt, sampling = some_prompts(2)[1], Sampling(max_new_tokens=16)
    whole = next(HFEngine(resolve(str(tiny_llama))).generate([prompt], sampling))
    folder = Path(shutil.copytree(tiny_llama, tmp_path / "model"))
    ends = {"eos_token_id": [1, whole.tokens[3]]}
    (folder / "generation_config.json").write_text(json.dumps(ends))
    found = next(HFEngine(resolve(str(folder))).generate([prompt], sampling))
    place = whole.tokens.index(whole.tokens[3])
    assert found.tokens == whole.tokens[: place + 1]
    assert found.finish == "end"
    assert whole.text.startswith(found.text)


def running_out(most: int, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Has engines fail with more rows at work than `most`."""
    from stepladder.engines import decode, plain, seq2seq

    work = decode._Desk.work

    def limited_desk(desk: Any, came: Any) -> Any:
        if len(desk.rows) + len(came) > most:
            raise RuntimeError(message)
        return work(desk, came)

    def limited(whole: Callable[..., Any]) -> Callable[..., Any]:
        def batch_of(runner: Any, batch: Any, sampling: Any, look: Any = None) -> Any:
            if len(batch) > most:
                raise RuntimeError(message)
            return whole(runner, batch, sampling, look)

        return batch_of

    monkeypatch.setattr(decode._Desk, "work", limited_desk)
    for kind in (plain.PlainRunner, seq2seq.Seq2SeqRunner):
        monkeypatch.setattr(kind, "_decode", limited(kind._decode))


CPU_MEMORY = "[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory"


@pytest.mark.parametrize("kind", ["llama", "bloom", "tiny_t5"])
def test_out_of_memory_halves_what_is_at_work(
    kind: str,
    monkeypatch: pytest.MonkeyPatch,
    tiny_model: Callable[[str], Path],
    tiny_t5: Path,
) -> None:
    folder = tiny_t5 if kind == "tiny_t5" else tiny_model(kind)
    engine, prompts, sampling = HFEngine(resolve(str(folder))), some_prompts(9), Sampling(4)
    expected = {c.index: c.text for c in engine.generate(prompts, sampling)}
    before = engine.batch_tokens
    running_out(2, CPU_MEMORY, monkeypatch)
    found = list(engine.generate(prompts, sampling))
    assert {c.index: c.text for c in found} == expected
    assert len(found) == 9 and engine.batch_tokens < before


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError(CPU_MEMORY)])
def test_out_of_memory_while_loading_is_the_machines_fault(
    tiny_llama: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*args: Any, **settings: Any) -> None:
        raise error

    monkeypatch.setattr("stepladder.engines.hf.load", fail)
    with pytest.raises(EngineError, match="out of memory while loading"):
        list(HFEngine(resolve(str(tiny_llama))).generate(some_prompts(1), Sampling()))


def test_out_of_memory_with_one_prompt_is_the_machines_fault(
    tiny_llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = HFEngine(resolve(str(tiny_llama)))
    assert engine.model is not None
    running_out(0, CPU_MEMORY, monkeypatch)
    with pytest.raises(EngineError, match="out of memory with a single prompt"):
        list(engine.generate(some_prompts(3), Sampling()))
    with pytest.raises(EngineError, match="out of memory with a single prompt"):
        list(engine.stream(some_prompts(1)[0], Sampling()))


def test_other_faults_are_not_taken_for_memory(
    tiny_llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = HFEngine(resolve(str(tiny_llama)))
    assert engine.model is not None
    running_out(0, "shape mismatch", monkeypatch)
    with pytest.raises(RuntimeError, match="shape mismatch"):
        list(engine.generate(some_prompts(3), Sampling()))


@pytest.mark.parametrize("kind", ["tiny_llama", "tiny_t5"])
def test_log_likelihood_is_the_models_own_loss(kind: str, request: pytest.FixtureRequest) -> None:
    import torch

    folder = request.getfixturevalue(kind)
    engine, model = HFEngine(resolve(str(folder))), plain_model(folder)
    pairs = [
        (p, answer) for p in some_prompts(3) for answer in ("a cat", "the big red ball it was")
    ]
    for (prompt, answer), found in zip(pairs, engine.log_likelihood(pairs), strict=True):
        ids = engine.tokenizer(prompt.text)["input_ids"]
        if kind == "tiny_t5":
            labels = engine.tokenizer(answer)["input_ids"]
            loss = model(input_ids=torch.tensor([ids]), labels=torch.tensor([labels])).loss
            count = len(labels)
        else:
            whole = [*engine.tokenizer(f"{prompt.text} {answer}")["input_ids"], 1]
            labels = [-100] * len(ids) + whole[len(ids) :]
            loss = model(input_ids=torch.tensor([whole]), labels=torch.tensor([labels])).loss
            count = len(whole) - len(ids)
        assert found.tokens == count
        assert found.total == pytest.approx(-loss.item() * count, abs=1e-3)
        assert not found.greedy


def test_the_greedy_answer_is_known_as_such(shared_data: Path) -> None:
    engine = HFEngine(resolve(str(shared_data / "models" / "stories260K")))
    prompt = Prompt("Once upon a time", (), "")
    answer = next(engine.generate([prompt], Sampling(max_new_tokens=12))).text
    found = engine.log_likelihood([(prompt, answer)])[0]
    assert found.tokens == 13 and not found.greedy  # greedy but for the end token behind it


def test_a_pair_over_the_context_is_refused(tiny_llama: Path) -> None:
    engine = HFEngine(resolve(str(tiny_llama)))
    pairs = [(Prompt("a", ()), "b"), (Prompt("cat " * 300, ()), "b")]
    with pytest.raises(CheckpointError, match="pair 2 has .* context .* is 256"):
        engine.log_likelihood(pairs)


def test_a_prompt_that_just_fits_is_asked(tiny_llama: Path) -> None:
    engine = HFEngine(resolve(str(tiny_llama)))
    ids = engine.count_tokens([Prompt("a" * 100, ())])[0]
    for room, finish in [(256 - ids, {"length", "end"}), (257 - ids, {"over-context"})]:
        found = next(engine.generate([Prompt("a" * 100, ())], Sampling(max_new_tokens=room)))
        assert found.finish in finish


def test_no_weights_are_loaded_for_what_does_not_fit(tiny_llama: Path) -> None:
    engine = HFEngine(resolve(str(tiny_llama)))
    found = next(engine.generate([Prompt("cat " * 300, ())], Sampling()))
    assert found.finish == "over-context" and engine._loaded is None


INTERRUPTED = """
import os, sys, time
from stepladder.checkpoints import resolve
from stepladder.engines.hf import HFEngine
from stepladder.records import Prompt, Sampling
engine = HFEngine(resolve(sys.argv[1]), batch_tokens=2000)
prompts = [Prompt(f"the cat {i} " * 5, ()) for i in range(400)]
kept = 0
try:
    for _ in engine.generate(prompts, Sampling(max_new_tokens=150)):
        kept += 1
        print(kept, flush=True)
except KeyboardInterrupt:
    print("caught at", time.monotonic(), flush=True)
    os._exit(0 if kept else 1)  # taking torch down can take seconds of its own
"""


def test_ctrl_c_acts_within_two_seconds_and_keeps_what_is_done(tiny_llama: Path) -> None:
    command = [sys.executable, "-c", INTERRUPTED, str(tiny_llama)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            process.stdout.readline()
            time.sleep(0.2)
            start = time.monotonic()
            process.send_signal(signal.SIGINT)
            rest, _ = process.communicate(timeout=20)
        finally:
            process.kill()
    assert process.returncode == 0
    assert float(rest.split("caught at")[1]) - start < 2
