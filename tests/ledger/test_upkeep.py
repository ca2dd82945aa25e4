"""What a ledger holds, whether it is whole, and what can go from it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from stepladder.errors import LedgerError
from stepladder.ledger import Ledger, StudyLog, schema
from stepladder.records import content_hash


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "runs" / "ledger.db") as opened:
        yield opened


def keep(log: StudyLog, *prompts: str) -> list[str]:
    """Answers to these prompts, under the addresses of their recipes."""
    recipes = {content_hash(["engine", p, {}]): {"parts": ["engine", p, {}]} for p in prompts}
    log.keep_answers({a: {"text": f"to {r['parts'][1]}"} for a, r in recipes.items()}, recipes)
    return list(recipes)


def build(log: StudyLog, name: str) -> str:
    """A build with its folder, as the workbench makes one."""
    key = content_hash({"method": name})
    assert log.build(key) is None
    folder = log.artifact_folder(key)
    (folder / "weights").write_bytes(b"w" * 1000)
    log.keep_build(key, {"recipe": {"method": name}, "folder": key, "fingerprint": "f"})
    return key


def tamper(ledger: Ledger, *statements: str) -> None:
    with sqlite3.connect(ledger.path) as connection:
        for statement in statements:
            connection.execute(statement)


# -- what it holds


def test_contents_count_rows_bytes_and_verdicts(ledger: Ledger) -> None:
    first = ledger.start("first", {})
    keep(first, "a", "b")
    build(first, "lora")
    first.append("verdict", {"kind": "undecided", "rung": None, "sentence": "?"})
    first.append("verdict", {"kind": "reached", "rung": "lora", "sentence": "!"})
    ledger.start("second", {})
    found = ledger.contents()
    rows = {kind.name: kind.rows for kind in found.kinds}
    assert rows == {"answers": 2, "builds": 1, "events": 2, "uses": 3}
    assert all(kind.size > 0 for kind in found.kinds)
    assert (found.artifacts.rows, found.artifacts.size) == (1, 1000)
    assert found.size >= ledger.path.stat().st_size > 0
    one, two = found.studies
    assert (one.verdict, one.rung, one.events) == ("reached", "lora", 2)
    assert one.last is not None and one.last >= one.started
    assert (two.verdict, two.last, two.events) == (None, None, 0)
    as_json = json.loads(json.dumps(found.as_json()))
    assert as_json["kinds"]["answers"]["rows"] == 2
    assert as_json["studies"][0]["rung"] == "lora"


# -- whether it is whole


def test_a_whole_ledger_has_no_faults_and_everything_in_it_was_looked_at(ledger: Ledger) -> None:
    log = ledger.start("a", {})
    keep(log, *(f"prompt {n} \ud800" for n in range(1200)))
    build(log, "lora")
    log.append("score", {"value": 0.1})
    found = ledger.examine()
    assert found.faults == ()
    assert found.checked == {
        "events": 1,
        "answers": 1200,
        "builds": 1,
        "addresses": 1200,
        "keys": 1,
    }
    assert found.unchecked == {}


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        (
            "UPDATE answers SET payload = replace(payload, 'to a', 'to b')",
            "is not what was written",
        ),
        ("UPDATE answers SET address = 'f00'", "answer f00: its recipe has another address"),
        ("UPDATE answers SET recipe = x'00'", "its recipe has another address"),
        ("UPDATE builds SET payload = replace(payload, 'lora', 'full')", "is not what was written"),
        ("UPDATE builds SET key = 'f00'", "build f00: its recipe has another key"),
        ("UPDATE events SET payload = '{\"value\": 1}'", "event 1: its text is not what was"),
        ("DELETE FROM studies", "belongs to a row of studies that is not there"),
    ],
)
def test_each_change_behind_its_back_is_found(ledger: Ledger, statement: str, fault: str) -> None:
    log = ledger.start("a", {})
    keep(log, "a")
    build(log, "lora")
    log.append("score", {"value": 0.1})
    tamper(ledger, "DROP TRIGGER events_are_not_changed", statement)
    found = ledger.examine()
    assert found.faults and all(fault in line for line in found.faults)


def test_a_damaged_page_is_found(ledger: Ledger) -> None:
    log = ledger.start("a", {})
    keep(log, *(f"{n} {'x' * 400}" for n in range(300)))
    path = ledger.path
    ledger.close()
    content = bytearray(path.read_bytes())
    start = len(content) // 2 // 4096 * 4096
    content[start : start + 4096] = b"\xff" * 4096
    path.write_bytes(content)
    with Ledger.open(path) as opened:
        assert any("damaged" in fault for fault in opened.examine().faults)


# -- what can go


def test_pruning_takes_what_no_study_uses_and_nothing_else(ledger: Ledger) -> None:
    first, second = ledger.start("first", {}), ledger.start("second", {})
    own, shared = keep(first, "own"), keep(first, "shared")
    lora, full = build(first, "lora"), build(first, "full")
    assert second.answers([*shared, "unknown"]).keys() == set(shared)  # reading is using
    assert second.build(full) is not None
    first.append("verdict", {"test_fingerprint": "split", "kind": "reached"})
    assert ledger.prune().answers == 0

    planned = ledger.prune(["first"], dry_run=True)
    assert (planned.studies, planned.events, planned.answers, planned.builds) == (1, 1, 1, 1)
    assert (planned.folders, planned.folder_bytes) == (1, 1000)
    assert [s.name for s in ledger.studies()] == ["first", "second"]
    assert (ledger.artifacts / lora / "weights").is_file()

    assert ledger.prune(["first"]) == planned
    assert [s.name for s in ledger.studies()] == ["second"]
    assert second.answers([*own, *shared]).keys() == set(shared)
    assert list(ledger.builds()) == [full]
    assert [p.name for p in ledger.artifacts.iterdir()] == [full]
    assert ledger.decided("split") == 1  # a verdict that was drawn stays drawn
    assert ledger.contents().forgotten == 1
    assert ledger.examine().faults == ()
    with pytest.raises(LedgerError, match="no study 'first' to forget"):
        ledger.prune(["first"])


def test_pruning_gives_the_room_back(ledger: Ledger) -> None:
    keep(ledger.start("a", {}), *(f"{n} {n * 'ab'}" for n in range(2000)))
    before = ledger.contents().size
    ledger.prune(["a"])
    assert ledger.contents().size < before / 4


def test_a_training_under_way_is_left_and_one_of_a_forgotten_study_goes(ledger: Ledger) -> None:
    log = ledger.start("a", {})
    assert log.build("k") is None  # what the workbench asks before it trains
    (log.artifact_folder("k") / "job.json").write_text("{}")
    assert ledger.prune().folders == 0
    assert ledger.prune(["a"]).folders == 1
    assert list(ledger.artifacts.iterdir()) == []


def test_a_pruning_that_fails_has_changed_nothing(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = ledger.start("a", {})
    lora = build(log, "lora")
    full = build(log, "full")
    from stepladder.ledger import pruning

    replace, moved = pruning.os.replace, []

    def fail_at_the_second(source: Path, target: Path) -> None:
        moved.append(source)
        if len(moved) == 2:
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(pruning.os, "replace", fail_at_the_second)
    with pytest.raises(LedgerError, match="No space left"):
        ledger.prune(["a"])
    assert {p.name for p in ledger.artifacts.glob("[!.]*")} == {lora, full}
    assert ledger.study("a").build(lora) is not None


def test_folders_that_another_ledger_may_use_are_left(ledger: Ledger) -> None:
    build(ledger.start("a", {}), "lora")
    (ledger.path.parent / "notes.txt").write_text("no ledger")
    Ledger.open(ledger.path.parent / "other.db").close()
    freed = ledger.prune(["a"])
    assert (freed.shared_with, freed.folders, freed.builds) == ("other.db", 0, 1)
    assert len(list(ledger.artifacts.iterdir())) == 1


def test_a_study_that_is_forgotten_while_it_runs_is_told_and_disturbs_no_other(
    ledger: Ledger,
) -> None:
    running = ledger.start("a", {})
    ledger.prune(["a"])
    other = ledger.start("b", {})
    for write in (lambda: running.append("x", {}), lambda: running.build("k")):
        with pytest.raises(LedgerError, match="forgotten by another process while it ran"):
            write()
    assert list(other.events()) == []


def test_the_log_is_append_only_but_for_forgotten_studies(ledger: Ledger) -> None:
    ledger.start("a", {}).append("x", {})
    ledger.start("b", {}).append("x", {})
    ledger.prune(["a"])
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        tamper(ledger, "DELETE FROM events")


def test_of_an_older_file_nothing_goes_while_a_study_of_then_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ledger.db"
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:1])
        Ledger.open(path).close()
    tamper_rows = (
        "INSERT INTO studies VALUES (1, 'old', '{}', '2026-11-01')",
        "INSERT INTO answers VALUES ('x', '{\"text\": \"one\"}', '2026-11-01')",
        "INSERT INTO builds VALUES ('k', '{\"folder\": \"k\"}', '2026-11-01')",
    )
    with sqlite3.connect(path) as connection:
        for statement in tamper_rows:
            connection.execute(statement)
    (tmp_path / "artifacts" / "k").mkdir(parents=True)
    with Ledger.open(path) as opened:
        new = opened.start("new", {})
        (own,) = keep(new, "own")
        freed = opened.prune(["new"])
        assert (freed.answers, freed.builds, freed.folders) == (1, 0, 0)
        assert opened.study("old").answers(["x", own]) == {"x": {"text": "one"}}
        assert opened.examine().unchecked == {"answers": 1, "builds": 1}
        freed = opened.prune(["old"])
        assert (freed.answers, freed.builds, freed.folders) == (1, 1, 1)
