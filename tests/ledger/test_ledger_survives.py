"""Several processes, sudden death and a full disk: the ledger stays whole, shard by shard."""

from __future__ import annotations

import multiprocessing
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stepladder.ledger import Ledger, schema

SHARD = 40
WRITER = f"""
import sys
from stepladder.errors import StepladderError
from stepladder.ledger import Ledger

try:
    with Ledger.open(sys.argv[1]) as ledger:
        log = ledger.start("study", {{}})
        for shard in range(int(sys.argv[2]), 100_000):
            addresses = [f"{{shard}}-{{row}}" for row in range({SHARD})]
            log.keep_answers({{address: {{"text": "x" * 200}} for address in addresses}})
            log.append("shard", {{"shard": shard}})
            print(shard, flush=True)
except StepladderError as error:
    print(error, file=sys.stderr)
    sys.exit(error.exit_code)
"""
LIMITED = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
"""


def whole_shards(path: Path) -> set[int]:
    """The shards that the file has, after seeing that each is there whole."""
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        rows = connection.execute(
            "SELECT CAST(substr(address, 1, instr(address, '-') - 1) AS INTEGER), count(*) "
            "FROM answers GROUP BY 1"
        ).fetchall()
        told = connection.execute("SELECT json_extract(payload, '$.shard') FROM events").fetchall()
    assert all(count == SHARD for _, count in rows)
    shards = {shard for shard, _ in rows}
    assert {shard for (shard,) in told} <= shards
    return shards


def test_killed_at_any_moment_it_keeps_whole_shards_and_all_that_were_acknowledged(tmp_path):
    path, moments, seen = tmp_path / "ledger.db", random.Random(5), 0
    for _ in range(5):
        command = [sys.executable, "-c", WRITER, str(path), str(seen)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            time.sleep(moments.uniform(0, 0.25))
            writer.send_signal(signal.SIGKILL)
            acknowledged = [int(line) for line in writer.stdout if line.endswith("\n")]
        shards = whole_shards(path)
        assert set(acknowledged) <= shards
        assert len(shards) > seen
        seen = len(shards)
    with Ledger.open(path) as ledger:  # and it goes on
        ledger.start("study", {}).append("shard", {"shard": 0})


def _write(path: Path, name: str, barrier) -> None:
    barrier.wait()
    with Ledger.open(path) as ledger:
        shared, own = ledger.start("shared", {"a": 1}), ledger.start(name, {})
        for number in range(60):
            shared.append("tick", {"from": name, "n": number})
            own.keep_answers({f"both-{number}": {"by": name}, f"{name}-{number}": {"by": name}})


@pytest.mark.parametrize("moment", [1, 2, 3])
def test_a_ledger_that_another_process_makes_meanwhile_is_a_ledger(tmp_path, monkeypatch, moment):
    path, read, reads = tmp_path / "ledger.db", schema._pragma, []

    def reading(connection, name):
        found = read(connection, name)
        reads.append(name)
        if len(reads) == moment:
            with Ledger.open(path) as other:
                other.start("theirs", {})
        return found

    monkeypatch.setattr(schema, "_pragma", reading)
    with Ledger.open(path) as ledger:
        ledger.start("ours", {})
    with Ledger.open(path) as ledger:
        assert {study.name for study in ledger.studies()} == {"theirs", "ours"}


def test_processes_that_start_together_lose_nothing(tmp_path):
    path, context = tmp_path / "ledger.db", multiprocessing.get_context("spawn")
    barrier = context.Barrier(3)
    names = ["first", "second", "third"]
    writers = [context.Process(target=_write, args=(path, name, barrier)) for name in names]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    with Ledger.open(path, create=False) as ledger:
        shared = ledger.study("shared")
        for name in names:
            ticks = [e.payload["n"] for e in shared.events("tick") if e.payload["from"] == name]
            assert ticks == list(range(60))
            assert len(shared.answers([f"{name}-{n}" for n in range(60)])) == 60
        assert len(shared.answers([f"both-{n}" for n in range(60)])) == 60
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_file_that_may_not_grow_is_told_and_stays_whole(tmp_path):
    path = tmp_path / "ledger.db"
    command = [sys.executable, "-c", LIMITED + WRITER, str(path), "0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2, done.stderr
    assert "disk" in done.stderr and done.stderr.count("\n") == 1
    shards = whole_shards(path)
    assert len(shards) > 3
    with Ledger.open(path) as ledger:
        log = ledger.study("study")
        log.keep_answers({f"{max(shards) + 1}-{row}": {"text": "x"} for row in range(SHARD)})
    assert len(whole_shards(path)) == len(shards) + 1


def test_a_full_disk_is_told_and_leaves_a_whole_ledger(tmp_path):
    if shutil.which("unshare") is None:
        pytest.skip("a disk of 1 MB of its own needs unshare (util-linux)")
    disk, kept = tmp_path / "disk", tmp_path / "kept"
    disk.mkdir()
    script = 'mount -t tmpfs -o size=1m none "$1" || exit 77; shift; "$@"; code=$?; '
    script += f'cp -r "{disk}" "{kept}"; exit $code'
    command = ["unshare", "--map-root-user", "--mount", "sh", "-c", script, "sh", str(disk)]
    writer = [sys.executable, "-c", WRITER, str(disk / "ledger.db"), "0"]
    done = subprocess.run(
        command + writer, capture_output=True, text=True, timeout=120, check=False
    )
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip(f"this machine lets nobody mount a disk of 1 MB: {done.stderr.strip()}")
    assert done.returncode == 2, done.stderr
    assert "the disk is full" in done.stderr and done.stderr.count("\n") == 1
    acknowledged = [int(line) for line in done.stdout.split()]
    assert len(acknowledged) > 3
    assert set(acknowledged) <= whole_shards(kept / "ledger.db")
