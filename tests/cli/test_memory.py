"""`stepladder memory` as its user sees it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from commands import Ran
from transformers import LlamaConfig


@pytest.fixture
def config(tmp_path: Path) -> str:
    LlamaConfig(
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=96,
        vocab_size=300,
    ).save_pretrained(tmp_path / "model")
    return str(tmp_path / "model/config.json")


def test_each_method_has_a_line(run: Callable[..., Ran], config: str) -> None:
    ran = run("memory", config, "--batch", "2", "--length", "32", "--method", "lora(rank=4), full")
    assert ran.code == 0
    assert "lora(rank=4)" in ran.out
    assert "full" in ran.out
    assert "2 rows of 32 tokens, 4 of them the answer" in ran.out


def test_what_does_not_fit_is_told_what_would(run: Callable[..., Ran], config: str) -> None:
    ran = run("memory", config, "--batch", "64", "--length", "64", "--gpu", "20MB")
    assert ran.code == 0
    assert "full: does not fit into 20MB; with --batch " in ran.out
    ran = run("memory", config, "--length", "64", "--gpu", "0.1 MB", "--method", "full")
    assert "with one row neither" in ran.out
    ran = run("memory", config, "--length", "64", "--gpu", "80GB")
    assert "full: fits into 80GB" in ran.out
    again = ("--batch", "64", "--length", "64", "--gpu", "20MB", "--method")
    ran = run("memory", config, *again, "lora")
    assert "with checkpointing=yes it does" in ran.out.replace("\n", " ")
    ran = run("memory", config, *again, "lora(checkpointing=yes)")
    assert "lora(checkpointing=yes): fits into 20MB" in ran.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--gpu", "much"], "--gpu is 'much'; give an amount above 0, such as 24GB or 80GiB"),
        (["--gpu", "-3GB"], "give an amount"),
        (["--gpu", "0GB"], "give an amount"),
        (["--gpu", "1.2.3GB"], "give an amount"),
        (["--answer", "32"], "--answer is 32 of 32 tokens"),
        (["--method", "few-shot(2)"], "'few-shot(2)' trains nothing"),
        (["--method", "lora(rank=0)"], "rank is 0"),
        (["--method", " "], "names nothing"),
        (["--method", "magic"], "magic"),
        (["--method", "lora(checkpointing=yes) + prompt-tuning(kind=prefix)"], "lies in the cache"),
    ],
)
def test_bad_input_is_one_line(
    run: Callable[..., Ran], config: str, arguments: list[str], said: str
) -> None:
    ran = run("memory", config, "--length", "32", *arguments)
    assert ran.code == 2
    assert said in ran.err
    assert len(ran.err.strip().splitlines()) == 1


def test_rows_beyond_the_context_are_forecast_and_said_to_be(
    run: Callable[..., Ran], tmp_path: Path
) -> None:
    LlamaConfig(
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=96,
        vocab_size=300,
        max_position_embeddings=256,
    ).save_pretrained(tmp_path / "short")
    config, few = str(tmp_path / "short/config.json"), ("--batch", "1", "--gpu", "80GB")

    def said(*more: str) -> str:
        ran = run("memory", config, *few, *more)
        assert ran.code == 0, ran.err
        return " ".join(ran.out.split())

    beyond = "tokens are beyond this model's context of 256 tokens, so no training reads them"
    assert f"lora, full: rows of 300 {beyond}" in said("--length", "300")
    assert f"prompt-tuning(400): rows of 432 {beyond}" in said(
        "--length", "32", "--method", "prompt-tuning(400)"
    )
    within = said("--length", "256")
    assert "beyond" not in within
    assert "1 row of 256 tokens, 32 of them the answer" in within
