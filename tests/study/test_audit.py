"""The audit finds what is wrong with a ledger, and finds nothing wrong with a whole one."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from stepladder.checkpoints import fingerprint
from stepladder.engines.fake import FakeEngine
from stepladder.ledger import Ledger
from stepladder.records import Capabilities, Checkpoint, Json, content_hash
from stepladder.study import Study
from stepladder.study.audit import Audit, audit
from stepladder.tasks import Task

Make = Callable[..., Task]
Asked = list[str]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """As much of a model as has a fingerprint."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    header = json.dumps({"w": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}}).encode()
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + b"\0")
    return folder


@pytest.fixture
def climbed(make_task: Make, folder: Path, open_fake: Callable, tmp_path: Path) -> Path:
    """The ledger of a finished study on that model: 30 answers."""
    checkpoint = Checkpoint("fake", folder, fingerprint(folder), Capabilities(), parameters=1000)
    path = tmp_path / "ledger.db"
    Study(make_task(10), [checkpoint], name="s", ledger=path).climb(open_engine=open_fake)
    return path


def audited(path: Path, answer: Callable[[str], str], sample: int = 20, seed: int = 0) -> Audit:
    with Ledger.open(path, create=False) as ledger:
        return audit(ledger, sample, seed, lambda checkpoint: FakeEngine(answer))


def test_a_whole_ledger_is_found_whole(climbed: Path, shown_how: Callable[[str], str]) -> None:
    found = audited(climbed, shown_how)
    assert (found.faults, found.notes) == ((), ())
    assert found.checked["answers asked again"] == 20
    assert found.checked["answers"] == found.checked["addresses"] == 30
    more = audited(climbed, shown_how, sample=100)
    assert more.checked["answers asked again"] == 30
    assert more.notes[0].startswith("30 answers can be asked again")


def test_the_sample_is_drawn_by_its_seed(climbed: Path, shown_how: Callable[[str], str]) -> None:
    def asked(seed: int) -> set[str]:
        prompts: Asked = []
        audited(climbed, lambda p: (prompts.append(p), shown_how(p))[1], sample=5, seed=seed)
        assert len(prompts) == 5
        return set(prompts)

    assert asked(1) == asked(1) != asked(2)


def test_an_answer_that_differs_is_told_with_what_differs(
    climbed: Path, shown_how: Callable[[str], str]
) -> None:
    def changed(prompt: str) -> str:
        return " else" if prompt.endswith("wordc3\nOutput:") else shown_how(prompt)

    found = audited(climbed, changed, sample=30)
    assert len(found.faults) == 3  # one a rung
    for fault in found.faults:
        assert "asked again, fake differs: text ' else' instead of ' " in fault
        assert "tokens" not in fault.split("differs")[1]


def test_a_difference_after_two_tokens_that_all_but_tied_is_noted_and_no_fault(
    climbed: Path,
) -> None:
    class Tied(FakeEngine):
        near_ties = 0

        def generate(self, prompts, sampling):  # type: ignore[no-untyped-def]
            Tied.near_ties += 1
            return super().generate(prompts, sampling)

    with Ledger.open(climbed, create=False) as ledger:
        found = audit(ledger, 30, 0, lambda checkpoint: Tied(lambda prompt: " else"))
    assert found.faults == ()
    assert any("all but tied" in note for note in found.notes)


def test_a_model_that_is_gone_or_changed_is_not_asked(
    climbed: Path, folder: Path, shown_how: Callable[[str], str]
) -> None:
    (folder / "config.json").write_text("{ }")
    found = audited(climbed, shown_how)
    assert found.faults == ()
    assert found.checked["answers asked again"] == 0
    assert any("with other files: fake" in note for note in found.notes)


def test_a_changed_answer_is_a_fault_and_so_are_changed_weights(
    climbed: Path, folder: Path, shown_how: Callable[[str], str]
) -> None:
    with Ledger.open(climbed) as ledger:
        log = ledger.study("s")
        recipe: Json = {"method": "full"}
        key = content_hash(recipe)
        built = log.artifact_folder(key) / "outcome"
        folder.rename(built)
        hashed = fingerprint(built)
        record = {"recipe": recipe, "folder": f"{key}/outcome", "fingerprint": hashed}
        log.keep_build(key, record)
    assert audited(climbed, shown_how).checked["folders of weights"] == 1
    assert audited(climbed, shown_how).faults == ()
    weights = built / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\1")
    (fault,) = audited(climbed, shown_how).faults
    assert fault.startswith(f"build {key}: the files in")
    with sqlite3.connect(climbed) as connection:
        connection.execute("UPDATE answers SET payload = replace(payload, 'word', 'ward')")
    faults = audited(climbed, shown_how).faults
    assert len(faults) == 30 - 20  # one-shot and few-shot answer in capitals
    assert all("its text is not what was written" in fault for fault in faults)


def test_builds_whose_files_were_deleted_are_noted(
    climbed: Path, shown_how: Callable[[str], str]
) -> None:
    with Ledger.open(climbed) as ledger:
        recipe: Json = {"method": "full"}
        record = {"recipe": recipe, "folder": "gone/outcome", "fingerprint": "f"}
        ledger.study("s").keep_build(content_hash(recipe), record)
    found = audited(climbed, shown_how)
    assert found.faults == ()
    assert any("no files any more of 1 build:" in note for note in found.notes)
