"""The ledger as its users see it: what goes in comes out, and every refusal says what to do."""

from __future__ import annotations

import math
import re
import signal
import sqlite3
import threading
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stepladder.errors import LedgerError
from stepladder.ledger import Ledger, database, log, schema


@pytest.fixture
def ledger(tmp_path: Path):
    with Ledger.open(tmp_path / "runs" / "ledger.db") as opened:
        yield opened


def test_events_come_back_in_order_with_time_and_rising_number(ledger):
    study = ledger.start("a", {})
    study.append("cost", {"seconds": 1.5})
    study.append_many([("score", {"rung": "lora"}), ("cost", {"seconds": 2.5})])
    events = list(study.events())
    assert [e.kind for e in events] == ["cost", "score", "cost"]
    assert [e.sequence for e in events] == sorted({e.sequence for e in events})
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+\+00:00", e.time) for e in events)
    assert [e.payload["seconds"] for e in study.events("cost")] == [1.5, 2.5]
    assert study.latest("cost") == {"seconds": 2.5}
    assert study.latest("verdict") is None


def test_events_are_read_in_pages_without_a_gap(ledger, monkeypatch):
    monkeypatch.setattr(log, "_PAGE", 3)
    first, second = ledger.start("a", {}), ledger.start("b", {})
    for number in range(7):
        first.append("n", {"n": number})
        second.append("n", {"n": -number})
    assert [e.payload["n"] for e in first.events()] == list(range(7))
    assert [(e.study, e.payload["n"]) for e in ledger.events("n")][:3] == [
        ("a", 0),
        ("b", 0),
        ("a", 1),
    ]
    assert len(list(ledger.events())) == 14


