"""QLoRA: an adapter on base weights of 4 bits answers on the same weights wherever it is loaded."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from adapting import QUERIES, SAMPLING, adapted, answers, scores

from stepladder.adaptation import Adaptation, Prompter
from stepladder.adaptation.export import save
from stepladder.checkpoints import fingerprint, load, quantized, resolve, virtual_ids
from stepladder.engines.hf import HFEngine
from stepladder.errors import MissingExtraError, RungError
from stepladder.ledger import Ledger, StudyLog
from stepladder.methods import parse_rung
from stepladder.records import Checkpoint

torch = pytest.importorskip("torch")

FOUR = "lora(rank=2, epochs=2, lr=1e-2, bits=4)"
JOINT = f"{FOUR} + prompt-tuning(3, kind=input, lr=0.1)"

needed = pytest.mark.skipif(
    importlib.util.find_spec("bitsandbytes") is None, reason="needs the extra 'quantized'"
)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StudyLog]:
    with Ledger.open(tmp_path_factory.mktemp("four") / "ledger.db") as ledger:
        yield ledger.start("four", {})


@pytest.fixture
def decoder(tiny_llama: Path) -> Adaptation:
    return Adaptation(resolve(str(tiny_llama)), Prompter("Change it."), sampling=SAMPLING)


@needed
@pytest.mark.parametrize("rung", [FOUR, JOINT])
def test_saved_loaded_and_merged_it_answers_the_same(
    rung: str, base: Adaptation, log: StudyLog, tmp_path: Path
) -> None:
    tuned, bench = adapted(rung, base, log)
    plain, beside = adapted(rung.replace(", bits=4", ""), base, log)
    assert bench.builds[-1].trainable == beside.builds[-1].trainable
    assert tuned.checkpoint.identity != plain.checkpoint.identity
    save(tuned, tmp_path / "out", "")
    loaded = Adaptation.load(tmp_path / "out")
    assert loaded.checkpoint.identity == tuned.checkpoint.identity
    assert answers(loaded) == answers(tuned)
    assert scores(loaded) == scores(tuned)
    save(tuned, tmp_path / "merged", "", merged=True)
    merged = Adaptation.load(tmp_path / "merged")
    assert isinstance(merged.checkpoint, Checkpoint)
    assert not any(quantized.is_quantized(a.folder) for a in merged.checkpoint.adapters)
    assert bool(virtual_ids(merged.checkpoint)) == (rung == JOINT)
    assert scores(merged) == pytest.approx(scores(tuned), abs=1e-3)


@needed
def test_answers_rest_on_the_quantised_weights_and_no_others(
    decoder: Adaptation, log: StudyLog
) -> None:
    """bitsandbytes' own numbers in full width under peft's adapter score alike; the base's own
    weights under it do not."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    tuned, _ = adapted(FOUR, decoder, log)
    folder = tuned.checkpoint.adapters[0].folder
    found = load(tuned.checkpoint).model
    kinds = {type(module).__name__ for module in found.modules()}
    assert "Linear4bit" in kinds
    settings = quantized.settings("float32")
    source = str(decoder.checkpoint.folder)
    four = AutoModelForCausalLM.from_pretrained(
        source, dtype=torch.float32, quantization_config=settings
    )
    rounded = PeftModel.from_pretrained(four.dequantize(), str(folder)).eval()
    full = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32)
    other = PeftModel.from_pretrained(full, str(folder)).eval()
    ids = torch.arange(20, 60)[None]
    with torch.no_grad():
        ours, same, else_ = (m(input_ids=ids).logits for m in (found, rounded, other))
    assert torch.allclose(ours, same, atol=1e-4)
    assert (ours - else_).abs().max() > 0.1


