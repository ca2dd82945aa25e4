"""Beams, held against transformers' own search, one prompt at a time."""

from __future__ import annotations

from pathlib import Path

import pytest

from stepladder.checkpoints import resolve
from stepladder.engines.hf import HFEngine
from stepladder.errors import SamplingError
from stepladder.records import Prompt, Sampling

torch = pytest.importorskip("torch", reason="needs the extra 'hf'")

PROMPTS = [
    Prompt("Input: the cat sat. Output:", (), " "),
    Prompt("the dog", (), " "),
    Prompt("a much longer prompt than the others, with a dog and a cat", (), " "),
]


@pytest.mark.parametrize("model", ["tiny_llama", "tiny_t5"])
def test_beams_are_those_of_generate(model: str, request: pytest.FixtureRequest) -> None:
    import transformers

    folder: Path = request.getfixturevalue(model)
    engine = HFEngine(resolve(str(folder)))
    sampling = Sampling(max_new_tokens=8)
    greedy = [c.text for c in sorted(engine.generate(PROMPTS, sampling), key=lambda c: c.index)]
    beamed = Sampling(max_new_tokens=8, beams=4)
    found = {c.index: c for c in engine.generate(PROMPTS, beamed)}

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    kind = "AutoModelForSeq2SeqLM" if model == "tiny_t5" else "AutoModelForCausalLM"
    plain = getattr(transformers, kind).from_pretrained(folder, dtype=torch.float32).eval()
    for index, prompt in enumerate(PROMPTS):
        ids = tokenizer(prompt.text, return_tensors="pt")["input_ids"]
        out = plain.generate(
            ids, num_beams=4, do_sample=False, max_new_tokens=8, pad_token_id=0, eos_token_id=1
        )
        expected = out[0, 1 if model == "tiny_t5" else ids.shape[1] :]
        text = tokenizer.decode(expected, skip_special_tokens=True)
        assert found[index].text == text
    # The shared path answers as before once beams were searched beside it.
    again = [c.text for c in sorted(engine.generate(PROMPTS, sampling), key=lambda c: c.index)]
    assert again == greedy
    assert any(found[i].text != greedy[i] for i in range(len(PROMPTS)))


def test_an_answer_by_beams_is_cut_at_a_stop_string(tiny_llama: Path) -> None:
    engine = HFEngine(resolve(str(tiny_llama)))
    (whole,) = engine.generate(PROMPTS[:1], Sampling(max_new_tokens=8, beams=3))
    middle = whole.text[len(whole.text) // 2]
    sampling = Sampling(max_new_tokens=8, beams=3, stop=(middle,))
    (cut,) = engine.generate(PROMPTS[:1], sampling)
    assert cut.text == whole.text[: whole.text.index(middle)]


def test_beams_and_drawing_exclude_each_other() -> None:
    with pytest.raises(SamplingError, match="4 beams are searched at temperature 0"):
        Sampling(beams=4, temperature=0.5)
    with pytest.raises(SamplingError, match="beams is 0"):
        Sampling(beams=0)
    assert "beams" not in Sampling().as_json() and Sampling(beams=2).as_json()["beams"] == 2
