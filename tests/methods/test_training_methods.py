"""Lora and full as methods: what they refuse, what they render, what they hand to the bench."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from stepladder import registry
from stepladder.adaptation import Adaptation, Prompter
from stepladder.errors import RungError
from stepladder.methods import parse_rung
from stepladder.methods.full import Full
from stepladder.methods.lora import Lora
from stepladder.methods.tuning import epochs_for
from stepladder.records import (
    Build,
    Capabilities,
    Checkpoint,
    Example,
    OtherRow,
    Prompt,
    TrainingJob,
)
from stepladder.training import learning_rate

ROWS = [Example(f"r{i}", f"in {i}", (f"out {i}", "another")) for i in range(20)]


@dataclass
class Bench:
    """Notes the job and hands back a build that nobody trained."""

    folder: Path
    seed: int = 7
    replay: Sequence[OtherRow] = ()
    jobs: list[TrainingJob] = field(default_factory=list)

    def train(self, job: TrainingJob) -> Build:
        self.jobs.append(job)
        return Build(self.folder, "f" * 64, 1.0, None, 5, 6)


@pytest.fixture
def base(tmp_path) -> Adaptation:
    (tmp_path / "config.json").write_text('{"hidden_size": 768}')
    able = Capabilities(trains=True, context=512)
    return Adaptation(Checkpoint("small", tmp_path, "a" * 64, able), Prompter("Do it."))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("lora(rank=0)", "rank is 0; give 1 or more"),
        ("lora(alpha=-1)", "alpha is -1.0; give a number above 0"),
        ("lora(dropout=1)", "dropout is 1.0; give a number from 0 to below 1"),
        ("lora(targets=q_proj|)", r"targets is 'q_proj\|'"),
        ("lora(lr=5)", "lr is 5.0; give a number above 0 and below 1"),
        ("lora(epochs=0)", "epochs is 0.0; give a number above 0"),
        ("full(batch_size=0)", "batch_size is 0; give 1 or more"),
        ("full(patience=-1)", "patience is -1; give 0"),
        ("full(replay=1.2)", r"full: replay is 1\.2; give the share .* from 0 to below 1"),
        ("lora(replay=-0.1)", r"lora: replay is -0\.1"),
        ("full(wise_ft=0)", "full: wise_ft is 0; give a number above 0"),
        ("lora(wise_ft=1.5)", r"lora: wise_ft is 1\.5"),
        ("lora(alpha=nan)", "lora: alpha is nan; give a number above 0"),
        ("lora(dora=yes, wise_ft=0.5)", "wise_ft scales what an adapter adds, and dora=yes"),
        ("full(rank=8)", "unknown setting 'rank'; .*patience"),
        ("lora(learning=1)", "unknown setting 'learning'"),
    ],
)
def test_settings_that_cannot_be_are_refused(text, told):
    with pytest.raises(RungError, match=told):
        registry.build("methods", text)


def test_settings_survive_the_way_to_the_other_process():
    method = Lora(rank=16, lr=5e-4, targets="q_proj|v_proj", rslora=True, dora=True)
    assert registry.build("methods", registry.describe("lora", method)) == method
    assert registry.describe("lora", Lora()) == "lora"


def test_lora_adds_an_adapter_trained_on_the_prompts_to_its_left(base):
    bench = Bench(base.checkpoint.folder)
    shown, lora = parse_rung("few-shot(2) + lora(rank=4)").methods
    tuned = lora.adapt(shown.adapt(base, ROWS, ROWS[:3], bench), ROWS, ROWS[:3], bench)
    (job,) = bench.jobs
    assert job.method == "lora(rank=4)"
    assert job.seed == 7
    assert job.fit.learning_rate == learning_rate(base.checkpoint, "adapter")
    assert [answer for _, answer in job.train] == [row.references[0] for row in ROWS]
    for row, (prompt, answer) in zip(ROWS, job.train, strict=True):
        assert prompt.text.count("Output:") == 3
        assert prompt.text.endswith(f"Input: {row.input}\nOutput:")
        assert f"Output: {answer}\n" not in prompt.text
    assert len(job.dev) == 3
    assert tuned.checkpoint.fingerprint == base.checkpoint.fingerprint
    assert tuned.checkpoint.adapters[0].fingerprint == "f" * 64
    assert tuned.checkpoint.identity != base.checkpoint.identity
    assert base.checkpoint.adapters == ()


def test_full_gives_a_new_checkpoint(base):
    bench = Bench(base.checkpoint.folder / "outcome")
    tuned = Full(epochs=1.5, lr=3e-4).adapt(base, ROWS, [], bench)
    assert bench.jobs[0].fit.epochs == 1.5
    assert bench.jobs[0].fit.learning_rate == 3e-4
    assert tuned.checkpoint.folder == bench.folder
    assert tuned.checkpoint.fingerprint == "f" * 64
    assert tuned.checkpoint.name == "small, all weights tuned"
    assert tuned.checkpoint.capabilities == base.checkpoint.capabilities


@pytest.mark.parametrize("method", [Lora(), Full()])
def test_no_rows_are_refused_before_the_bench_is_asked(base, method):
    bench = Bench(base.checkpoint.folder)
    with pytest.raises(RungError, match="needs training rows, and the task has none"):
        method.adapt(base, [], [], bench)
    assert bench.jobs == []


def test_few_rows_are_passed_over_more_often():
    assert [epochs_for(n, 8) for n in (3, 200, 400, 5000)] == [15.0, 6.0, 3.0, 3.0]


def test_learning_rates_follow_the_width(base, tmp_path):
    """LoRA Without Regret's formula: FLAN-T5-base's usual 1e-3, and a tenth for all weights."""
    assert learning_rate(base.checkpoint, "adapter") == pytest.approx(1.1e-3)
    assert learning_rate(base.checkpoint, "all") == pytest.approx(1.1e-4)
    (tmp_path / "config.json").write_text('{"text_config": {"hidden_size": 4096}}')
    assert learning_rate(base.checkpoint, "adapter") == pytest.approx(2.9e-4)
    (tmp_path / "config.json").write_text('{"hidden_size": 224}')
    assert learning_rate(base.checkpoint, "adapter") == 8e-3
    assert learning_rate(base.checkpoint, "all") == 1e-3


def test_a_target_that_is_not_there_is_told_with_those_that_are(tiny_t5):
    from transformers import AutoModelForSeq2SeqLM

    model = AutoModelForSeq2SeqLM.from_pretrained(tiny_t5)
    with pytest.raises(RungError, match="no linear layer 'q_proj'; it has k, lm_head, o, q, v, wi"):
        Lora(targets="q|q_proj").prepare(model)
    Lora(targets="q|v").prepare(model)
    trained = {n.split(".lora_")[0][-1] for n, p in model.named_parameters() if p.requires_grad}
    assert trained == {"q", "v"}


def other(count: int) -> list[OtherRow]:
    names = ("songs", "letters", "letters")
    return [OtherRow(names[i % 3], Prompt(f"other {i}", ()), f"answer {i}") for i in range(count)]


@pytest.mark.parametrize("name", ["full", "lora"])
def test_replay_is_its_share_of_the_mixture_and_takes_no_row_twice(name, base):
    bench = Bench(base.checkpoint.folder, replay=other(12))
    registry.build("methods", f"{name}(replay=0.2)").adapt(base, ROWS, ROWS[:3], bench)
    registry.build("methods", name).adapt(base, ROWS, ROWS[:3], bench)
    mixed, plain = bench.jobs
    assert mixed.train[: len(ROWS)] == plain.train
    added = mixed.train[len(ROWS) :]
    assert len(added) / len(mixed.train) == 0.2
    assert added == tuple((row.prompt, row.answer) for row in other(5))
    assert mixed.mixture == {"songs": 2, "letters": 3}
    assert plain.ids == tuple(row.id for row in ROWS)
    assert mixed.ids == (*plain.ids, "songs", "letters", "letters", "songs", "letters")
    assert plain.mixture == {}
    assert mixed.fit == plain.fit  # as many passes over the task's own rows
    assert mixed.recipe() != plain.recipe()


def test_replay_of_more_than_there_is_says_how_much_there_is(base):
    bench = Bench(base.checkpoint.folder, replay=other(5))
    with pytest.raises(RungError, match=r"takes 20 rows .* has 5; .* give at most 0\.2"):
        Full(replay=0.5).adapt(base, ROWS, [], bench)
    Full(replay=0.2).adapt(base, ROWS, [], bench)
    bench.replay = ()
    with pytest.raises(RungError, match="the task names no other data"):
        Full(replay=0.2).adapt(base, ROWS, [], bench)
