"""Forecasts against arithmetic, against published peaks, and the command."""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path

import pytest
import torch
from transformers import LlamaConfig, T5Config

from stepladder.checkpoints.answer_loss import answer_loss, learned
from stepladder.errors import CheckpointError, RungError
from stepladder.forecast import Batch, Beside, Forecast, foretell, read_config, within
from stepladder.methods.full import Full
from stepladder.methods.lora import Lora
from stepladder.methods.prompt_tuning import PromptTuning
from stepladder.training import build_method, virtual_tokens


def llama(
    hidden: int, layers: int, heads: tuple[int, int], inner: int, vocabulary: int, *, tied: bool
) -> LlamaConfig:
    """`heads` of queries, and of keys and values."""
    return LlamaConfig(
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads[0],
        num_key_value_heads=heads[1],
        intermediate_size=inner,
        vocab_size=vocabulary,
        tie_word_embeddings=tied,
    )


LLAMA = llama(64, 2, (4, 2), 96, 300, tied=True)
T5 = T5Config(d_model=64, d_kv=16, d_ff=96, num_layers=2, num_heads=4, vocab_size=300)
SHAPE = Batch(rows=4, prompt=24, answer=8)
PARTS = ("prompt-tuning(8)", "lora(rank=4)", "full")


@pytest.mark.parametrize("config", [LLAMA, T5], ids=["llama", "t5"])
def test_full_tuning_holds_weights_gradients_and_two_states_each(config: object) -> None:
    f = foretell(config, Full(), SHAPE)
    buffers = f.weights - 4 * f.parameters
    assert 0 <= buffers < 4096  # rotary frequencies
    assert f.trainable == f.parameters
    assert f.gradients == 4 * f.parameters
    assert f.optimiser - 2 * f.gradients < 4 * 200  # a step count a parameter
    assert f.weights + f.gradients + f.optimiser <= f.peak
    assert f.peak <= f.weights + f.gradients + f.optimiser + 1.5 * f.activations


@pytest.mark.parametrize("config", [LLAMA, T5], ids=["llama", "t5"])
def test_a_joint_training_holds_the_gradients_of_all_its_parts(config: object) -> None:
    soft, lora, full = (foretell(config, build_method(text), SHAPE).trainable for text in PARTS)
    assert soft == 8 * 64
    f = foretell(config, build_method(" + ".join(PARTS[:2])), SHAPE)
    assert f.trainable == soft + lora
    assert f.gradients == 4 * f.trainable
    f = foretell(config, build_method(" + ".join(reversed(PARTS))), SHAPE)
    assert f.trainable == soft + lora + full
    assert f.gradients == 4 * f.trainable


def test_a_trained_prefix_is_keys_and_values_of_every_layer() -> None:
    f = foretell(LLAMA, build_method("prompt-tuning(8, kind=prefix)"), SHAPE)
    assert f.trainable == 8 * 2 * 2 * 32  # virtual tokens, layers, keys and values, two heads of 16
    assert f.gradients == 4 * f.trainable
    assert f.peak > f.weights + f.activations
    with pytest.raises(RungError, match="this is an encoder-decoder; leave kind out"):
        foretell(T5, build_method("prompt-tuning(8, kind=prefix)"), SHAPE)


def test_lora_holds_gradients_and_states_of_the_adapter_alone() -> None:
    f = foretell(LLAMA, Lora(rank=4), SHAPE)
    linear = sum(
        4 * (inner + outer)
        for inner, outer in [(64, 64), (64, 32), (64, 32), (64, 64), (64, 96), (64, 96), (96, 64)]
    )
    assert f.trainable == 2 * linear
    assert f.gradients == 4 * f.trainable
    assert f.weights > 4 * (f.parameters - f.trainable)


def test_flops_of_full_tuning_are_six_a_weight_and_token() -> None:
    """Kaplan et al. 2020, section 2.1; the output layer reads the answers alone, attention adds."""
    f = foretell(LLAMA, Full(), SHAPE)
    tokens, answers = 4 * 32, 4 * 8
    embedding = 300 * 64
    matrices = f.parameters - embedding
    by_weights = 6 * (matrices * tokens + embedding * answers)
    assert by_weights < f.flops < 1.25 * by_weights


def test_activations_grow_with_rows_and_weights_do_not() -> None:
    one, two = (foretell(LLAMA, Full(), SHAPE._replace(rows=rows)) for rows in (4, 8))
    assert one.weights == two.weights
    assert 1.7 < two.activations / one.activations < 2.1


