"""The loss from logits at the answers alone is the model's own, and so are its gradients."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from engines import architectures
from stepladder.checkpoints import load, resolve

torch = pytest.importorskip("torch", reason="needs the extra 'hf'")

from stepladder.checkpoints.answer_loss import (  # noqa: E402
    able,
    agrees,
    answer_loss,
    learned,
    shares,
)

ROWS = [(21, 5), (16, 3), (14, 11), (30, 1)]
"""Tokens of prompts and answers."""


def batch_of(rows: list[tuple[int, int]], extra: int = 3) -> dict[str, Any]:
    """Random tokens, and `extra` columns that no row fills."""
    generator = torch.Generator().manual_seed(0)
    columns = max(map(sum, rows)) + extra
    ids = torch.randint(2, 300, (len(rows), columns), generator=generator)
    mask, labels = torch.zeros_like(ids), torch.full_like(ids, -100)
    for line, (prompt, answer) in enumerate(rows):
        mask[line, : prompt + answer] = 1
        labels[line, prompt : prompt + answer] = ids[line, prompt : prompt + answer]
    return {"input_ids": ids * mask, "attention_mask": mask, "labels": labels}


def for_encoder_decoder(batch: dict[str, Any]) -> dict[str, Any]:
    """The same ids read, and answers of unlike lengths."""
    labels = torch.full((len(ROWS), 12), -100)
    for line, (_, answer) in enumerate(ROWS):
        labels[line, :answer] = batch["input_ids"][line, :answer]
    return batch | {"labels": labels}


def gradients(model: Any, loss: Any) -> list[Any]:
    model.zero_grad()
    loss.backward()
    return [p.grad.clone() for p in model.parameters() if p.grad is not None]


@pytest.mark.parametrize("name", [*architectures.CONFIGS, "t5"])
def test_loss_and_gradients_are_the_models_own(name: str, tiny_t5: Any) -> None:
    t5 = name == "t5"
    batch = for_encoder_decoder(batch_of(ROWS)) if t5 else batch_of(ROWS)
    model = load(resolve(str(tiny_t5)), merged=True).model if t5 else architectures.build(name)
    assert able(model)
    assert agrees(model, batch)
    found = learned(batch, encoder_decoder=t5)
    ours = answer_loss(model, batch, found)
    whole = model(**batch, use_cache=False).loss
    assert ours.item() == pytest.approx(whole.item(), rel=1e-5)
    for one, other in zip(gradients(model, ours), gradients(model, whole), strict=True):
        assert torch.allclose(one, other, rtol=1e-3, atol=1e-4 * float(other.abs().max()))


@pytest.mark.parametrize("name", architectures.SHARED)
def test_rows_of_a_batch_never_see_each_other(name: str) -> None:
    model, batch = architectures.build(name), batch_of(ROWS)
    found = learned(batch, encoder_decoder=False)
    loss = answer_loss(model, batch, found).item()
    alone = 0.0
    for line, (prompt, answer) in enumerate(ROWS):
        row = batch["input_ids"][line : line + 1, : prompt + answer]
        labels = batch["labels"][line : line + 1, : prompt + answer]
        alone += answer * model(input_ids=row, labels=labels).loss.item()
    assert loss == pytest.approx(alone / sum(answer for _, answer in ROWS), rel=1e-5)


def with_a_beginning_in_common(tokens: int) -> dict[str, Any]:
    batch = batch_of(ROWS)
    batch["input_ids"][:, :tokens] = batch["input_ids"][0, :tokens]
    return batch | {"common": tokens}


@pytest.mark.parametrize("tokens", [1, 13])
@pytest.mark.parametrize("name", [*architectures.SHARED, "bloom"])
def test_a_beginning_in_common_is_read_once_for_all_rows(name: str, tokens: int) -> None:
    """Windows are of 9 and 12 tokens in these models, so the longer beginning goes past them."""
    model, batch, read = architectures.build(name), with_a_beginning_in_common(tokens), []
    assert shares(model, batch)
    model.get_input_embeddings().register_forward_hook(lambda _, i, o: read.append(i[0].shape))
    ours = answer_loss(model, batch, learned(batch, encoder_decoder=False))
    assert read == [(1, tokens), (4, 34 - tokens)]
    plain = {name: values for name, values in batch.items() if name != "common"}
    whole = model(**plain, use_cache=False).loss
    for one, other in zip(gradients(model, ours), gradients(model, whole), strict=True):
        assert torch.allclose(one, other, rtol=1e-3, atol=1e-4 * float(other.abs().max()))


@pytest.mark.parametrize("name", ["mamba", "qwen3 with recurrent layers"])
def test_a_model_with_a_state_reads_every_row_whole(name: str) -> None:
    assert not shares(architectures.build(name), with_a_beginning_in_common(8))


def test_what_the_rows_do_not_have_in_common_is_noticed() -> None:
    assert not shares(architectures.build("llama"), batch_of(ROWS) | {"common": 4})


def test_the_output_layer_reads_learned_tokens_and_nothing_else() -> None:
    model, batch, seen = architectures.build("llama"), batch_of(ROWS), []
    model.lm_head.register_forward_hook(lambda _, given, out: seen.append(out.shape))
    found = learned(batch, encoder_decoder=False)
    answer_loss(model, batch, found)
    assert seen == [(1, 64, 384)]  # 20 tokens, filled up
    assert int((found.targets != -100).sum()) == 20
    model(input_ids=batch["input_ids"])
    assert seen[1] == (4, 34, 384)  # the hook is gone


def test_a_loss_of_more_parts_is_left_to_the_model() -> None:
    model, batch = architectures.build("llama"), batch_of(ROWS)
    plain = model.forward

    def more(*args: Any, **kwargs: Any) -> Any:
        out = plain(*args, **kwargs)
        return SimpleNamespace(logits=out.logits, loss=None if out.loss is None else out.loss + 1)

    more.__signature__ = __import__("inspect").signature(plain)  # type: ignore[attr-defined]
    model.forward = more
    assert able(model)
    assert not agrees(model, batch)
    model.forward = plain
    model.config.output_router_logits = True
    assert not able(model)
