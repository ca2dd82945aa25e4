"""Two models never share a fingerprint; one model has one, wherever it lies."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

import pytest

from stepladder.checkpoints import fingerprint, fingerprints


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "stepladder" / "fingerprints.json"


@pytest.fixture
def model(tiny_llama: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_llama, tmp_path / "model"))


def flip_last_byte(file: Path) -> None:
    """Other weights of the same size."""
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(bytes(data))


def test_a_copy_has_the_same_and_a_card_changes_nothing(
    model: Path, tiny_llama: Path, cache: Path
) -> None:
    (model / "README.md").write_text("a card")
    assert fingerprint(model) == fingerprint(tiny_llama)


@pytest.mark.parametrize(
    "name", ["config.json", "tokenizer.json", "tokenizer_config.json", "generation_config.json"]
)
def test_each_file_that_decides_an_answer_counts(name: str, model: Path, cache: Path) -> None:
    before = fingerprint(model)
    (model / name).write_text((model / name).read_text() + " ")
    assert fingerprint(model) != before


def test_other_weights_with_copied_times_do_not_share(
    model: Path, tmp_path: Path, cache: Path
) -> None:
    other = Path(shutil.copytree(model, tmp_path / "other"))
    flip_last_byte(other / "model.safetensors")
    times = (model / "model.safetensors").stat()
    for folder in (model, other):
        os.utime(folder / "model.safetensors", ns=(times.st_atime_ns, times.st_mtime_ns))
    time.sleep(fingerprints._SETTLED + 0.1)
    first = [fingerprint(model), fingerprint(other)]
    again = [fingerprint(model), fingerprint(other)]
    assert first == again
    assert first[0] != first[1]
    assert len(json.loads(cache.read_text())) == 2


def test_weights_replaced_in_place_with_the_old_time_are_read_again(
    model: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fingerprints, "_SETTLED", -1.0)
    weights = model / "model.safetensors"
    before, times = fingerprint(model), weights.stat()
    assert cache.is_file()
    flip_last_byte(weights)
    os.utime(weights, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert weights.stat().st_mtime_ns == times.st_mtime_ns
    assert fingerprint(model) != before


def test_the_second_time_weights_are_not_read(
    model: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fingerprints, "_SETTLED", -1.0)
    before = fingerprint(model)
    read: list[str] = []
    digest = fingerprints._digest
    monkeypatch.setattr(fingerprints, "_digest", lambda f: (read.append(f.name), digest(f))[1])
    assert fingerprint(model) == before
    assert "model.safetensors" not in read and "config.json" in read


def test_read_again_trusts_no_remembered_hash(
    model: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fingerprints, "_SETTLED", -1.0)
    before = fingerprint(model)
    remembered = json.loads(cache.read_text())
    cache.write_text(json.dumps(dict.fromkeys(remembered, "0" * 64)))
    assert fingerprint(model) != before
    assert fingerprint(model, read_again=True) == before


@pytest.mark.parametrize("content", ["{", "[]", '"x"'])
def test_a_broken_cache_is_no_error(model: Path, cache: Path, content: str) -> None:
    before = fingerprint(model)
    cache.parent.mkdir(parents=True, exist_ok=True)
    cache.write_text(content)
    assert fingerprint(model) == before


def test_an_unwritable_cache_is_no_error(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(fingerprints, "_SETTLED", -1.0)
    assert len(fingerprint(model)) == 64


def test_an_adapter_is_its_weights_and_settings_alone(tmp_path: Path, cache: Path) -> None:
    """Neither where its base lies nor the order in which peft writes a set is part of it."""
    hashes = []
    for name, modules, base in [("a", ["q", "v"], "/here"), ("b", ["v", "q"], "/there")]:
        folder = tmp_path / name
        folder.mkdir()
        settings = {"peft_type": "LORA", "r": 4, "target_modules": modules}
        settings["base_model_name_or_path"] = base
        (folder / "adapter_config.json").write_text(json.dumps(settings))
        header = b"{}"
        (folder / "adapter_model.safetensors").write_bytes(
            len(header).to_bytes(8, "little") + header
        )
        hashes.append(fingerprint(folder))
    assert hashes[0] == hashes[1]
    (tmp_path / "b" / "adapter_config.json").write_text(json.dumps(settings | {"r": 8}))
    assert fingerprint(tmp_path / "b") != hashes[0]
