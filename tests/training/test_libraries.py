"""What libraries grow by: measured once a machine, kept, and in the record of a training."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stepladder.checkpoints import cache_folder
from stepladder.forecast import Beside
from stepladder.training import libraries as room
from stepladder.training.batches import Collator, Encoded, Row
from stepladder.training.foresight import beside_tensors
from stepladder.training.libraries import Libraries, libraries
from stepladder.training.workfolder import WorkFolder

MIB = 2**20
KNOWN = Libraries(growth=50 * MIB, kernel=MIB)


@pytest.fixture
def measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """How often it was measured, with a cache of its own."""
    calls: list[int] = []

    def measure() -> Libraries:
        calls.append(1)
        return KNOWN

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(room, "_measured", measure)
    room._found.cache_clear()
    yield calls
    room._found.cache_clear()


def another_process() -> None:
    room._found.cache_clear()


def test_it_is_measured_once_a_machine(measured, monkeypatch):
    assert libraries() == libraries() == KNOWN
    another_process()
    assert libraries() == KNOWN
    assert measured == [1]
    monkeypatch.setenv("OMP_NUM_THREADS", "17")  # whose threads have buffers too
    libraries()
    assert measured == [1, 1]


def test_the_cache_says_what_was_measured_with_what(measured):
    libraries()
    (file,) = cache_folder().glob("libraries-*.json")
    kept = json.loads(file.read_text())
    assert kept["of"] == "a training of next to no model"
    assert kept["with"]["versions"]["torch"]
    assert kept["found"] == {"growth": KNOWN.growth, "kernel": KNOWN.kernel}


@pytest.mark.parametrize("content", ["", "[]", '{"found": 3}', '{"found": {"growth": 1}}'])
def test_a_broken_cache_is_measured_again(measured, content):
    libraries()
    (file,) = cache_folder().glob("libraries-*.json")
    file.write_text(content)
    another_process()
    assert libraries() == KNOWN
    assert measured == [1, 1]


def test_a_cache_that_cannot_be_written_costs_time_alone(measured, tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert libraries() == KNOWN


def test_where_it_cannot_be_measured_it_is_not_known(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(room.sys, "executable", "/bin/false")
    room._found.cache_clear()
    assert libraries() is None
    room._found.cache_clear()
    assert not cache_folder().exists()  # so that it is tried again


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks glibc")
def test_a_training_of_next_to_nothing_is_libraries_alone():
    found = libraries()
    assert found is not None
    assert 10 * MIB < found.growth < 400 * MIB
    assert 0 <= found.kernel < 4 * MIB


def test_a_forecast_has_them_and_so_has_the_record(make_job, train, tmp_path):
    job = make_job(epochs=1)
    logs = []
    for name, found in (("without", None), ("with", KNOWN._asdict() | {"of": room.NAME})):
        work = WorkFolder(tmp_path / name)
        work.open_for(job)
        work.settle({"precision": "float32", "bf16_speed_up": None, "libraries": found})
        logs.append(train(job, work.root).log)
    assert logs[0]["libraries"] is None
    assert logs[1]["libraries"]["of"] == "a training of next to no model"
    more = logs[1]["foretold_memory"] - logs[0]["foretold_memory"]
    assert more == pytest.approx(KNOWN.growth, rel=0.01)


def rows(*sizes: int) -> list[Row]:
    return [Row(tuple(range(size - 4)), (1, 2, 3, 4)) for size in sizes]


def beside(make_job, train: list[Row], dev: list[Row], collator: Collator) -> Beside:
    job = make_job("full", epochs=1, batch_size=4)
    return beside_tensors(KNOWN, collator, Encoded(train, []), Encoded(dev, []), job)


def test_sizes_of_batches_are_counted_once_each(make_job):
    plain = Collator(pad=0, encoder_decoder=False, multiple=16)
    even = rows(*[30] * 8)
    assert beside(make_job, even, [], plain) == Beside(KNOWN.growth, KNOWN.kernel)
    short = beside(make_job, rows(*[30] * 9), even, plain)
    assert (short.updates, short.looks) == (1, 0)  # one row is left over; dev's are known
    longer = beside(make_job, rows(*[30] * 4, *[60] * 4), rows(*[90] * 5), plain)
    assert (longer.updates, longer.looks) == (1, 2)


def test_an_encoder_and_a_decoder_have_each_half_of_the_products(make_job):
    both = Collator(pad=0, encoder_decoder=True)
    mixed = beside(make_job, rows(*[30] * 4, *[60] * 4, *[90] * 4), [], both)
    assert mixed.updates == 1  # three sizes of prompts, and one of answers


def test_nothing_is_said_of_libraries_that_are_not_known(make_job):
    job, collator = make_job("full"), Collator(pad=0, encoder_decoder=False)
    found = beside_tensors(None, collator, Encoded(rows(30, 60), []), Encoded([], []), job)
    assert found == Beside()
