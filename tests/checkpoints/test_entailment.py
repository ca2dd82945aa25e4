"""A model of inference: its label is found by name, and what is none is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from stepladder.checkpoints import check_entailment, open_entailment
from stepladder.errors import CheckpointError

LABELS = ("CONTRADICTION", "entailment", "neutral")


@pytest.fixture
def an_nli_model(tiny_llama: Path, tmp_path: Path):
    """Makes a random classifier that prefers one of its labels whatever it reads."""
    torch = pytest.importorskip("torch", reason="needs the extra 'hf'")
    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

    def make(preferred: int, labels: tuple[str, ...] = LABELS) -> Path:
        folder = tmp_path / f"nli-{preferred}"
        config = BertConfig(
            vocab_size=384,
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=16,
            max_position_embeddings=64,
            id2label=dict(enumerate(labels)),
            label2id={label: at for at, label in enumerate(labels)},
        )
        model = BertForSequenceClassification(config)
        with torch.no_grad():
            model.classifier.bias[preferred] = 100.0
        model.save_pretrained(folder)
        tokenizer = AutoTokenizer.from_pretrained(tiny_llama)
        tokenizer.model_max_length = 64
        tokenizer.save_pretrained(folder)
        return folder

    return make


def test_the_label_is_found_by_its_name(an_nli_model) -> None:
    pairs = [("It weighs 3 kilos.", "3 kilos")] * 20
    assert open_entailment(str(an_nli_model(1))).follow(pairs) == [True] * 20
    assert open_entailment(str(an_nli_model(0))).follow(pairs) == [False] * 20


def test_a_premise_that_is_too_long_is_cut(an_nli_model) -> None:
    assert open_entailment(str(an_nli_model(1))).follow([("word " * 500, "3 kilos")]) == [True]


def test_a_model_of_something_else_is_refused(an_nli_model) -> None:
    folder = an_nli_model(0, ("bad", "good"))
    with pytest.raises(CheckpointError, match="label that begins with 'entail' is expected, bad, "):
        open_entailment(str(folder))
    with pytest.raises(CheckpointError, match="label that begins with 'entail' is expected, bad, "):
        check_entailment(str(folder))


def test_a_check_needs_no_weights(an_nli_model) -> None:
    folder = an_nli_model(1)
    (folder / "model.safetensors").unlink()
    check_entailment(str(folder))
    with pytest.raises(CheckpointError, match="cannot be loaded"):
        open_entailment(str(folder))


def test_a_model_that_cannot_be_had_is_one_clear_line(tmp_path: Path) -> None:
    pytest.importorskip("transformers", reason="needs the extra 'hf'")
    with pytest.raises(CheckpointError, match=r"nli '.*' cannot be loaded .*leave nli out"):
        open_entailment(str(tmp_path / "nowhere"))
