"""What is handed over answers as it did in the study, or nothing is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stepladder import Study, Task
from stepladder.adaptation import Adaptation
from stepladder.adaptation import export as writing
from stepladder.checkpoints import fingerprint
from stepladder.engines.hf import HFEngine
from stepladder.engines.sameness import Sameness
from stepladder.errors import OutputError
from stepladder.records import Query
from stepladder.study.card import sameness_line
from stepladder.study.export import ITEMS, export

LORA = "lora(rank=2, epochs=1, lr=5e-2)"
PREFIX = "prompt-tuning(3, kind=prefix, epochs=1, lr=0.1)"
ROWS = 130


@pytest.fixture(scope="module")
def ledger(tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of 130 items asked of a base, of an adapter and behind a trained prefix."""
    folder = tmp_path_factory.mktemp("study")
    for split, count in (("train", 16), ("dev", 4), ("test", ROWS)):
        rows = [{"x": f"the {split} cat {i}", "y": f"a dog {i}"} for i in range(count)]
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / f"{split}.jsonl").write_text(text)
    (folder / "task.yaml").write_text(
        "name: t\ndata: {train: train.jsonl, dev: dev.jsonl, test: test.jsonl}\n"
        "input: x\nreferences: y\ninstruction: Change it.\nmetrics: [exact_match]\n"
        "sampling: {max_new_tokens: 8}\n"
    )
    task = Task.load(folder / "task.yaml")
    url = folder / "ledger.db"
    Study(
        task, [str(tiny_llama)], ["zero-shot", LORA, PREFIX], name="s", go_on=True, ledger=url
    ).climb()
    return url


def test_an_adapter_is_held_as_written_and_merged(ledger: Path, tmp_path: Path) -> None:
    found = export(ledger, "s", tmp_path / "out", LORA)
    assert [form.form for form in found.forms] == ["as written", "merged into its base"]
    assert all(form.items == ITEMS and form.gap <= 1e-3 for form in found.forms)
    assert (tmp_path / "out" / "adapter_config.json").is_file()
    card = (tmp_path / "out" / "README.md").read_text()
    assert f"merged into its base: {ITEMS} prompts" in card


def test_answers_that_differ_by_a_tie_are_not_said_to_be_the_same() -> None:
    assert sameness_line(Sameness("as written", 120, 2, 3e-7)) == (
        "as written: 120 prompts of the study asked again, 118 with the same tokens, 2 after a tie "
        "of two tokens with others; log-likelihoods within 3e-07 nats"
    )


def test_a_trained_prefix_is_held_as_written(ledger: Path, tmp_path: Path) -> None:
    found = export(ledger, "s", tmp_path / "out", PREFIX)
    assert [form.form for form in found.forms] == ["as written"]
    assert found.forms[0].items == ITEMS and found.forms[0].gap <= 1e-3
    assert "AutoPeftModelForCausalLM" in (tmp_path / "out" / "README.md").read_text()


def test_merged_weights_stand_alone_and_answer_the_same(
    ledger: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    export(ledger, "s", tmp_path / "adapter", LORA)
    found = export(ledger, "s", tmp_path / "merged", LORA, merged=True)
    assert capfd.readouterr() == ("", "")  # no library's bars
    assert [form.form for form in found.forms] == ["as written"]
    written = [*(tmp_path / "merged").iterdir(), *(tmp_path / "adapter").iterdir()]
    assert len({file.stat().st_mode for file in written}) == 1  # whoever reads one reads all
    loaded = Adaptation.load(tmp_path / "merged")
    assert not loaded.checkpoint.adapters
    assert 'library_name: "transformers"' in (tmp_path / "merged" / "README.md").read_text()
    queries = [Query(f"q{i}", f"the cat {i}") for i in range(12)]
    assert texts(loaded, queries) == texts(Adaptation.load(tmp_path / "adapter"), queries)


def test_nothing_to_merge_is_told(ledger: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="'zero-shot' has no adapter to merge"):
        export(ledger, "s", tmp_path / "out", "zero-shot", merged=True)


def other_template(folder: Path) -> None:
    (folder / "chat_template.jinja").write_text(
        "{% for message in messages %}{{ message['content'] }}!{% endfor %}"
    )


def other_end(folder: Path) -> None:
    for file in ("generation_config.json", "config.json"):
        edit(folder / file, eos_token_id=7)


def other_tying(folder: Path) -> None:
    edit(folder / "config.json", tie_word_embeddings=False)


def other_weights(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    tensors["model.norm.weight"] *= 1.01
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        (other_template, "chat template"),
        (other_end, "end token"),
        (other_tying, "tied embeddings"),
        (other_weights, "the weights themselves"),
    ],
)
def test_a_planted_fault_is_caught_by_name_and_nothing_is_left(
    fault: Callable[[Path], None],
    cause: str,
    ledger: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write: Callable[..., None] = writing._write_weights

    def faulty(checkpoint: Any, folder: Path, **settings: Any) -> None:
        write(checkpoint, folder, **settings)
        fault(folder)

    monkeypatch.setattr(writing, "_write_weights", faulty)
    with pytest.raises(OutputError, match=f"likely cause: {cause}"):
        export(ledger, "s", tmp_path / "out", "zero-shot")
    assert not list(tmp_path.iterdir())


def test_what_was_studied_is_not_touched(ledger: Path, tiny_llama: Path, tmp_path: Path) -> None:
    before = fingerprint(tiny_llama, read_again=True)
    export(ledger, "s", tmp_path / "out", LORA)
    assert fingerprint(tiny_llama, read_again=True) == before


def edit(file: Path, **values: Any) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def texts(adaptation: Adaptation, queries: list[Query]) -> dict[str, str]:
    engine = HFEngine(adaptation.checkpoint)
    return {g.id: g.text for g in adaptation.generate(engine, queries)}