@needed
def test_a_later_adapter_stands_on_the_same_weights(
    decoder: Adaptation, log: StudyLog, tmp_path: Path
) -> None:
    first, _ = adapted(FOUR, decoder, log)
    later, _ = adapted(f"{FOUR} + few-shot(1) + lora(rank=2, epochs=1, lr=1e-5)", decoder, log)
    assert later.checkpoint.adapters[0] == first.checkpoint.adapters[0]
    assert scores(later) != scores(first)
    pairs = [(decoder.prompter.render(query), "a dog") for query in QUERIES]
    near = [HFEngine(a.checkpoint).log_likelihood(pairs) for a in (first, later)]
    for one, other in zip(*near, strict=True):
        assert one.total == pytest.approx(other.total, abs=0.1)  # it has learned next to nothing
    save(later, tmp_path / "out", "")
    assert scores(Adaptation.load(tmp_path / "out")) == pytest.approx(scores(later), abs=1e-3)


@needed
def test_the_forecast_holds_what_bitsandbytes_holds(base: Adaptation) -> None:
    """Weights, scales and scales of scales, to the byte but for the tables of values."""
    from stepladder.forecast import Batch, foretell, read_config
    from stepladder.training import build_method

    model = load(base.checkpoint, bits=4).model
    held = sum(p.numel() * p.element_size() for p in model.parameters())
    layers = 0
    for module in model.modules():
        state = getattr(getattr(module, "weight", None), "quant_state", None)
        if state is not None:
            layers += 1
            held += state.absmax.numel() + 4 * state.state2.absmax.numel()
    held += sum(b.numel() * b.element_size() for b in model.buffers())
    config = read_config(str(base.checkpoint.folder))
    found = foretell(config, build_method("lora(rank=1, bits=4)"), Batch(1, 8, 4))
    tables = 4 * layers * (16 + 256)
    assert layers > 0
    assert found.weights - 4 * found.trainable - tables == held


@needed
def test_the_mark_is_part_of_what_an_adapter_is(
    decoder: Adaptation, log: StudyLog, tmp_path: Path
) -> None:
    tuned, _ = adapted(FOUR, decoder, log)
    save(tuned, tmp_path / "out", "")
    before = fingerprint(tmp_path / "out")
    (tmp_path / "out" / quantized.MARK).unlink()
    assert fingerprint(tmp_path / "out") != before


@needed
def test_a_base_that_was_tuned_before_is_refused(decoder: Adaptation, log: StudyLog) -> None:
    with pytest.raises(RungError, match=r"lora\(bits=4\) starts from a model's own weights"):
        adapted(f"lora(rank=2, epochs=1) + few-shot(1) + {FOUR}", decoder, log)


def test_without_bitsandbytes_it_is_refused_before_anything_is_spent(
    decoder: Adaptation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quantized, "find_spec", lambda name: None)
    for text in (FOUR, JOINT):
        with pytest.raises(MissingExtraError, match=r"pip install 'stepladder\[quantized\]'") as e:
            parse_rung(text).check(decoder.checkpoint)
        assert e.value.exit_code == 2
    parse_rung("lora").check(decoder.checkpoint)


@pytest.mark.parametrize(
    ("rung", "said"),
    [
        ("lora(bits=8)", "bits is 8; give 4"),
        ("lora(bits=4, dora=yes)", "dora=yes and bits=4 are not to be had together"),
        ("full + lora(bits=4)", "full trains all weights, and lora.bits=4. holds them quantised"),
    ],
)
def test_what_cannot_be_is_refused(rung: str, said: str) -> None:
    with pytest.raises(RungError, match=said):
        parse_rung(rung)


def test_packed_weights_take_a_little_over_four_bits_a_number() -> None:
    from transformers import LlamaConfig

    from stepladder.forecast import Batch, foretell
    from stepladder.training import build_method

    config: Any = LlamaConfig(
        hidden_size=1024,
        num_hidden_layers=2,
        num_attention_heads=8,
        intermediate_size=4096,
        vocab_size=300,
    )
    four, full = (
        foretell(config, build_method(f"lora(rank=4{bits})"), Batch(2, 24, 8))
        for bits in (", bits=4", "")
    )
    numbers = 2 * (4 * 1024 * 1024 + 3 * 1024 * 4096)
    saved = full.weights - four.weights
    assert saved == pytest.approx(numbers * (32 - 4.127) / 8, rel=1e-3)
    assert (four.parameters, four.trainable) == (full.parameters, full.trainable)
    assert four.flops == full.flops
    assert full.peak - four.peak > 0.8 * saved
