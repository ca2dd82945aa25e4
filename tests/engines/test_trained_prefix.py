"""A trained prefix on every architecture: the tokens and scores of peft's own prefix-tuning."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import architectures
import pytest
from comparing import plain_model, some_prompts

from stepladder.checkpoints import resolve
from stepladder.checkpoints.prefix import lay_prefix, layer_states
from stepladder.checkpoints.prompt_files import write
from stepladder.checkpoints.soft_prompt import soft_prompt, take_off
from stepladder.engines.hf import HFEngine
from stepladder.errors import CheckpointError
from stepladder.records import Sampling

torch = pytest.importorskip("torch")

Make = Callable[[str], Path]
TOKENS = 10


def with_prefix(folder: Path, out: Path) -> Path:
    """peft's folder of a prefix of five tokens that moves every layer's attention."""
    model = plain_model(folder)
    model.name_or_path = str(folder)
    torch.manual_seed(1)
    states = layer_states(model, torch.arange(20, 25))
    lay_prefix(model, states + torch.randn_like(states) * states.std())
    write(model, out)
    return out


@pytest.mark.parametrize("name", [*architectures.SHARED, "bloom"])
def test_tokens_and_scores_are_those_of_peft(name: str, tiny_model: Make, tmp_path: Path) -> None:
    """Behind a prefix that all share, with prompts that share more, beyond the sliding windows."""
    from peft import PeftModel

    folder = tiny_model(name)
    engine = HFEngine(resolve(str(with_prefix(folder, tmp_path / "prefix"))))
    before = "once upon a time the big cat sat and " * 3
    prompts = [*some_prompts(3, 0, longest=12, before=before), *some_prompts(2, 1, longest=12)]
    found = {c.index: c for c in engine.generate(prompts, Sampling(max_new_tokens=TOKENS))}
    likely = engine.log_likelihood([(prompt, "a dog") for prompt in prompts])
    assert engine.path.name == ("generate" if name == "bloom" else "shared")
    model = PeftModel.from_pretrained(plain_model(folder), str(tmp_path / "prefix")).eval()
    moved = 0
    for index, prompt in enumerate(prompts):
        ids = engine.tokenizer(prompt.text)["input_ids"]
        written = list(found[index].tokens)
        out = model.generate(
            input_ids=torch.tensor([ids]),
            attention_mask=torch.ones(1, len(ids), dtype=torch.long),
            max_new_tokens=TOKENS,
            do_sample=False,
        )[0, len(ids) :].tolist()
        assert out[: len(written)] == written
        answer = engine.tokenizer(prompt.text + " a dog")["input_ids"][len(ids) :] + [1]
        theirs = score(model, ids, answer)
        assert likely[index].total == pytest.approx(theirs, abs=1e-3)
        moved += abs(score(model.get_base_model(), ids, answer) - theirs) > 0.1
    assert moved >= 1  # of long prompts it has slid out of the narrow windows


def test_taken_off_nothing_of_it_is_left(tiny_model: Make) -> None:
    model, ids = plain_model(tiny_model("llama")), torch.tensor([[5, 6, 7]])
    with torch.no_grad():
        before = model(input_ids=ids).logits
        states = layer_states(model, torch.arange(20, 25))
        lay_prefix(model, states)
        behind = model(input_ids=torch.tensor([[-1, -2, 5, 6, 7]])).logits
        assert not torch.allclose(behind[:, 2:], before, atol=1e-2)
        take_off(model)
        assert soft_prompt(model) is None
        assert torch.equal(model(input_ids=ids).logits, before)
        with pytest.raises(IndexError):
            model(input_ids=torch.tensor([[-1, 5]]))


def test_layers_that_go_by_it_are_an_error(tiny_model: Make) -> None:
    """No prefix is better than one that silently does nothing."""
    model = plain_model(tiny_model("llama"))
    lay_prefix(model, layer_states(model, torch.arange(20, 25)))
    attention = model.model.layers[1].self_attn
    plain = attention.forward
    attention.forward = lambda *args, **named: plain(*args, **named | {"past_key_values": None})
    with torch.no_grad(), pytest.raises(CheckpointError, match="reached 1 of 2 layers"):
        model(input_ids=torch.tensor([[-1, 5]]))


def test_beams_stand_behind_it(tiny_model: Make, tmp_path: Path) -> None:
    from peft import PeftModel

    folder = tiny_model("llama")
    engine = HFEngine(resolve(str(with_prefix(folder, tmp_path / "prefix"))))
    prompts = some_prompts(3, 2, longest=8)
    sampling = Sampling(max_new_tokens=6, beams=3)
    found = {c.index: list(c.tokens) for c in engine.generate(prompts, sampling)}
    model = PeftModel.from_pretrained(plain_model(folder), str(tmp_path / "prefix")).eval()
    for index, prompt in enumerate(prompts):
        ids = torch.tensor([engine.tokenizer(prompt.text)["input_ids"]])
        out = model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=6,
            num_beams=3,
            do_sample=False,
        )
        written = out[0, ids.shape[1] :].tolist()
        assert found[index] == written[: len(found[index])]


def score(model: object, ids: list[int], answer: list[int]) -> float:
    """Log-likelihood of an answer behind a prompt, by the model's own forward pass."""
    given = torch.tensor([[*ids, *answer]])
    with torch.inference_mode():
        logits = model(input_ids=given, attention_mask=torch.ones_like(given)).logits[0]  # type: ignore[operator]
    told = logits[len(ids) - 1 : -1].log_softmax(-1)
    return float(told.gather(1, torch.tensor(answer)[:, None]).sum())
