"""Commands run inside this process, and `import commands` whatever pytest's import mode."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from stepladder.cli import main

sys.path.insert(0, str(Path(__file__).parent))

from commands import Ran  # noqa: E402


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Callable[..., Ran]:
    """`stepladder` with these arguments, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")

    def call(*arguments: str) -> Ran:
        monkeypatch.setattr(sys, "argv", ["stepladder", *arguments])
        code = 0
        try:
            main()
        except SystemExit as exit:
            code = int(exit.code or 0)
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return call
