"""An answer's address has every ingredient in it: each is changed alone, and misses."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, fields, replace
from pathlib import Path

import pytest

from stepladder.checkpoints import fingerprints, resolve
from stepladder.contracts import Engine
from stepladder.engines import hf
from stepladder.engines.endpoint import EndpointEngine
from stepladder.ledger import Ledger, StudyLog
from stepladder.records import Capabilities, Checkpoint, Endpoint, Prompt, Sampling, Turn
from stepladder.study.recorded import RecordedEngine

PROMPT = Prompt("Input: cat\nOutput:", (Turn("user", "cat"),), joint=" ")
SAMPLING = Sampling(max_new_tokens=8, stop=("\n",))
OTHER_SAMPLING = {
    "max_new_tokens": 9,
    "temperature": 0.5,
    "top_p": 0.9,
    "top_k": 40,
    "seed": 1,
    "stop": ("\n\n",),
    "beams": 4,
}


@pytest.fixture
def log(tmp_path: Path) -> Iterator[StudyLog]:
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        yield ledger.start("a", {})


@pytest.fixture
def model(tiny_llama: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_llama, tmp_path / "model"))


def kept(log: StudyLog, engine: Engine) -> None:
    """An answer of this engine to PROMPT."""
    address = RecordedEngine(engine, log).address(PROMPT, SAMPLING)
    log.keep_answers({address: {"text": "kept"}})
    assert known(log, engine)


def known(
    log: StudyLog, engine: Engine, prompt: Prompt = PROMPT, sampling: Sampling = SAMPLING
) -> bool:
    return bool(log.answers([RecordedEngine(engine, log).address(prompt, sampling)]))


def opened(folder: Path, dtype: str = "float32") -> hf.HFEngine:
    return hf.HFEngine(resolve(str(folder)), dtype=dtype)


def appended(folder: Path, name: str) -> None:
    (folder / name).write_text((folder / name).read_text() + " ")


def other_weights(folder: Path, name: str = "model.safetensors") -> None:
    """Of the same size."""
    data = bytearray((folder / name).read_bytes())
    data[-1] ^= 1
    (folder / name).write_bytes(bytes(data))


FILES: dict[str, Callable[[Path], None]] = {
    "weights": other_weights,
    "configuration": lambda m: appended(m, "config.json"),
    "generation settings": lambda m: appended(m, "generation_config.json"),
    "tokenizer": lambda m: appended(m, "tokenizer.json"),
    "tokenizer's settings": lambda m: appended(m, "tokenizer_config.json"),
    # Renders the very same text: that it is another template is enough.
    "template": lambda m: (m / "chat_template.jinja").write_text(
        "{% for m in messages %}Input: {{ m.content }}\nOutput:{% endfor %}"
    ),
}


@pytest.mark.parametrize("ingredient", FILES)
def test_each_file_of_a_model(ingredient: str, model: Path, log: StudyLog) -> None:
    kept(log, opened(model))
    FILES[ingredient](model)
    assert not known(log, opened(model))


def test_an_adapter_its_weights_and_its_settings(model: Path, log: StudyLog) -> None:
    kept(log, opened(model))
    adapter = model.parent / "adapter"
    adapter.mkdir()
    settings = {"peft_type": "LORA", "r": 4, "base_model_name_or_path": str(model)}
    (adapter / "adapter_config.json").write_text(json.dumps(settings))
    header = json.dumps({"w": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}}).encode()
    (adapter / "adapter_model.safetensors").write_bytes(
        len(header).to_bytes(8, "little") + header + b"\0"
    )
    assert not known(log, opened(adapter))
    kept(log, opened(adapter))
    other_weights(adapter, "adapter_model.safetensors")
    assert not known(log, opened(adapter))
    kept(log, opened(adapter))
    (adapter / "adapter_config.json").write_text(json.dumps(settings | {"r": 8}))
    assert not known(log, opened(adapter))


def test_the_prompt_as_it_is_rendered(model: Path, log: StudyLog) -> None:
    engine = opened(model)
    kept(log, engine)
    assert not known(log, engine, prompt=replace(PROMPT, text=PROMPT.text + " "))
    # What this model does not read decides nothing: it has no chat template.
    assert known(log, engine, prompt=replace(PROMPT, turns=(Turn("user", "dog"),)))


@pytest.mark.parametrize("field", [f.name for f in fields(Sampling)])
def test_each_field_of_the_sampling(field: str, model: Path, log: StudyLog) -> None:
    engine = opened(model)
    kept(log, engine)
    assert asdict(SAMPLING)[field] != OTHER_SAMPLING[field]
    changed = replace(SAMPLING, **{field: OTHER_SAMPLING[field]})  # type: ignore[arg-type]
    assert not known(log, engine, sampling=changed)


def test_dtype_and_numerics(model: Path, log: StudyLog, monkeypatch: pytest.MonkeyPatch) -> None:
    kept(log, opened(model))
    assert not known(log, opened(model, "bfloat16"))
    monkeypatch.setattr(hf, "NUMERICS", hf.NUMERICS + 1)
    assert not known(log, opened(model))


ENDPOINT = Endpoint("http://127.0.0.1:8000/v1", "m", reported="m-2026")
OTHER_ENDPOINTS = {
    "url": "http://127.0.0.1:8001/v1",
    "model": "n",
    "reported": "m-2027",
    "capabilities": Capabilities(chat=True),
}


@pytest.mark.parametrize("field", OTHER_ENDPOINTS)
def test_each_thing_that_is_known_of_an_endpoint(field: str, log: StudyLog) -> None:
    kept(log, EndpointEngine(ENDPOINT))
    other = replace(ENDPOINT, **{field: OTHER_ENDPOINTS[field]})  # type: ignore[arg-type]
    assert not known(log, EndpointEngine(other))


def test_the_day_of_an_endpoint(log: StudyLog) -> None:
    engine = EndpointEngine(ENDPOINT)
    kept(log, engine)
    engine.day = "2020-01-01"
    assert not known(log, engine)


def test_an_endpoint_and_a_checkpoint_never_share(tmp_path: Path) -> None:
    checkpoint = Checkpoint("m", tmp_path, ENDPOINT.identity, Capabilities())
    assert hf.HFEngine(checkpoint).identity != EndpointEngine(ENDPOINT).identity


def test_folders_of_one_architecture_with_copied_times_never_share(
    model: Path, tmp_path: Path, log: StudyLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(fingerprints, "_SETTLED", 0.0)
    other = Path(shutil.copytree(model, tmp_path / "other"))
    other_weights(other)
    for file in model.iterdir():
        times = file.stat()
        os.utime(other / file.name, ns=(times.st_atime_ns, times.st_mtime_ns))
    time.sleep(0.05)
    kept(log, opened(model))
    for _ in range(2):  # the second time from the remembered hashes
        assert known(log, opened(model))
        assert not known(log, opened(other))
    assert len(json.loads((tmp_path / "cache/stepladder/fingerprints.json").read_text())) == 2
    # Swapped in place, times and all: the inode and the change time are others.
    shutil.move(model / "model.safetensors", tmp_path / "aside")
    shutil.copy2(other / "model.safetensors", model / "model.safetensors")
    assert not known(log, opened(model))
