"""Decoders on the shared path: the tokens of `generate`, whatever is shared and whoever leaves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import architectures
import pytest
from comparing import WORDS, compare, plain_model, shots, some_prompts

from stepladder.checkpoints import resolve
from stepladder.engines.hf import HFEngine
from stepladder.records import Adapter, Prompt, Sampling

Make = Callable[[str], Path]


def tree_of_prompts(count: int = 12, seed: int = 0) -> list[Prompt]:
    """A third without, with two and with four demonstrations, and a few that share nothing."""
    return [
        prompt
        for number, before in enumerate(("", shots(2), shots(4)))
        for prompt in some_prompts(count // 3, seed + number, longest=12, before=before)
    ]


def tokens_of(engine: HFEngine, prompts: list[Prompt], sampling: Sampling) -> list[tuple[int, ...]]:
    found = {c.index: c.tokens for c in engine.generate(prompts, sampling)}
    return [found[i] for i in range(len(prompts))]


@pytest.mark.parametrize("name", architectures.SHARED)
def test_greedy_tokens_are_those_of_generate(name: str, tiny_model: Make) -> None:
    engine = HFEngine(resolve(str(tiny_model(name))))
    found = compare(tiny_model(name), tree_of_prompts(), new_tokens=24, engine=engine)
    assert engine.path == ("shared", None)
    assert found.tokens >= 200
    assert not found.others and found.ties <= 1


@pytest.mark.parametrize("name", ["bloom", "mamba", "llama with rope by length"])
def test_models_off_the_path_answer_the_same_and_say_why(name: str, tiny_model: Make) -> None:
    engine = HFEngine(resolve(str(tiny_model(name))))
    found = compare(tiny_model(name), tree_of_prompts(6), new_tokens=12, engine=engine)
    assert engine.path.name == "generate"
    assert architectures.FALLBACK[name] in (engine.path.reason or "")
    assert found.tokens >= 50 and not found.others and found.ties <= 1


@pytest.mark.slow
@pytest.mark.parametrize("name", architectures.SHARED)
def test_greedy_tokens_over_twenty_thousand(
    name: str, tiny_model: Make, record_property: Any
) -> None:
    folder, tokens, ties = tiny_model(name), 0, 0
    engine = HFEngine(resolve(str(folder)))
    for seed in range(100):
        found = compare(folder, tree_of_prompts(60, seed), 64, engine)
        tokens, ties = tokens + found.tokens, ties + found.ties
        assert not found.others
        if tokens >= 20_000:
            break
    record_property("tokens", tokens)
    record_property("ties", ties)
    print(f"{name}: {ties} ties in {tokens:,} tokens, {engine.near_ties} near ones")
    assert tokens >= 20_000 and ties <= engine.near_ties <= tokens / 500


def test_rows_that_come_and_go_do_not_matter(tiny_model: Make) -> None:
    """With room for a few rows only, answers of many lengths leave and waiting ones come in."""
    folder, prompts = tiny_model("llama"), tree_of_prompts(30)
    sampling = Sampling(max_new_tokens=24, stop=("t", "é", "r"))
    wide = HFEngine(resolve(str(folder)))
    narrow = HFEngine(resolve(str(folder)), batch_tokens=400)
    found = tokens_of(narrow, prompts, sampling)
    assert found == tokens_of(wide, prompts, sampling)
    assert len(Counter(map(len, found))) > 3
    greedy = replace(sampling, stop=())
    whole = tokens_of(wide, prompts, greedy)
    assert all(full[: len(cut)] == cut for full, cut in zip(whole, found, strict=True))


def count_passes(engine: HFEngine, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Notes how many tokens each forward pass computes from now on."""
    from stepladder.engines import packed

    assert engine.path.name == "shared"
    passed: list[int] = []
    forward = packed.SharedModel.forward

    def counted(model: Any, pass_: Any, cache: Any, keep: Any) -> Any:
        passed.append(len(pass_.ids))
        return forward(model, pass_, cache, keep)

    monkeypatch.setattr(packed.SharedModel, "forward", counted)
    return passed


