"""Loading: what is asked for and nothing that the checkpoint's author set beside it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from stepladder.checkpoints import load, resolve
from stepladder.errors import CheckpointError


def logits(model: Any, ids: list[int]) -> Any:
    import torch

    with torch.inference_mode():
        return model(input_ids=torch.tensor([ids]).to(model.device)).logits


def make_adapter(base: Path, folder: Path, seed: int) -> Path:
    """A LoRA adapter with random weights, made by peft alone."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    model = get_peft_model(
        AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32),
        LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM"),
    )
    torch.manual_seed(seed)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    model.save_pretrained(folder)
    return folder


def test_a_model_comes_in_float32_to_evaluate(tiny_llama: Path) -> None:
    import torch

    model, tokenizer = load(resolve(str(tiny_llama)))
    assert not model.training
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert tokenizer.padding_side == "left"
    assert load(resolve(str(tiny_llama)), dtype="bfloat16").model.dtype == torch.bfloat16


def test_an_unknown_dtype_is_refused(tiny_llama: Path) -> None:
    with pytest.raises(CheckpointError, match="float32, bfloat16, float16"):
        load(resolve(str(tiny_llama)), dtype="float8")


def test_generation_settings_do_not_come_along_but_token_ids_do(
    tiny_llama: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(tiny_llama, tmp_path / "model"))
    settings = {"do_sample": True, "temperature": 0.6, "repetition_penalty": 1.3, "num_beams": 4}
    settings |= {"eos_token_id": [7, 9]}
    (folder / "generation_config.json").write_text(json.dumps(settings))
    config = load(resolve(str(folder))).model.generation_config
    assert config.eos_token_id == [1, 7, 9]  # the tokenizer's own end token with them
    assert config.repetition_penalty in (None, 1.0)
    assert config.num_beams in (None, 1) and not config.do_sample
    assert config.temperature in (None, 1.0)


def test_a_missing_pad_token_is_the_end_token(tiny_llama: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_llama, tmp_path / "model"))
    file = folder / "tokenizer_config.json"
    settings = json.loads(file.read_text())
    del settings["pad_token"]
    file.write_text(json.dumps(settings))
    model, tokenizer = load(resolve(str(folder)))
    assert tokenizer.pad_token == tokenizer.eos_token
    assert model.get_input_embeddings().num_embeddings == 384


def test_weights_that_lack_a_tensor_are_refused(tiny_llama: Path, tmp_path: Path) -> None:
    """transformers would fill it at random and say so in a warning."""
    from safetensors.torch import load_file, save_file

    folder = Path(shutil.copytree(tiny_llama, tmp_path / "model"))
    tensors = load_file(folder / "model.safetensors")
    del tensors["model.norm.weight"]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match="lack 1 tensors"):
        load(resolve(str(folder)))


def test_an_unknown_architecture_is_one_line(tiny_llama: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_llama, tmp_path / "model"))
    config = json.loads((folder / "config.json").read_text()) | {"model_type": "never-heard-of"}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match="transformers cannot load") as caught:
        load(resolve(str(folder)))
    assert "\n" not in str(caught.value)


def test_a_broken_pickle_is_one_line(tiny_llama: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_llama, tmp_path / "model"))
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"no pickle")
    with pytest.raises(CheckpointError, match="cannot load the weights") as caught:
        load(resolve(str(folder), allow_pickle=True))
    assert "\n" not in str(caught.value)


def test_an_adapter_folder_brings_its_base(tiny_llama: Path, tmp_path: Path) -> None:
    import torch
    from peft import AutoPeftModelForCausalLM

    adapter = make_adapter(tiny_llama, tmp_path / "adapter", seed=1)
    checkpoint = resolve(str(adapter))
    assert checkpoint.folder == tiny_llama.resolve()
    assert [a.folder for a in checkpoint.adapters] == [adapter.resolve()]
    assert checkpoint.identity != resolve(str(tiny_llama)).identity
    model = load(checkpoint).model
    plain = AutoPeftModelForCausalLM.from_pretrained(adapter, dtype=torch.float32).eval()
    ids = [5, 9, 42, 7]
    assert torch.equal(logits(model, ids), logits(plain, ids))
    with model.disable_adapter():
        off = logits(model, ids)
    assert torch.equal(off, logits(load(resolve(str(tiny_llama))).model, ids))


def test_an_adapter_on_an_adapter(tiny_llama: Path, tmp_path: Path) -> None:
    """The first is merged, the last stays on; for training both are merged."""
    import torch

    first = make_adapter(tiny_llama, tmp_path / "first", seed=1)
    second = make_adapter(tiny_llama, tmp_path / "second", seed=2)
    config = json.loads((second / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = str(first)
    (second / "adapter_config.json").write_text(json.dumps(config))
    checkpoint = resolve(str(second))
    assert len(checkpoint.adapters) == 2
    ids = [5, 9, 42, 7]
    kept, merged = load(checkpoint).model, load(checkpoint, merged=True).model
    assert type(merged).__name__ == "LlamaForCausalLM"
    torch.testing.assert_close(logits(kept, ids), logits(merged, ids), rtol=0, atol=1e-4)
    with kept.disable_adapter():
        only_first = logits(kept, ids)
    expected = logits(load(resolve(str(first))).model, ids)
    torch.testing.assert_close(only_first, expected, rtol=0, atol=1e-4)
    assert not torch.allclose(only_first, logits(kept, ids), atol=1e-2)


def test_adapters_in_a_circle_are_refused(tiny_llama: Path, tmp_path: Path) -> None:
    adapter = make_adapter(tiny_llama, tmp_path / "adapter", seed=1)
    config = json.loads((adapter / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = str(adapter)
    (adapter / "adapter_config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match="in a circle"):
        resolve(str(adapter))


def test_an_adapter_whose_base_is_gone_says_both(tiny_llama: Path, tmp_path: Path) -> None:
    adapter = make_adapter(tiny_llama, tmp_path / "adapter", seed=1)
    config = json.loads((adapter / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = "/gone/base"
    (adapter / "adapter_config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match="is an adapter, and of its base: .*'/gone/base'"):
        resolve(str(adapter))


def test_a_base_in_the_cache_of_the_hub_is_written_down_by_its_id(
    tiny_llama: Path, tmp_path: Path
) -> None:
    snapshot = tmp_path / "models--some--model" / "snapshots" / "abc"
    shutil.copytree(tiny_llama, snapshot)
    assert load(resolve(str(snapshot))).model.name_or_path == "some/model"
