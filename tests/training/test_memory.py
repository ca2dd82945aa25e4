"""What a training may take, by the machine and by its container."""

from __future__ import annotations

from pathlib import Path

import pytest

from stepladder.training import memory

STAT = "anon 5\nfile 900\ninactive_file 300\nactive_file 600\n"


@pytest.fixture
def group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(memory, "_GROUP", tmp_path)
    (tmp_path / "memory.current").write_text("1000\n")
    (tmp_path / "memory.stat").write_text(STAT)
    return tmp_path


def test_a_container_s_limit_counts_and_file_pages_do_not(group: Path) -> None:
    (group / "memory.max").write_text("4000\n")
    assert memory.free_memory() == 4000 - 1000 + 300
    (group / "memory.max").write_text("900\n")
    assert memory.free_memory() == 200


def test_without_a_limit_the_machine_counts(group: Path) -> None:
    (group / "memory.max").write_text("max\n")
    free = memory.free_memory()
    assert free is None or 2**20 < free < 2**50
    (group / "memory.max").unlink()
    assert (memory.free_memory() is None) == (free is None)
