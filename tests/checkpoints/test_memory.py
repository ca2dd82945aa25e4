"""What is free, by the machine and by its container."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from stepladder.checkpoints import free_bytes, memory

STAT = "anon 5\nfile 900\ninactive_file 300\nactive_file 600\n"


@pytest.fixture
def group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(memory, "_GROUP", tmp_path)
    (tmp_path / "memory.current").write_text("1000\n")
    (tmp_path / "memory.stat").write_text(STAT)
    return tmp_path


CPU = SimpleNamespace(type="cpu")


def test_a_container_s_limit_counts_and_file_pages_do_not(group: Path) -> None:
    (group / "memory.max").write_text("4000\n")
    assert free_bytes(CPU) == 4000 - 1000 + 300
    (group / "memory.max").write_text("900\n")
    assert free_bytes(CPU) == 200


def test_without_a_limit_the_machine_counts(
    group: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    machine = tmp_path / "meminfo"
    monkeypatch.setattr(memory, "_MACHINE", machine)
    assert free_bytes(CPU) is None
    machine.write_text("MemTotal: 9 kB\nMemAvailable:   5 kB\nSwapFree: 2 kB\nHuge: 0\n")
    for limit in ("max\n", "900000\n"):
        (group / "memory.max").write_text(limit)
        assert free_bytes(CPU) == 5 * 1024
        assert free_bytes(CPU, swap=True) == 7 * 1024
