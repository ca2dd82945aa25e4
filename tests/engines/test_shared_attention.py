"""The attention function and its mask, against attention computed the long way."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'hf'")

from transformers.masking_utils import (  # noqa: E402
    causal_mask_function,
    sliding_window_causal_mask_function,
)

from stepladder.engines.cache import Prefix  # noqa: E402
from stepladder.engines.kernels import attend  # noqa: E402
from stepladder.engines.packed import PassRow, packed  # noqa: E402
from stepladder.engines.shared_attention import (  # noqa: E402
    Masks,
    SharedPathError,
    running,
    shared_attention,
    shared_mask,
)

HEADS, GROUPS, WIDTH = 2, 2, 8
CPU = torch.device("cpu")


def numbers(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_both_kernels_are_softmax_attention(causal: bool, masked: bool) -> None:
    query, key, value = (numbers(3, HEADS, 7, WIDTH, seed=s) for s in range(3))
    mask = torch.zeros(3, 1, 7, 7).masked_fill(numbers(3, 1, 7, 7, seed=4) > 0.5, -1e30)
    mask[..., 0] = 0.0
    given = mask if masked else None
    scores = query @ key.mT * 0.3 + (mask if masked else 0.0)
    if causal:
        scores = scores.masked_fill(torch.ones(7, 7, dtype=torch.bool).triu(1), -torch.inf)
    expected = scores.softmax(-1) @ value
    for softcap in (None, 1e6):  # so high a cap changes nothing, but takes the other kernel
        out, lse = attend(query, key, value, given, 0.3, softcap, causal=causal)
        torch.testing.assert_close(out, expected, rtol=0, atol=2e-6 if softcap is None else 1e-4)
        torch.testing.assert_close(lse, scores.logsumexp(-1), rtol=0, atol=1e-4)


def test_a_part_that_is_hidden_as_a_whole_has_no_weight() -> None:
    query, key, value = (numbers(1, 1, 4, WIDTH, seed=s) for s in range(3))
    for softcap in (None, 5.0):
        out, lse = attend(query, key, value, torch.full((1, 1, 4, 4), -1e30), 1.0, softcap)
        assert out.isfinite().all() and (lse < -1e29).all()


def keywords(window: int | None, **others: Any) -> dict[str, Any]:
    return {"scaling": WIDTH**-0.5, "dropout": 0.0, "sliding_window": window, **others}


def run(window: int | None, **others: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Two rows of 3 and 5 own tokens behind a shared prefix of 6, packed; and the long way."""
    prefix, lengths = 6, (3, 5)
    heads = HEADS * GROUPS
    shared_k, shared_v = (
        numbers(HEADS, prefix, WIDTH, seed=1),
        numbers(HEADS, prefix, WIDTH, seed=2),
    )
    query = numbers(1, heads, sum(lengths), WIDTH, seed=3)
    key, value = (numbers(1, HEADS, sum(lengths), WIDTH, seed=s) for s in (4, 5))
    before = Prefix(tuple(range(prefix)), 0, (shared_k,), (shared_v,))
    rows = [PassRow((7,) * n, prefix, (before,)) for n in lengths]
    function = sliding_window_causal_mask_function(window) if window else causal_mask_function
    with running(packed(rows, CPU).plan):
        masks = shared_mask(
            mask_function=function, device=CPU, dtype=torch.float32, local_size=window
        )
        module: Any = SimpleNamespace(layer_idx=0)
        out, _ = shared_attention(module, query, key, value, masks, **keywords(window, **others))
    expected, at = [], 0
    for n in lengths:
        cut = slice(at, at + n)
        keys = torch.cat([shared_k, key[0, :, cut]], 1).repeat_interleave(GROUPS, 0)
        values = torch.cat([shared_v, value[0, :, cut]], 1).repeat_interleave(GROUPS, 0)
        scores = query[0, :, cut] @ keys.mT * WIDTH**-0.5
        if (cap := others.get("softcap")) is not None:
            scores = cap * (scores / cap).tanh()
        places = torch.arange(prefix + n)
        ahead = places[None] - places[prefix:, None]
        hidden = (ahead > 0) | (ahead <= -(window or 10**6))
        scores = scores.masked_fill(hidden, -torch.inf)
        if (sinks := others.get("s_aux")) is not None:
            scores = torch.cat([scores, sinks[:, None, None].expand(-1, n, 1)], -1)
            values = torch.cat([values, torch.zeros(heads, 1, WIDTH)], 1)
        expected.append((scores.softmax(-1) @ values).transpose(0, 1))
        at += n
    return out[0], torch.cat(expected)


@pytest.mark.parametrize("window", [None, 3, 7])
@pytest.mark.parametrize(
    "others",
    [{}, {"softcap": 0.5}, {"s_aux": torch.tensor([0.5, -1.0, 2.0, 0.0])}],
    ids=["plain", "softcap", "sinks"],
)
def test_shared_and_own_part_merge(window: int | None, others: dict[str, Any]) -> None:
    out, expected = run(window, **others)
    torch.testing.assert_close(out, expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize(
    ("asked", "word"),
    [
        ({"position_bias": torch.zeros(1)}, "position_bias"),
        ({"is_causal": False}, "is_causal"),
        ({"dropout": 0.1}, "dropout"),
        ({"output_attentions": True}, "output_attentions"),
        ({"something_new": 3}, "something_new"),
    ],
)
def test_what_is_not_honoured_is_refused(asked: dict[str, Any], word: str) -> None:
    with pytest.raises(SharedPathError, match=word):
        run(None, **asked)


def test_what_changes_nothing_is_let_through() -> None:
    out, expected = run(None, position_ids=torch.zeros(1), use_cache=True, output_attentions=None)
    torch.testing.assert_close(out, expected, rtol=0, atol=2e-6)


def test_a_window_that_is_not_in_the_mask_is_refused() -> None:
    plan = packed([PassRow((1, 2), 0, ())], CPU).plan
    tensors = [numbers(1, 2, 2, WIDTH)] * 3
    module: Any = SimpleNamespace(layer_idx=0)
    with running(plan), pytest.raises(SharedPathError, match="window of 4"):
        shared_attention(module, *tensors, Masks(None, None, []), **keywords(4))


def test_nothing_runs_outside_of_a_pass() -> None:
    with pytest.raises(SharedPathError, match="outside"):
        shared_mask(mask_function=causal_mask_function, device=CPU, dtype=torch.float32)
