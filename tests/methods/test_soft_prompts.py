"""Soft prompts and joint trainings: what is trained, written, loaded and refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from adapting import QUERIES, SAMPLING, adapted, answers, answers_alike_without, scores

from stepladder.adaptation import Adaptation, Prompter
from stepladder.adaptation.export import save
from stepladder.checkpoints import fingerprint, load, resolve, virtual_ids
from stepladder.engines.hf import HFEngine
from stepladder.errors import CheckpointError, RungError
from stepladder.ledger import Ledger, StudyLog
from stepladder.methods import parse_rung
from stepladder.records import Checkpoint, Prompt

torch = pytest.importorskip("torch")

SOFT = "prompt-tuning(5, epochs=2, lr=0.3)"
ALL = "prompt-tuning(5, lr=0.3) + full(epochs=2, lr=1e-3) + lora(rank=2, lr=1e-2)"  # in any order
JOINT = "lora(rank=2, epochs=2, lr=1e-2) + prompt-tuning(5, epochs=2, lr=0.3)"


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StudyLog]:
    with Ledger.open(tmp_path_factory.mktemp("soft") / "ledger.db") as ledger:
        yield ledger.start("soft", {})


def tensors(model: Any) -> dict[str, Any]:
    return {name: p.detach().clone() for name, p in model.named_parameters()}


@pytest.mark.parametrize("rung", [SOFT, JOINT, ALL])
def test_saved_and_loaded_it_answers_the_same_and_otherwise_than_the_base(
    rung: str, base: Adaptation, log: StudyLog, tmp_path: Path
) -> None:
    tuned, bench = adapted(rung, base, log)
    before = fingerprint(base.checkpoint.folder)
    save(tuned, tmp_path / "out", "")
    loaded = Adaptation.load(tmp_path / "out")
    assert loaded.checkpoint.identity == tuned.checkpoint.identity != base.checkpoint.identity
    assert virtual_ids(loaded.checkpoint) == (-1, -2, -3, -4, -5)
    assert answers(loaded) == answers(tuned)
    assert scores(loaded) == scores(tuned)
    assert abs(scores(tuned) - scores(base)) > 1e-2
    assert fingerprint(base.checkpoint.folder) == before
    width = 32
    rest = bench.builds[-1].trainable - 5 * width
    assert rest == 0 if rung == SOFT else rest > 0
    if rung == ALL:
        assert rest > sum(p.numel() for p in load(base.checkpoint).model.parameters())


@pytest.mark.parametrize("rung", [SOFT, JOINT, ALL])
def test_what_is_exported_merged_is_whole_with_a_soft_prompt_within(
    rung: str, base: Adaptation, log: StudyLog, tmp_path: Path
) -> None:
    tuned, _ = adapted(rung, base, log)
    save(tuned, tmp_path / "out", "", merged=True)
    loaded = Adaptation.load(tmp_path / "out").checkpoint
    assert isinstance(loaded, Checkpoint)
    assert loaded.folder == (tmp_path / "out").resolve()
    assert [adapter.folder.name for adapter in loaded.adapters] == ["soft_prompt"]
    pairs = [(base.prompter.render(query), "a dog") for query in QUERIES]
    found = [HFEngine(c).log_likelihood(pairs) for c in (loaded, tuned.checkpoint)]
    for one, other in zip(*found, strict=True):
        assert one.total == pytest.approx(other.total, abs=1e-3)


def test_a_soft_prompt_on_a_lora_that_was_trained_before(
    base: Adaptation, log: StudyLog, tmp_path: Path
) -> None:
    first, _ = adapted("lora(rank=2, epochs=1, lr=1e-2)", base, log)
    later, _ = adapted(f"lora(rank=2, epochs=1, lr=1e-2) + few-shot(1) + {SOFT}", base, log)
    assert later.checkpoint.adapters[:1] == first.checkpoint.adapters
    assert abs(scores(later) - scores(first)) > 1e-2
    save(later, tmp_path / "out", "")
    loaded = Adaptation.load(tmp_path / "out")
    assert answers(loaded) == answers(later)
    assert scores(loaded) == pytest.approx(scores(later), abs=1e-3)


def test_a_joint_training_has_a_rate_for_each_part(base: Adaptation, log: StudyLog) -> None:
    """A part whose rate is next to nothing stays as it began."""
    from safetensors.torch import load_file

    def parts(lora: float, soft: float) -> tuple[float, Any]:
        rung = f"lora(rank=2, epochs=4, lr={lora}) + prompt-tuning(3, lr={soft}, init=vocabulary)"
        tuned, _ = adapted(rung, base, log)
        folder = tuned.checkpoint.adapters[0].folder
        adapter = load_file(folder / "adapter_model.safetensors")
        grown = max(float(t.abs().max()) for name, t in adapter.items() if "lora_B" in name)
        return grown, load_file(folder / "soft_prompt/adapter_model.safetensors")

    words = load(base.checkpoint).model.get_input_embeddings().weight

    def moved(soft: Any) -> bool:
        return bool((torch.cdist(soft["prompt_embeddings"], words).min(1).values > 1e-3).any())

    still, prompt = parts(1e-12, 0.3)
    assert still < 1e-9 and moved(prompt)
    grown, prompt = parts(1e-2, 1e-12)
    assert grown > 1e-4 and not moved(prompt)


def test_settings_of_a_joint_training_may_be_given_once() -> None:
    (joint,) = parse_rung("lora(epochs=2) + prompt-tuning(5, batch_size=4)").methods
    fit = joint.fit_settings()  # type: ignore[attr-defined]
    assert (fit.epochs, fit.batch_size, fit.patience) == (2.0, 4, 2)


def test_peft_itself_gives_the_same_tokens(base: Adaptation, log: StudyLog) -> None:
    from peft import PeftModel

    tuned, _ = adapted(SOFT, base, log)
    engine = HFEngine(tuned.checkpoint)
    prompts = [base.prompter.render(query) for query in QUERIES]
    found = {c.index: c for c in engine.generate(prompts, SAMPLING)}
    assert engine.path.name == ("encoder-decoder" if _seq2seq(base) else "shared")
    plain, tokenizer = load(base.checkpoint)
    model = PeftModel.from_pretrained(plain, str(tuned.checkpoint.adapters[0].folder))
    for index, prompt in enumerate(prompts):
        ids = torch.tensor([tokenizer(prompt.text)["input_ids"]])
        mask = torch.ones_like(ids)
        with torch.inference_mode():
            out = model.generate(
                input_ids=ids, attention_mask=mask, max_new_tokens=6, do_sample=False
            )[0].tolist()
        new = out[1:] if _seq2seq(base) else out[ids.shape[1] :]
        written = list(found[index].tokens)
        assert new[: len(written)] == written
        assert found[index].tokens_in == ids.shape[1] + 5


def test_scores_and_the_plain_path_agree_with_the_shared_one(
    base: Adaptation, log: StudyLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    tuned, _ = adapted(JOINT, base, log)
    answers_alike_without(("_shared", "_seq2seq"), tuned, monkeypatch)


def test_a_joint_training_moves_both_parts_and_no_weight_of_the_base(
    base: Adaptation, log: StudyLog
) -> None:
    tuned, bench = adapted(JOINT, base, log)
    (build,) = bench.builds
    model = load(tuned.checkpoint).model
    found = tensors(model)
    soft = {n: p for n, p in found.items() if n.endswith(".vectors")}
    moved = {n: p for n, p in found.items() if "lora_B" in n}
    assert {tuple(p.shape) for p in soft.values()} == {(5, 32)}
    assert moved
    assert all(p.abs().sum() > 0 for p in moved.values())  # they begin as zeros
    words = load(base.checkpoint).model
    begun = words.get_input_embeddings().weight
    vectors = next(iter(soft.values()))
    gaps = torch.cdist(vectors, begun).min(dim=1).values
    assert (gaps > 1e-3).all()  # they begin as words
    kept = {
        n.replace("base_model.model.", "").replace(".base_layer", ""): p for n, p in found.items()
    }
    for name, weight in tensors(words).items():
        inside = kept.get(name, kept.get(name.replace("embed_tokens.", "embed_tokens.words.")))
        if inside is not None:
            assert torch.equal(inside, weight), name
    assert sum(p.numel() for p in (*soft.values(), *moved.values())) < build.trainable


@pytest.mark.parametrize("init", ["instruction", "vocabulary", "random"])
def test_it_begins_as_it_is_told(init: str, tiny_llama: Path) -> None:
    method: Any = parse_rung(f"prompt-tuning(4, init={init})").methods[0]
    model = load(resolve(str(tiny_llama))).model
    words = model.get_input_embeddings().weight.detach().clone()
    prepared = method.prepare(model)
    method.begin(prepared, [7, 8, 9])
    (trained,) = (p for p in prepared.parameters() if p.requires_grad)
    if init == "instruction":
        assert torch.equal(trained.detach(), words[[7, 8, 9, 7]])
    else:
        near = (trained.detach()[:, None] == words).all(dim=2).any(dim=1)
        assert bool(near.all()) == (init == "vocabulary")


def test_a_lora_trained_later_stands_behind_the_soft_prompt(
    tiny_llama: Path, log: StudyLog, tmp_path: Path
) -> None:
    base = Adaptation(resolve(str(tiny_llama)), Prompter("Change it."), sampling=SAMPLING)
    later, bench = adapted(f"{SOFT} + few-shot(1) + lora(rank=2, epochs=1)", base, log)
    assert len(bench.builds) == len(later.checkpoint.adapters) == 2
    assert virtual_ids(later.checkpoint) == (-1, -2, -3, -4, -5)
    assert abs(scores(later) - scores(base)) > 1e-2
    save(later, tmp_path / "out", "")
    loaded = Adaptation.load(tmp_path / "out")
    assert answers(loaded) == answers(later)
    assert scores(loaded) == pytest.approx(scores(later), abs=1e-3)


@pytest.mark.parametrize(
    ("rung", "said"),
    [
        ("prompt-tuning(0)", "n is 0; give 1 or more"),
        (
            "prompt-tuning(init=nonsense)",
            "'nonsense' is not one of instruction, vocabulary, random",
        ),
        ("prompt-tuning(lr=9)", "prompt-tuning: lr is 9.0"),
        ("full + full", "of full, lora and prompt-tuning, each once at most"),
        ("lora + lora", "of full, lora and prompt-tuning, each once at most"),
        ("lora + prompt-tuning + prompt-tuning(5)", "each once at most; make two rungs of it"),
        (
            "lora(epochs=1) + prompt-tuning(epochs=2)",
            "lora has epochs=1.0 and prompt-tuning has epochs=2.0, and they are one training",
        ),
    ],
)
def test_what_cannot_be_is_refused(rung: str, said: str) -> None:
    with pytest.raises(RungError, match=said):
        parse_rung(rung)


def test_one_longer_than_the_context_is_refused(tiny_llama: Path) -> None:
    rung = parse_rung("prompt-tuning(256)")
    with pytest.raises(RungError, match="256 virtual tokens, and the context of .* is 256 tokens"):
        rung.check(resolve(str(tiny_llama)))


@pytest.mark.parametrize("later", ["full(epochs=1)", "prompt-tuning(2)"])
def test_what_would_lose_the_soft_prompt_is_refused(
    later: str, tiny_llama: Path, log: StudyLog
) -> None:
    base = Adaptation(resolve(str(tiny_llama)), Prompter("Change it."), sampling=SAMPLING)
    with pytest.raises(RungError, match="cannot be trained behind a soft prompt"):
        adapted(f"{SOFT} + few-shot(1) + {later}", base, log)


def test_a_soft_prompt_of_another_width_is_refused(
    tiny_llama: Path, log: StudyLog, tmp_path: Path
) -> None:
    from safetensors.torch import save_file

    base = Adaptation(resolve(str(tiny_llama)), Prompter("Change it."), sampling=SAMPLING)
    tuned, _ = adapted(SOFT, base, log)
    save(tuned, tmp_path / "out", "")
    save_file({"prompt_embeddings": torch.zeros(5, 7)}, tmp_path / "out/adapter_model.safetensors")
    with pytest.raises(CheckpointError, match="should be .virtual tokens, 32."):
        load(resolve(str(tmp_path / "out")))


def test_prompts_that_share_it_share_a_prefix(tiny_llama: Path, log: StudyLog) -> None:
    """Two prompts that have not a word in common still have the soft prompt."""
    from stepladder.engines.prefix_tree import Line, grow

    base = Adaptation(resolve(str(tiny_llama)), Prompter("Change it."), sampling=SAMPLING)
    tuned, _ = adapted(SOFT, base, log)
    checkpoint = tuned.checkpoint
    assert isinstance(checkpoint, Checkpoint)
    engine = HFEngine(checkpoint)
    requests = engine._requests([Prompt("abc", ()), Prompt("xyz", ())])
    homes = grow([Line(r.ids, len(r.ids) - 1) for r in requests], cost=0)
    assert homes[0] is not None and homes[0].path() == virtual_ids(checkpoint)


def _seq2seq(base: Adaptation) -> bool:
    return base.checkpoint.capabilities.encoder_decoder