def test_no_memory_is_taken_for_a_model_that_could_not_be_loaded() -> None:
    """Ten layers of Llama 3's 70 billion parameters: more than most machines of tests have."""
    config = llama(8192, 10, (64, 8), 28672, 128256, tied=False)
    f = foretell(config, Lora(rank=16), Batch(1, 448, 64), autocast=True)
    assert 10e9 < f.parameters < 11e9
    assert f.peak > 4 * 10e9


def test_published_peaks_are_met_within_a_fifth() -> None:
    """PEFT's method comparison on MetaMathQA (Llama-3.2-3B, bfloat16 weights, batch 4, up to 768
    tokens, logits of the whole row; results of June 2025): cuda_memory_max 37.24 GB for full
    tuning, 22.27 GB for LoRA of rank 32 on q_proj and v_proj, 24.37 GB for prompt-tuning with 200
    virtual tokens before those of the row."""
    config = llama(3072, 28, (24, 8), 8192, 128256, tied=True)
    for method, published in (
        (Lora(rank=32, targets="q_proj|v_proj"), 22_273_851_392),
        (Full(), 37_241_225_216),
        (PromptTuning(200), 24_366_809_088),
    ):
        shape = Batch(4, 1 + virtual_tokens(method), 767)
        f = foretell(config, method, shape, dtype=torch.bfloat16, all_logits=True)
        assert 0.8 * published < f.peak < 1.2 * published


def test_the_largest_batch_that_fits_is_found() -> None:
    foretold = partial(foretell, LLAMA, Full())
    half = foretold(SHAPE._replace(rows=2)).peak
    found = within(half, SHAPE, foretold)
    assert found is not None
    assert found.batch.rows == 2
    assert within(foretold(SHAPE._replace(rows=1)).peak - 1, SHAPE, foretold) is None


def test_where_weights_alone_are_too_much_no_smaller_batch_is_tried() -> None:
    tried = []

    def foretold(batch: Batch) -> Forecast:
        tried.append(batch.rows)
        return foretell(LLAMA, Full(), batch)

    assert within(foretell(LLAMA, Full(), SHAPE).weights, SHAPE, foretold) is None
    assert tried == [4]


def test_rehearsal_counts_what_a_real_update_holds() -> None:
    """Bytes that autograd keeps for the backward pass, counted by its own hooks on real tensors."""
    from transformers import LlamaForCausalLM

    torch.manual_seed(0)
    model = LlamaForCausalLM._from_config(LLAMA, dtype=torch.float32).train()
    ids = torch.randint(0, 300, (4, 32))
    kept: dict[int, int] = {}
    held = {p.untyped_storage().data_ptr() for p in model.parameters()}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in held:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    labels = ids.clone()
    labels[:, :24] = -100
    found = learned({"labels": labels}, encoder_decoder=False)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        loss = answer_loss(model, {"input_ids": ids}, found)
    seen = foretell(LLAMA, Full(), SHAPE)
    assert loss.isfinite()
    assert seen.activations == pytest.approx(sum(kept.values()), rel=0.1)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks glibc")
def test_a_process_holds_the_tensors_and_some_more() -> None:
    config = llama(128, 2, (4, 4), 256, 2000, tied=True)
    tensors = foretell(config, Full(), Batch(8, 96, 32))
    assert tensors.process is None
    assert tensors.expected == tensors.peak
    told = foretell(config, Full(), Batch(8, 96, 32), process=Beside())
    assert told.process is not None
    assert told.expected == told.process
    assert tensors.peak == told.peak < told.process < 1.5 * told.peak


def test_a_config_is_read_without_weights(tmp_path: Path) -> None:
    LLAMA.save_pretrained(tmp_path)
    assert read_config(str(tmp_path)).hidden_size == 64
    assert read_config(str(tmp_path / "config.json")).hidden_size == 64
    assert read_config("embedded").vocab_size == 2048


def test_what_is_no_language_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="there is no folder"):
        read_config(str(tmp_path / "nothing"))
    with pytest.raises(CheckpointError, match="the hub cannot be reached"):
        read_config("nobody/nothing-of-this-name")
    with pytest.raises(CheckpointError, match=r"holds no config\.json"):
        read_config(str(tmp_path))
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(CheckpointError, match="is an adapter; give its base model"):
        read_config(str(tmp_path))
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "vit"}))
    with pytest.raises(CheckpointError, match="'vit' is no"):
        read_config(str(tmp_path))
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "of-tomorrow"}))
    with pytest.raises(CheckpointError, match="transformers cannot read it"):
        read_config(str(tmp_path))


def test_a_target_that_is_not_there_is_named() -> None:
    with pytest.raises(RungError, match="no linear layer 'qq'; it has down_proj"):
        foretell(LLAMA, Lora(targets="qq"), SHAPE)
