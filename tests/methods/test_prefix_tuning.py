"""Prefix-tuning: peft's own answers and scores, whatever stands beside it, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from adapting import QUERIES, SAMPLING, adapted, answers, answers_alike_without, scores

from stepladder.adaptation import Adaptation, Prompter
from stepladder.adaptation.export import save
from stepladder.checkpoints import load, resolve, virtual_ids
from stepladder.engines.hf import HFEngine
from stepladder.errors import CheckpointError, RungError
from stepladder.ledger import Ledger, StudyLog
from stepladder.methods import parse_rung
from stepladder.records import Checkpoint

torch = pytest.importorskip("torch")

PREFIX = "prompt-tuning(5, kind=prefix, epochs=2, lr=0.3)"
JOINT = "lora(rank=2, epochs=2, lr=1e-2) + prompt-tuning(5, kind=prefix, lr=0.3)"
ALL = "full(epochs=2, lr=1e-3) + " + JOINT.replace("epochs=2, ", "")
NUMBERS = 5 * 2 * 2 * 16  # virtual tokens, layers, keys and values, two key heads of 8


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StudyLog]:
    with Ledger.open(tmp_path_factory.mktemp("prefix") / "ledger.db") as ledger:
        yield ledger.start("prefix", {})


@pytest.fixture
def base(tiny_llama: Path) -> Adaptation:
    return Adaptation(resolve(str(tiny_llama)), Prompter("Change it."), sampling=SAMPLING)


@pytest.mark.parametrize("rung", [PREFIX, JOINT, ALL])
def test_saved_and_loaded_it_answers_the_same_and_otherwise_than_the_base(
    rung: str, base: Adaptation, log: StudyLog, tmp_path: Path
) -> None:
    tuned, bench = adapted(rung, base, log)
    save(tuned, tmp_path / "out", "")
    loaded = Adaptation.load(tmp_path / "out")
    assert loaded.checkpoint.identity == tuned.checkpoint.identity != base.checkpoint.identity
    assert virtual_ids(loaded.checkpoint) == (-1, -2, -3, -4, -5)
    assert answers(loaded) == answers(tuned)
    assert scores(loaded) == scores(tuned)
    assert abs(scores(tuned) - scores(base)) > 1e-2
    rest = bench.builds[-1].trainable - NUMBERS
    assert rest == 0 if rung == PREFIX else rest > 0


@pytest.mark.parametrize("rung", [JOINT, ALL])
def test_what_is_exported_merged_is_whole_with_the_prefix_within(
    rung: str, base: Adaptation, log: StudyLog, tmp_path: Path
) -> None:
    tuned, _ = adapted(rung, base, log)
    save(tuned, tmp_path / "out", "", merged=True)
    loaded = Adaptation.load(tmp_path / "out")
    assert isinstance(loaded.checkpoint, Checkpoint)
    assert [adapter.folder.name for adapter in loaded.checkpoint.adapters] == ["soft_prompt"]
    assert scores(loaded) == pytest.approx(scores(tuned), abs=1e-3)


def test_a_lora_trained_later_stands_behind_it(
    base: Adaptation, log: StudyLog, tmp_path: Path
) -> None:
    first, _ = adapted(PREFIX, base, log)
    later, _ = adapted(f"{PREFIX} + few-shot(1) + lora(rank=2, epochs=1, lr=1e-2)", base, log)
    assert later.checkpoint.adapters[:1] == first.checkpoint.adapters
    assert virtual_ids(later.checkpoint) == (-1, -2, -3, -4, -5)
    save(later, tmp_path / "out", "")
    loaded = Adaptation.load(tmp_path / "out")
    assert answers(loaded) == answers(later)
    assert scores(loaded) == pytest.approx(scores(later), abs=1e-3)


def test_peft_itself_gives_the_same_tokens_and_scores(base: Adaptation, log: StudyLog) -> None:
    tuned, _ = adapted(PREFIX, base, log)
    folder = tuned.checkpoint.adapters[0].folder
    engine = HFEngine(tuned.checkpoint)
    prompts = [base.prompter.render(query) for query in QUERIES]
    found = {c.index: c for c in engine.generate(prompts, SAMPLING)}
    assert engine.path.name == "shared"
    likely = engine.log_likelihood([(prompt, "a dog") for prompt in prompts])
    model, tokenizer = _peft(base.checkpoint, folder)
    for index, prompt in enumerate(prompts):
        ids = torch.tensor([tokenizer(prompt.text)["input_ids"]])
        out = model.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=6, do_sample=False
        )[0].tolist()
        written = list(found[index].tokens)
        assert out[ids.shape[1] :][: len(written)] == written
        assert found[index].tokens_in == ids.shape[1] + 5
        assert likely[index].total == pytest.approx(_score(model, tokenizer, prompt.text), abs=1e-4)


def test_one_that_peft_trained_through_a_projection_is_read(
    base: Adaptation, tmp_path: Path
) -> None:
    """peft writes what comes out of the projection; without the projection, for all to read."""
    from peft import PrefixTuningConfig, get_peft_model

    plain, _ = load(base.checkpoint)
    config = PrefixTuningConfig(
        task_type="CAUSAL_LM", num_virtual_tokens=4, prefix_projection=True, encoder_hidden_size=12
    )
    torch.manual_seed(0)
    get_peft_model(plain, config).save_pretrained(str(tmp_path / "theirs"))
    tuned = resolve(str(tmp_path / "theirs"))
    assert isinstance(tuned, Checkpoint) and virtual_ids(tuned) == (-1, -2, -3, -4)
    prompt = base.prompter.render(QUERIES[0])
    (found,) = HFEngine(tuned).log_likelihood([(prompt, "a dog")])
    theirs = _score(*_peft(base.checkpoint, tmp_path / "theirs"), prompt.text)
    assert found.total == pytest.approx(theirs, abs=1e-4)


def test_scores_and_the_plain_path_agree_with_the_shared_one(
    base: Adaptation, log: StudyLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    tuned, _ = adapted(JOINT, base, log)
    answers_alike_without(("_shared",), tuned, monkeypatch)


def test_a_joint_training_moves_both_parts_and_no_weight_of_the_base(
    base: Adaptation, log: StudyLog
) -> None:
    tuned, _ = adapted(JOINT, base, log)
    found = dict(load(tuned.checkpoint).model.named_parameters())
    moved = [p for name, p in found.items() if "lora_B" in name]
    assert moved and all(p.abs().sum() > 0 for p in moved)  # they begin as zeros
    words = {name: p for name, p in load(base.checkpoint).model.named_parameters()}
    kept = {
        name.replace("base_model.model.", "").replace(".base_layer", "").replace(".words", ""): p
        for name, p in found.items()
    }
    assert words.keys() <= kept.keys()
    assert all(torch.equal(kept[name], weight) for name, weight in words.items())


def test_it_begins_as_the_instruction_before_the_prompt(tiny_llama: Path) -> None:
    """Before its first update the model answers as if it read the words themselves."""
    words, prompt = [7, 8, 9, 40], [11, 12, 13]
    model = load(resolve(str(tiny_llama))).model
    with torch.no_grad():
        read = model(input_ids=torch.tensor([words + prompt])).logits[0, 4:]
    method: Any = parse_rung("prompt-tuning(4, kind=prefix)").methods[0]
    method.begin(method.prepare(model), words)
    with torch.no_grad():
        found = model(input_ids=torch.tensor([[-1, -2, -3, -4, *prompt]])).logits[0, 4:]
    assert torch.allclose(found, read, atol=1e-5)


def test_noise_is_as_wide_as_each_layers_keys_and_values(tiny_llama: Path) -> None:
    def spread(init: str) -> Any:
        torch.manual_seed(0)
        method: Any = parse_rung(f"prompt-tuning(64, kind=prefix, init={init})").methods[0]
        model = load(resolve(str(tiny_llama))).model
        model.model.layers[1].self_attn.k_proj.weight.data *= 4
        vectors = method.prepare(model).get_input_embeddings().vectors.detach()
        return vectors.view(64, 2, 2, 16).std((0, 3))

    words, noise = spread("vocabulary"), spread("random")
    assert torch.allclose(noise, words, rtol=0.1)
    assert words[1, 0] > 3 * words[0, 0]  # else it would say little


def test_an_encoder_decoder_is_refused_before_anything_is_spent(tiny_t5: Path) -> None:
    for text in (PREFIX, JOINT):
        with pytest.raises(RungError, match="is an encoder-decoder; leave kind=prefix out"):
            parse_rung(text).check(resolve(str(tiny_t5)))


def test_a_recurrent_model_is_refused() -> None:
    from transformers import AutoModelForCausalLM, MambaConfig

    config = MambaConfig(vocab_size=300, hidden_size=32, num_hidden_layers=2)
    method: Any = parse_rung(PREFIX).methods[0]
    with pytest.raises(RungError, match="this is recurrent; leave kind out"):
        method.prepare(AutoModelForCausalLM.from_config(config))


@pytest.mark.parametrize(
    "text",
    [
        "prompt-tuning(kind=prefix, checkpointing=yes)",
        "lora(checkpointing=yes) + prompt-tuning(kind=prefix)",
    ],
)
def test_one_beside_layers_that_are_computed_twice_is_refused(text: str) -> None:
    with pytest.raises(RungError, match="lies in the cache, which checkpointing=yes"):
        parse_rung(text)


def test_one_longer_than_the_context_is_refused(tiny_llama: Path) -> None:
    with pytest.raises(RungError, match="256 virtual tokens, and the context of .* is 256 tokens"):
        parse_rung("prompt-tuning(256, kind=prefix)").check(resolve(str(tiny_llama)))


def test_one_of_another_model_is_refused(base: Adaptation, log: StudyLog, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    tuned, _ = adapted(PREFIX, base, log)
    save(tuned, tmp_path / "out", "")
    save_file({"prompt_embeddings": torch.zeros(5, 7)}, tmp_path / "out/adapter_model.safetensors")
    with pytest.raises(CheckpointError, match="should be .virtual tokens, 64.*another model"):
        load(resolve(str(tmp_path / "out")))


def _peft(checkpoint: Checkpoint, folder: Path) -> tuple[Any, Any]:
    """The adapter as peft itself loads it, and a tokenizer."""
    from peft import PeftModel

    plain, tokenizer = load(checkpoint)
    return PeftModel.from_pretrained(plain, str(folder)).eval(), tokenizer


def _score(model: Any, tokenizer: Any, text: str) -> float:
    """Log-likelihood of the answer and its end."""
    prompt = tokenizer(text)["input_ids"]
    answer = [*tokenizer(text + " a dog")["input_ids"][len(prompt) :], tokenizer.eos_token_id]
    ids = torch.tensor([[*prompt, *answer]])
    with torch.inference_mode():
        logits = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0]
    told = logits[len(prompt) - 1 : -1].log_softmax(-1)
    return float(told.gather(1, torch.tensor(answer)[:, None]).sum())