def test_a_shared_prefix_is_computed_once(
    tiny_model: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = HFEngine(resolve(str(tiny_model("llama"))))
    passed = count_passes(engine, monkeypatch)
    prompts = some_prompts(20, longest=6, before=shots(4))
    counts = engine.count_tokens(prompts)
    list(engine.generate(prompts, Sampling(max_new_tokens=1)))
    prefix = engine.count_tokens([Prompt(shots(4), ())])[0]
    assert sum(passed) <= sum(counts) - 19 * (prefix - 2)


def test_one_more_demonstration_extends_what_is_there(
    tiny_model: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = HFEngine(resolve(str(tiny_model("llama"))))
    passed, sampling = count_passes(engine, monkeypatch), Sampling(max_new_tokens=8)
    ladder = [some_prompts(20, longest=6, before=shots(k)) for k in (2, 3, 4)]
    work, found = [], []
    for prompts in ladder:
        passed.clear()
        found.append(tokens_of(engine, prompts, sampling))
        work.append(sum(passed))
    fresh = HFEngine(resolve(str(tiny_model("llama"))), prefix_bytes=0)
    assert fresh.path.name == "shared"
    for prompts, tokens, done in list(zip(ladder, found, work, strict=True))[1:]:
        passed.clear()
        assert tokens_of(fresh, prompts, sampling) == tokens
        assert done < sum(passed) - 40


def test_prefixes_of_earlier_calls_stay_within_their_bytes(tiny_model: Make) -> None:
    folder = tiny_model("llama")
    engine = HFEngine(resolve(str(folder)), prefix_bytes=40_000)
    for seed in range(6):
        list(engine.generate(some_prompts(4, before=shots(4, seed)), Sampling(max_new_tokens=2)))
    store = engine._ready().runner.shared.store  # type: ignore[attr-defined]
    assert 0 < len(store) < 6
    assert sum(prefix.size for prefix in store._kept) <= 40_000


@pytest.mark.parametrize("name", ["llama", "bloom"])
def test_samples_are_those_of_the_seeds_one_by_one(
    name: str, tiny_model: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = HFEngine(resolve(str(tiny_model(name))))
    prompts = some_prompts(3, longest=8, before=shots(4))
    sampling = Sampling(max_new_tokens=10, temperature=1.0, top_p=0.9, seed=5)
    found = {(n, c.index): c.tokens for n, c in engine.samples(prompts, sampling, 4)}
    assert len(found) == 12 and len(set(found.values())) > 6
    for number in range(4):
        alone = tokens_of(engine, prompts, replace(sampling, seed=5 + number))
        assert alone == [found[number, i] for i in range(3)]
    if name == "llama":
        passed = count_passes(engine, monkeypatch)
        once = replace(sampling, max_new_tokens=1)
        list(engine.samples([Prompt("the cat " * 50, ())], once, 8))
        assert sum(passed) == engine.count_tokens([Prompt("the cat " * 50, ())])[0] - 1 + 8


def test_near_ties_are_counted(tiny_model: Make) -> None:
    """A model whose logits are all the same ties at every step, on both paths."""
    import torch

    for name in ("llama", "bloom"):
        engine = HFEngine(resolve(str(tiny_model(name))))
        assert engine.near_ties == 0
        with torch.no_grad():
            engine.model.get_output_embeddings().weight.zero_()
        found = list(engine.generate(some_prompts(3), Sampling(max_new_tokens=5)))
        assert engine.near_ties == sum(len(c.tokens) for c in found) > 0


@pytest.mark.parametrize("name", ["llama", "gemma2", "mistral"])
def test_log_likelihoods_share_prefixes(
    name: str, tiny_model: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    folder = tiny_model(name)
    engine, model = HFEngine(resolve(str(folder))), plain_model(folder)
    labels = ["cat", "dog", "a big red ball", "time"]
    pairs = [
        (prompt, label)
        for prompt in some_prompts(5, longest=20, before=shots(3))
        for label in labels
    ]
    passed = count_passes(engine, monkeypatch)
    found = engine.log_likelihood(pairs)
    full = 0
    for (prompt, label), score in zip(pairs, found, strict=True):
        ids = engine.tokenizer(prompt.text)["input_ids"]
        whole = [*engine.tokenizer(f"{prompt.text} {label}")["input_ids"], 1]
        wanted = [-100] * len(ids) + whole[len(ids) :]
        loss = model(input_ids=torch.tensor([whole]), labels=torch.tensor([wanted])).loss
        assert score.tokens == len(whole) - len(ids)
        assert score.total == pytest.approx(-loss.item() * score.tokens, abs=1e-3)
        full += len(whole)
    assert sum(passed) < full / 4


def test_a_wrapped_adapter_stays_in_place(tiny_llama: Path, tmp_path: Path) -> None:
    """LoRA through the shared path: the tokens of the merged model, which differ from the base."""
    import torch
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(1)
    settings = LoraConfig(target_modules="all-linear", r=4, init_lora_weights=False)
    get_peft_model(plain_model(tiny_llama), settings).save_pretrained(tmp_path / "adapter")
    tuned = replace(resolve(str(tiny_llama)), adapters=(Adapter(tmp_path / "adapter", "1"),))
    engine, sampling = HFEngine(tuned), Sampling(max_new_tokens=16)
    prompts = tree_of_prompts()
    found = tokens_of(engine, prompts, sampling)
    assert engine.path == ("shared", None)
    engine.model.merge_adapter()
    assert tokens_of(engine, prompts, sampling) == found
    assert tokens_of(HFEngine(resolve(str(tiny_llama))), prompts, sampling) != found


def test_stop_strings_are_found_wherever_tokens_end(tiny_model: Make) -> None:
    """Against a search of the whole text after each token, which needs no shortcuts."""
    from stepladder.engines.decoding import StopFinder

    tokenizer = HFEngine(resolve(str(tiny_model("llama")))).tokenizer
    text = "the cat é sat.\n\nInput: a dog 中 " + " ".join(WORDS)
    ids = tokenizer(text)["input_ids"]
    for stop in ("t", "é", "\n\nInput", "中", " a", "dog ", ".\n", "Input:"):
        finder = StopFinder(tokenizer, (stop,))
        ends = next(i for i in range(1, len(ids) + 1) if finder.ends(ids[:i]))
        full = next(i for i in range(1, len(ids) + 1) if stop in tokenizer.decode(ids[:i]))
        assert ends == full