def test_the_log_is_append_only_for_other_programs_too(ledger):
    ledger.start("a", {}).append("score", {"value": 1})
    with sqlite3.connect(ledger.path) as connection:
        for statement in ("UPDATE events SET payload = '{}'", "DELETE FROM events"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                connection.execute(statement)


def test_an_answer_is_kept_once_and_shared_by_all_studies(ledger):
    first, second = ledger.start("a", {}), ledger.start("b", {})
    first.keep_answers({"x": {"text": "one"}, "y": {"text": "two"}})
    second.keep_answers({"x": {"text": "other"}, "z": {"text": "three"}})
    assert second.answers(["x", "y", "z", "unknown", "x"]) == {
        "x": {"text": "one"},
        "y": {"text": "two"},
        "z": {"text": "three"},
    }
    second.keep_answers({})
    assert first.answers([]) == {}


def test_thousands_of_addresses_fit_one_question(ledger):
    study = ledger.start("a", {})
    study.keep_answers({f"{n:064x}": {"n": n} for n in range(2500)})
    found = study.answers([f"{n:064x}" for n in range(3000)])
    assert len(found) == 2500 and found[f"{2499:064x}"] == {"n": 2499}


def test_a_shard_that_fails_leaves_nothing(ledger):
    study = ledger.start("a", {})
    with pytest.raises(ValueError, match="not JSON compliant"):
        study.keep_answers({"x": {"n": 1}, "y": {"n": math.nan}})
    with pytest.raises(ValueError, match="not JSON compliant"):
        study.append_many([("score", {"n": 1}), ("score", {"n": math.inf})])
    assert study.answers(["x", "y"]) == {} and list(study.events()) == []
    study.append("score", {"n": 1})
    assert study.latest("score") == {"n": 1}


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    # Every code point, lone surrogates among them, since models write what they like.
    | st.text(st.characters(codec=None, exclude_categories=())),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(value=json_values)
def test_any_json_reads_back_the_same(ledger, value):
    study = ledger.start("a", {})
    study.append("any", {"value": value})
    assert study.latest("any") == {"value": value}


def test_json_is_kept_compact_and_letters_as_they_are():
    assert database.compact_json({"å": [1, 0.1]}) == '{"å":[1,0.1]}'


def test_builds_and_their_folders(ledger):
    study = ledger.start("a", {})
    assert study.build("k") is None
    study.keep_build("k", {"seconds": 1})
    study.keep_build("k", {"seconds": 2})
    assert ledger.start("b", {}).build("k") == {"seconds": 2}
    folder = study.artifact_folder("k")
    assert folder.is_dir() and folder.parent == ledger.path.parent / "artifacts"
    for key in ("../k", "", "a/b", ".hidden"):
        with pytest.raises(LedgerError, match="cannot name a folder"):
            study.artifact_folder(key)
    (study.artifacts / "file").write_text("")
    with pytest.raises(LedgerError, match="File exists"):
        study.artifact_folder("file")


def test_a_study_goes_on_with_the_same_settings_only(ledger):
    ledger.start("a", {"task": "t", "rungs": ("lora", "full"), "seed": 0}).append("x", {})
    again = ledger.start("a", {"seed": 0, "rungs": ["lora", "full"], "task": "t"})
    assert len(list(again.events())) == 1
    assert again.settings == {"task": "t", "rungs": ["lora", "full"], "seed": 0}
    with pytest.raises(LedgerError, match=r"'a' exists with other settings \(rungs, sample\)"):
        ledger.start("a", {"task": "t", "rungs": ["lora"], "seed": 0, "sample": None})


def test_an_unknown_study_is_told_with_the_nearest_name(ledger):
    with pytest.raises(LedgerError, match="no study 'demo'; it has no study yet"):
        ledger.study("demo")
    ledger.start("dialogsum", {}).append("x", {"n": 1})
    ledger.start("gsm8k", {})
    with pytest.raises(LedgerError, match="did you mean 'dialogsum'"):
        ledger.study("dialogsm")
    assert ledger.study("dialogsum").latest("x") == {"n": 1}
    assert [(s.name, s.events) for s in ledger.studies()] == [("dialogsum", 1), ("gsm8k", 0)]


def test_verdicts_on_a_test_split_are_counted_by_study(ledger):
    for name, split in (("a", "s"), ("b", "s"), ("c", "other")):
        study = ledger.start(name, {})
        study.append("verdict", {"test_fingerprint": split, "kind": "undecided"})
        study.append("verdict", {"test_fingerprint": split, "kind": "reached"})
        study.append("score", {"test_fingerprint": "s2"})
    assert ledger.decided("s") == 2
    assert ledger.decided("s2") == 0


def test_what_was_written_is_there_after_opening_again(tmp_path):
    url = f"sqlite:///{tmp_path}/kept.db"
    with Ledger.open(url) as first:
        first.start("a", {"k": 1}).append("x", {"n": 0.1 + 0.2})
    assert [p.name for p in tmp_path.iterdir()] == ["kept.db"]  # the log was folded in
    with Ledger.open(tmp_path / "kept.db", create=False) as second:
        assert second.study("a").latest("x") == {"n": 0.30000000000000004}


@pytest.mark.parametrize("url", ["postgresql://u:secret@host/db", "sqlite://", "no such://x"])
def test_other_urls_are_refused_without_telling_the_password(url):
    with pytest.raises(LedgerError, match="sqlite:///PATH") as told:
        Ledger.open(url)
    assert "secret" not in str(told.value)


def test_a_missing_ledger_is_told_and_not_made(tmp_path):
    path = tmp_path / "runs" / "ledger.db"
    with pytest.raises(LedgerError, match="no ledger there"):
        Ledger.open(path, create=False)
    assert not path.parent.exists()


def test_places_that_cannot_hold_a_ledger(tmp_path):
    with pytest.raises(LedgerError, match="is a folder"):
        Ledger.open(tmp_path)
    (tmp_path / "file").write_text("not a database, and longer than its header of 16 bytes")
    with pytest.raises(LedgerError, match="is not a ledger"):
        Ledger.open(tmp_path / "file")
    with pytest.raises(LedgerError, match="--ledger"):
        Ledger.open(tmp_path / "file" / "ledger.db")
    assert (tmp_path / "file").read_text().startswith("not a database")


def test_an_sqlite_file_of_another_program_is_left_alone(tmp_path):
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE events (mine TEXT)")
    before = path.read_bytes()
    with pytest.raises(LedgerError, match="another program"):
        Ledger.open(path)
    assert path.read_bytes() == before


def test_a_read_only_ledger_says_so(ledger):
    study = ledger.start("a", {})
    with ledger._database.read() as connection:
        connection.exec_driver_sql("PRAGMA query_only = ON")
    with pytest.raises(LedgerError, match="make it and its folder writable"):
        study.append("x", {})


def test_a_damaged_ledger_says_so(tmp_path):
    path = tmp_path / "ledger.db"
    with Ledger.open(path) as opened:
        opened.start("a", {}).append_many(("x", {"text": "y" * 500}) for _ in range(200))
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)  # all pages but the first
    path.write_bytes(content)
    with Ledger.open(path) as opened, pytest.raises(LedgerError, match="damaged"):
        opened.study("a")


