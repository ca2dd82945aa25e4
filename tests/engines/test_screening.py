"""The best tokens by way of rough logits: always those of all logits in float32."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import architectures
import pytest
import torch
from comparing import compare, shots, some_prompts
from hypothesis import given
from hypothesis import strategies as st

from stepladder.checkpoints import resolve
from stepladder.engines import screening
from stepladder.engines.decoding import leading
from stepladder.engines.hf import HFEngine
from stepladder.engines.screening import Screen, screen_of
from stepladder.records import Sampling

Make = Callable[[str], Path]


def numbers(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@given(
    seed=st.integers(0, 10**6),
    vocabulary=st.sampled_from([97, 1500, 2048, 4098]),
    width=st.sampled_from([8, 96]),
    scale=st.sampled_from([1e-3, 1.0, 1e3]),
    shift=st.sampled_from([0.0, -3.0, 3.0]),
)
def test_it_finds_what_all_logits_give(
    seed: int, vocabulary: int, width: int, scale: float, shift: float
) -> None:
    """A shift moves all logits of a row alike: all negative, all positive."""
    weight = numbers(vocabulary, width, seed=seed)
    weight[:, 0] += shift
    states = numbers(7, width, seed=seed + 1) * scale
    states[:, 0] = states[:, 0].abs()
    found, expected = Screen(weight).lead(states), leading(states @ weight.T)
    if found is None:  # with so narrow states many tokens may come near
        assert width == 8 or vocabulary == 97 or shift != 0
        return
    sure = expected.gap > 1e-5 * scale * (1 + abs(shift))
    assert torch.equal(found.token[sure], expected.token[sure])
    torch.testing.assert_close(found.gap, expected.gap, rtol=1e-4, atol=1e-4 * scale)


def test_rough_logits_alone_would_not_do() -> None:
    weight, states = numbers(32000, 64, seed=1), numbers(200, 64, seed=2)
    exact = leading(states @ weight.T)
    rough = (states.bfloat16() @ weight.bfloat16().T).argmax(-1)
    found = Screen(weight).lead(states)
    assert (rough != exact.token).sum() >= 3
    assert found is not None and torch.equal(found.token, exact.token)


def test_among_equals_the_first_leads() -> None:
    weight = numbers(2048, 32, seed=3)
    states = numbers(5, 32, seed=4)
    best = (states @ weight.T).argmax(-1)
    for token in best.tolist():
        weight[(token + 700) % 2048] = weight[token]
    found = Screen(weight).lead(states)
    assert found is not None and (found.gap == 0).all()
    assert torch.equal(found.token, torch.minimum(best, (best + 700) % 2048))


def test_where_all_come_near_it_says_so_and_gives_up() -> None:
    screen, states = Screen(numbers(4096, 32, seed=5)), torch.zeros(3, 32)
    assert screen.lead(states) is None and screen.pays
    for _ in range(10):
        screen.lead(states)
    assert not screen.pays
    for seed in range(200):
        screen.lead(numbers(3, 32, seed=seed))
    assert screen.pays


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_what_is_no_number_is_left_to_all_logits(broken: float) -> None:
    states = numbers(4, 32, seed=6)
    states[2, 5] = broken
    assert Screen(numbers(4096, 32, seed=7)).lead(states) is None


@pytest.mark.parametrize(
    ("head", "taken"),
    [
        (torch.nn.Linear(64, 4096, bias=False), True),
        (torch.nn.Linear(64, 4096), False),
        (torch.nn.Linear(64, 4096, bias=False, dtype=torch.bfloat16), False),
        (torch.nn.Linear(64, 512, bias=False), False),
        (torch.nn.Sequential(torch.nn.Linear(64, 4096, bias=False)), False),
    ],
    ids=["plain", "with a bias", "bfloat16", "small", "something else"],
)
def test_what_is_screened(
    head: torch.nn.Module, taken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(screening, "_LEAST", 2**18)
    for faster in (True, False):
        monkeypatch.setattr(screening, "_faster", lambda weight, answer=faster: answer)
        assert (screen_of(head) is not None) is (taken and faster)


@pytest.fixture
def screened(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also the smallest of models, whatever this machine is faster at."""
    monkeypatch.setattr(screening, "_LEAST", 0)
    monkeypatch.setattr(screening, "_faster", lambda weight: True)


@pytest.mark.usefixtures("screened")
@pytest.mark.parametrize("name", architectures.SHARED)
def test_greedy_tokens_are_those_of_generate(name: str, tiny_model: Make) -> None:
    engine = HFEngine(resolve(str(tiny_model(name))))
    prompts = [
        prompt
        for seed, before in enumerate(("", shots(2)))
        for prompt in some_prompts(6, seed, longest=12, before=before)
    ]
    found = compare(tiny_model(name), prompts, new_tokens=24, engine=engine)
    assert found.tokens >= 200
    assert not found.others and found.ties <= 1
    screen = engine._loaded.runner.shared.head.screen
    # The last layer of gemma2 is not the last thing that happens: its logits are capped.
    assert (screen is None) is (name == "gemma2")


@pytest.mark.usefixtures("screened")
def test_so_are_an_encoder_decoders(tiny_t5: Path) -> None:
    engine = HFEngine(resolve(str(tiny_t5)))
    found = compare(tiny_t5, some_prompts(12, longest=30), new_tokens=24, engine=engine)
    assert found.tokens >= 150 and not found.others and found.ties <= 1
    assert engine._loaded.runner._model.head.screen is not None


@pytest.mark.usefixtures("screened")
def test_drawn_tokens_and_scores_see_all_logits(tiny_model: Make) -> None:
    folder = tiny_model("llama")
    drawn = Sampling(max_new_tokens=12, temperature=0.9)
    prompts = some_prompts(6, longest=12)
    pairs = [(prompt, "a cat") for prompt in prompts]
    engine, plain = HFEngine(resolve(str(folder))), HFEngine(resolve(str(folder)))
    plain._ready().runner.shared.head.screen = None
    for sampling in (drawn, Sampling(max_new_tokens=12)):
        one, other = (
            {c.index: c.tokens for c in e.generate(prompts, sampling)} for e in (engine, plain)
        )
        assert one == other
    assert engine.log_likelihood(pairs) == plain.log_likelihood(pairs)
    assert engine.near_ties == plain.near_ties
