"""Names to checkpoints: a bad folder gets one line that names it, before any library is asked."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from stepladder.checkpoints import fingerprint, resolve
from stepladder.checkpoints.folders import inspect_folder, read_header
from stepladder.errors import CheckpointError


@pytest.fixture
def model(tiny_llama: Path, tmp_path: Path) -> Path:
    """A copy to break."""
    return Path(shutil.copytree(tiny_llama, tmp_path / "model"))


def test_a_folder_says_what_its_model_can_do(tiny_llama: Path, tiny_t5: Path) -> None:
    from transformers import AutoModelForCausalLM

    llama, t5 = resolve(str(tiny_llama)), resolve(str(tiny_t5))
    assert llama.capabilities.context == 256
    assert not llama.capabilities.encoder_decoder and not llama.capabilities.chat
    assert t5.capabilities.encoder_decoder and t5.capabilities.trains and t5.capabilities.scores
    assert llama.parameters == AutoModelForCausalLM.from_pretrained(tiny_llama).num_parameters()


def test_resolving_imports_no_torch(tiny_llama: Path) -> None:
    code = (
        "import sys; from stepladder.checkpoints import resolve; resolve(sys.argv[1]); "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tiny_llama)]).returncode == 0


def edit(file: Path, **changes: object) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def pickled(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def cut(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "no config": (lambda m: (m / "config.json").unlink(), "holds no config.json"),
    "no tokenizer": (lambda m: (m / "tokenizer.json").unlink(), "holds no tokenizer"),
    "no weights": (lambda m: (m / "model.safetensors").unlink(), "holds no weights"),
    "pickles alone": (pickled, "--allow-pickle"),
    "broken config": (lambda m: (m / "config.json").write_text("{"), "not valid JSON"),
    "config is a list": (
        lambda m: (m / "config.json").write_text("[]"),
        "instead of a JSON object",
    ),
    "no model type": (lambda m: edit(m / "config.json", model_type=None), "names no model_type"),
    "remote code": (
        lambda m: edit(m / "config.json", model_type="my-own", auto_map={"AutoModel": "m.M"}),
        "never run",
    ),
    "an encoder": (
        lambda m: edit(m / "config.json", architectures=["BertForMaskedLM"]),
        "does not generate text",
    ),
    "weights cut short": (cut, "header promises"),
    "weights not safetensors": (
        lambda m: (m / "model.safetensors").write_bytes(struct.pack("<Q", 4) + b"nope"),
        "is not a safetensors file",
    ),
    "a Git LFS pointer": (
        lambda m: (m / "model.safetensors").write_text(
            "version https://git-lfs.github.com/spec/v1"
        ),
        "git lfs pull",
    ),
    "broken tokenizer": (lambda m: (m / "tokenizer.json").write_text("{"), "not valid JSON"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_folder_is_refused_by_name(case: str, model: Path) -> None:
    break_it, expected = BROKEN[case]
    break_it(model)
    with pytest.raises(CheckpointError, match=expected) as caught:
        resolve(str(model))
    assert str(model) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_shard_is_named(model: Path) -> None:
    shards = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    (model / "model.safetensors").rename(model / "model-1.safetensors")
    (model / "model.safetensors.index.json").write_text(json.dumps(shards))
    with pytest.raises(CheckpointError, match=r"lacks 1 of 2 weight files \(model-2"):
        resolve(str(model))


def test_pickles_are_taken_when_allowed(model: Path) -> None:
    pickled(model)
    assert resolve(str(model), allow_pickle=True).parameters is None


def test_known_architectures_need_no_remote_code(model: Path) -> None:
    edit(model / "config.json", auto_map={"AutoModelForCausalLM": "m.M"})
    assert resolve(str(model)).parameters


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("./nowhere", "there is no folder './nowhere'"),
        ("a/b/c", "there is no folder 'a/b/c'"),
        ("", "there is no folder ''"),
        (__file__, "is a file; give the folder"),
        ("nobody/nothing-of-this-name", "hf download nobody/nothing-of-this-name"),
        ("nobody/nothing@main", "'nobody/nothing' at revision 'main'"),
        ("Embeded", "did you mean 'embedded'?"),
    ],
)
def test_a_wrong_name_says_how_to_go_on(name: str, expected: str) -> None:
    with pytest.raises(CheckpointError) as caught:
        resolve(name)
    assert expected in str(caught.value)


def test_a_folder_has_no_revision(tiny_llama: Path) -> None:
    with pytest.raises(CheckpointError, match="has no revision 'v1'"):
        resolve(str(tiny_llama), revision="v1")


def test_offline_the_cache_of_the_hub_is_used(
    tiny_llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    home = tmp_path / "models--some--model"
    shutil.copytree(tiny_llama, home / "snapshots" / ("c" * 40))
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text("c" * 40)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub._snapshot_download.constants.HF_HUB_CACHE", str(tmp_path))
    found = resolve("some/model")
    assert found.name == "some/model"
    assert found.fingerprint == resolve(str(tiny_llama)).fingerprint


def test_a_chat_template_is_seen_in_either_place(model: Path) -> None:
    assert not resolve(str(model)).capabilities.chat
    plain = fingerprint(model)
    (model / "chat_template.jinja").write_text("{{ messages[0].content }}")
    assert resolve(str(model)).capabilities.chat
    assert fingerprint(model) != plain
    (model / "chat_template.jinja").unlink()
    edit(model / "tokenizer_config.json", chat_template=[{"name": "tool_use", "template": "x"}])
    assert not resolve(str(model)).capabilities.chat
    edit(model / "tokenizer_config.json", chat_template=[{"name": "default", "template": "x"}])
    assert resolve(str(model)).capabilities.chat


def test_the_smaller_limit_is_the_context(model: Path) -> None:
    edit(model / "tokenizer_config.json", model_max_length=100)
    assert inspect_folder(model).capabilities.context == 100
    edit(model / "tokenizer_config.json", model_max_length=10**30)
    assert inspect_folder(model).capabilities.context == 256


def test_headers_are_those_of_the_library(tiny_llama: Path) -> None:
    from safetensors import safe_open

    header = read_header(tiny_llama / "model.safetensors")
    with safe_open(tiny_llama / "model.safetensors", "pt") as tensors:
        names = list(tensors.keys())
        shapes = {name: tensors.get_slice(name).get_shape() for name in names}
    assert {n: t["shape"] for n, t in header.items() if n != "__metadata__"} == shapes