def test_a_locked_ledger_is_waited_for_and_then_told(ledger):
    ledger._database._wait_seconds = 0.2
    study = ledger.start("a", {})
    other = sqlite3.connect(ledger.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(LedgerError, match="another process kept it locked"):
        study.append("x", {})
    assert study.latest("x") is None  # reading does not wait
    other.execute("COMMIT")
    other.close()
    study.append("x", {"n": 1})
    assert study.latest("x") == {"n": 1}


def test_waiting_for_a_lock_listens_to_ctrl_c(ledger):
    study = ledger.start("a", {})
    other = sqlite3.connect(ledger.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    started = time.monotonic()
    threading.Timer(0.2, signal.raise_signal, [signal.SIGINT]).start()
    with pytest.raises(KeyboardInterrupt):
        study.append("x", {})
    assert time.monotonic() - started < 2
    other.close()
    study.append("x", {})


NEWER = ("CREATE TABLE prices (token REAL)", "ALTER TABLE builds ADD COLUMN note TEXT")


def test_an_older_schema_is_brought_forwards_with_its_rows(tmp_path, monkeypatch):
    path = tmp_path / "ledger.db"
    with Ledger.open(path) as opened:
        opened.start("a", {}).append("x", {"n": 1})
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, NEWER))
    for _ in range(2):  # the second opening finds nothing to do
        with Ledger.open(path) as opened:
            assert opened.study("a").latest("x") == {"n": 1}
    with sqlite3.connect(path) as connection:
        newest = len(schema.MIGRATIONS)
        assert connection.execute("PRAGMA user_version").fetchone() == (newest,)
        versions = connection.execute("SELECT version FROM schema_history").fetchall()
        assert versions == [(number,) for number in range(1, newest + 1)]
        assert connection.execute("SELECT count(*) FROM prices").fetchone() == (0,)


def test_a_migration_that_fails_leaves_the_older_file(tmp_path, monkeypatch):
    path = tmp_path / "ledger.db"
    Ledger.open(path).close()
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, (NEWER[0], "CREATE nonsense")))
        with pytest.raises(LedgerError):
            Ledger.open(path)
    with Ledger.open(path) as opened:
        assert opened.studies() == []


def test_a_newer_schema_is_refused_with_the_version_that_reads_it(tmp_path, monkeypatch):
    path = tmp_path / "ledger.db"
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, NEWER))
        patch.setattr("stepladder.__version__", "7.5.0")
        Ledger.open(path).close()
    before = path.read_bytes()
    with pytest.raises(LedgerError, match=re.escape("pip install 'stepladder>=7.5.0'")):
        Ledger.open(path)
    assert path.read_bytes() == before


def test_whether_a_ledger_is_there_is_known_of_paths_and_of_urls(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    assert not Ledger.is_there(path)
    assert not Ledger.is_there(f"sqlite:///{path}")
    Ledger.open(path).close()
    assert Ledger.is_there(path)
    assert Ledger.is_there(f"sqlite:///{path}")
