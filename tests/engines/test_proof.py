"""Which models take the shared path, and that the proof would notice."""

from __future__ import annotations

from typing import Any

import architectures
import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'hf'")

from stepladder.engines import packed, shared_attention  # noqa: E402
from stepladder.engines.cache import PrefixStore  # noqa: E402
from stepladder.engines.proof import prove  # noqa: E402


@pytest.mark.parametrize("name", architectures.SHARED)
def test_these_take_the_shared_path(name: str) -> None:
    model = architectures.build(name)
    proved = prove(model, PrefixStore(0))
    assert proved.reason is None and proved.shared is not None
    assert model.config._attn_implementation == shared_attention.NAME


@pytest.mark.parametrize("name", architectures.FALLBACK)
def test_these_fall_back_and_say_why(name: str) -> None:
    model = architectures.build(name)
    before = model.config._attn_implementation
    proved = prove(model, PrefixStore(0))
    assert proved.shared is None
    assert architectures.FALLBACK[name] in (proved.reason or "")
    assert model.config._attn_implementation == before


def without_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed, "segments", lambda rows, device: [])


def without_window(monkeypatch: pytest.MonkeyPatch) -> None:
    mask = shared_attention.shared_mask

    def causal(**settings: Any) -> Any:
        from transformers.masking_utils import causal_mask_function

        return mask(**{**settings, "mask_function": causal_mask_function})

    monkeypatch.setattr(shared_attention, "shared_mask", causal)


def without_softcap(monkeypatch: pytest.MonkeyPatch) -> None:
    honoured = shared_attention._honoured
    monkeypatch.setattr(shared_attention, "_honoured", lambda k, m: (None, honoured(k, m)[1]))


def without_sinks(monkeypatch: pytest.MonkeyPatch) -> None:
    honoured = shared_attention._honoured
    monkeypatch.setattr(shared_attention, "_honoured", lambda k, m: (honoured(k, m)[0], None))


def turned_merger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "lerp", lambda one, other, share: other + (one - other) * share)


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("llama", without_prefix),
        ("llama", turned_merger),
        ("qwen3", without_prefix),
        ("mistral", without_window),
        ("qwen2 with a window", without_window),
        ("gemma2", without_window),
        ("gemma2", without_softcap),
        ("gpt-oss", without_sinks),
    ],
)
def test_a_fault_in_the_path_fails_the_proof(
    name: str, broken: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken(monkeypatch)
    proved = prove(architectures.build(name), PrefixStore(0))
    assert proved.shared is None and "from those of a plain forward pass" in (proved.reason or "")


def test_a_window_longer_than_the_proof_is_narrowed_and_comes_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = "mistral with a long window"
    monkeypatch.setitem(
        architectures.CONFIGS,
        name,
        ("MistralConfig", {**architectures.COMMON, "sliding_window": 128}),
    )
    model = architectures.build(name)
    assert prove(model, PrefixStore(0)).reason is None
    assert model.config.sliding_window == 128
    with monkeypatch.context() as patch:
        without_window(patch)
        assert prove(architectures.build(name), PrefixStore(0)).shared is None


def test_memory_that_runs_out_is_no_verdict_on_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **settings: Any) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(packed.SharedModel, "forward", fail)
    with pytest.raises(RuntimeError, match="allocate"):
        prove(architectures.build("llama"), PrefixStore(0))
