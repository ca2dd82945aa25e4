"""The engine on a device of its own: a pretended CUDA one, and a real one where there is one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any
from unittest import mock

import architectures
import pytest
import torch
from comparing import shots, some_prompts
from transformers import AutoConfig

import pretended
from stepladder.checkpoints import open_features, resolve
from stepladder.engines import kernels, pace
from stepladder.engines.hf import HFEngine
from stepladder.records import Pooling, Prompt, Sampling

Make = Callable[[str], Path]
Device = Callable[[], AbstractContextManager[None]]

GREEDY = Sampling(max_new_tokens=16)
WAYS = {
    "greedy": GREEDY,
    "drawn": Sampling(max_new_tokens=16, temperature=0.8, top_k=40, top_p=0.9),
    "with stop strings": Sampling(max_new_tokens=16, stop=("t", "r")),
    "beams": Sampling(max_new_tokens=8, beams=2),
}
MODELS = [*architectures.SHARED, "bloom", "mamba", "llama with rope by length", "tiny-t5"]


@pytest.fixture(params=["pretended", pytest.param("real", marks=pytest.mark.gpu)])
def there(request: pytest.FixtureRequest) -> Device:
    """Within it engines find a CUDA device."""
    if request.param == "pretended":
        return pretended.device
    if not torch.cuda.is_available():
        pytest.skip("this machine has no CUDA device")
    return nullcontext


@pytest.fixture(autouse=True)
def kernels_are_looked_for_anew() -> Iterator[None]:
    """A pretended device's are not a real one's."""
    kernels._kernel.cache_clear()
    yield
    kernels._kernel.cache_clear()


@pytest.fixture
def here() -> Device:
    """Within it they find none."""
    return lambda: mock.patch.object(torch.cuda, "is_available", return_value=False)


@pytest.fixture
def folder_of(tiny_model: Make, tiny_t5: Path) -> Make:
    return lambda name: tiny_t5 if name == "tiny-t5" else tiny_model(name)


def prompts() -> list[Prompt]:
    """Some share nothing, some two demonstrations, and some four."""
    return [
        prompt
        for seed, before in enumerate(("", shots(2), shots(4)))
        for prompt in some_prompts(4, seed, longest=12, before=before)
    ]


def tokens(engine: HFEngine, sampling: Sampling) -> dict[int, tuple[int, ...]]:
    return {found.index: found.tokens for found in engine.generate(prompts(), sampling)}


def on(device: Device, folder: Path) -> HFEngine:
    """An engine whose model was loaded there."""
    with device():
        engine = HFEngine(resolve(str(folder)))
        assert engine.model.device.type == ("cuda" if torch.cuda.is_available() else "cpu")
    return engine


@pytest.mark.parametrize("name", MODELS)
def test_answers_are_those_of_the_processor(
    name: str, folder_of: Make, there: Device, here: Device
) -> None:
    usual, moved = on(here, folder_of(name)), on(there, folder_of(name))
    assert moved.path == usual.path
    with here():
        expected = tokens(usual, GREEDY)
    with there():
        assert tokens(moved, GREEDY) == expected
    assert len(expected) == 12 and all(expected.values())


@pytest.mark.parametrize("way", list(WAYS)[1:])
@pytest.mark.parametrize("name", ["llama", "bloom", "tiny-t5"])
def test_so_are_all_ways_of_sampling(
    name: str, way: str, folder_of: Make, there: Device, here: Device
) -> None:
    usual, moved = on(here, folder_of(name)), on(there, folder_of(name))
    with here():
        expected = tokens(usual, WAYS[way])
    with there():
        assert tokens(moved, WAYS[way]) == expected


@pytest.mark.parametrize("name", ["llama", "gemma2", "bloom", "tiny-t5"])
def test_so_are_scores_of_given_answers(
    name: str, folder_of: Make, there: Device, here: Device
) -> None:
    pairs = [(prompt, answer) for prompt in prompts() for answer in ("a cat", "dog", "ran Input")]
    usual, moved = on(here, folder_of(name)), on(there, folder_of(name))
    with here():
        expected = usual.log_likelihood(pairs)
    with there():
        found = moved.log_likelihood(pairs)
    for one, other in zip(found, expected, strict=True):
        assert one.total == pytest.approx(other.total, abs=1e-3)
        assert (one.tokens, one.greedy) == (other.tokens, other.greedy)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_attention_keeps_no_scores_there(dtype: torch.dtype, masked: bool, there: Device) -> None:
    """Its kernel was compared before it was taken; these are other shapes."""
    generator = torch.Generator().manual_seed(3)
    query, key, value = (torch.randn(2, 4, 19, 16, generator=generator) for _ in range(3))
    mask = torch.zeros(2, 1, 19, 19).masked_fill(torch.rand(2, 1, 19, 19) > 0.5, -1e4)
    with there():
        *given, moved = (x.to("cuda", dtype) for x in (query, key, value, mask))
        assert kernels._kernel(moved.device, dtype, 16) is kernels._efficient
        out, lse = kernels.attend(*given, moved if masked else None, 0.25, causal=not masked)
        found = out.float().cpu(), lse.cpu()
    expected = kernels.attend(query, key, value, mask if masked else None, 0.25, causal=not masked)
    for one, other in zip(found, expected, strict=True):
        assert (one - other).abs().max() < kernels._BOUNDS[dtype]


def test_a_kernel_that_computes_something_else_is_not_taken() -> None:
    def wrong(*args: Any, **keywords: Any) -> Any:
        out, *others = pretended._efficient(*args, **keywords)
        return (out * 1.01, *others)

    with mock.patch.object(pretended, "_efficient", wrong), pretended.device():
        assert kernels._kernel(torch.device("cuda:0"), torch.float32, 16) is None


def test_half_precision_takes_the_shared_path(tiny_model: Make) -> None:
    engine = HFEngine(resolve(str(tiny_model("qwen2 with a window"))), dtype="float16")
    assert engine.path == ("shared", None)


@pytest.mark.parametrize("pooling", ["mean", "last"])
def test_features_are_those_of_the_processor(
    pooling: Any, folder_of: Make, there: Device, here: Device
) -> None:
    vectors = []
    for device in (here, there):
        with device():
            encoder = open_features(
                resolve(str(folder_of("llama"))), Pooling(layer=1, pool=pooling)
            )
            vectors.append(encoder.encode([prompt.text for prompt in prompts()]))
    assert abs(vectors[0] - vectors[1]).max() < 1e-4 < vectors[0].std()


def test_its_pace_is_probed_there(folder_of: Make, there: Device) -> None:
    config = AutoConfig.from_pretrained(folder_of("llama"))
    with there():
        found = pace._measured(config, "float32")
    assert found is not None and found.token > 0


def test_a_tensor_left_behind_is_found() -> None:
    """The pretended device is worth something: it does what a real one would object to."""
    with pretended.device():
        weights, numbers = torch.ones(3, 3, device="cuda"), torch.ones(3)
        with pytest.raises(RuntimeError, match="one device"):
            weights @ numbers
        with pytest.raises(RuntimeError, match="one device"):
            torch.cat([weights[0], numbers])
        with pytest.raises(TypeError, match="numpy"):
            weights.numpy()
        assert (weights @ numbers.to("cuda")).tolist() == [3.0, 3.0, 3.0]
        weights[1:] += 1
        assert weights.cpu().sum() == 15 and weights.device == torch.device("cuda:0")
    assert not torch.cuda.is_available()
