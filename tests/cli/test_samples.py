"""`stepladder samples`: each one is listed, loads, and can be copied as a start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from stepladder import cli
from stepladder.tasks import Task
from stepladder.tasks.samples import samples

NAMES = ["inbox-labels", "phrasebook", "shop-questions", "support-notes", "till-sums"]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path):  # type: ignore[no-untyped-def]
    """Runs the command in an empty folder: exit code, standard output, standard error."""
    monkeypatch.chdir(tmp_path)

    def command(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["stepladder", "samples", *arguments])
        with pytest.raises(SystemExit) as end:
            cli.main()
        captured = capsys.readouterr()
        return int(end.value.code or 0), captured.out, captured.err

    return command


def test_all_are_listed_with_what_they_are(run) -> None:  # type: ignore[no-untyped-def]
    code, out, _ = run()
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == NAMES
    assert "Messages to a museum of four houses" in out


def test_the_package_itself_runs_as_the_command() -> None:
    command = [sys.executable, "-m", "stepladder", "samples"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert [line.split()[0] for line in done.stdout.splitlines()] == NAMES


def test_a_copy_is_a_task_of_ones_own(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    code, out, _ = run("shop-questions", "mine")
    assert (code, out.splitlines()[0]) == (0, "stepladder climb mine/task.yaml")
    assert (tmp_path / "mine/notes/shelf-01.md").is_file()
    assert len(Task.load(tmp_path / "mine/with-note.yaml").test) == 300


def test_a_wrong_name_and_a_folder_that_is_there_are_told(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    code, _, err = run("inbox-label")
    assert code == 2 and "did you mean inbox-labels?" in err
    (tmp_path / "mine").mkdir()
    code, _, err = run("phrasebook", "mine")
    assert code == 2 and "mine: exists already" in err and err.count("\n") == 1
    assert not list((tmp_path / "mine").iterdir())


@pytest.mark.parametrize("sample", samples(), ids=lambda sample: sample.name)
def test_each_has_its_data_and_loads(sample) -> None:  # type: ignore[no-untyped-def]
    for file in sample.tasks:
        task = Task.load(sample.folder / file)
        assert len(task.test) >= 300 and len(task.train) == 400 and len(task.dev) == 100
        assert task.instruction and task.rungs
    assert "Apache-2.0" in (sample.folder / "README.md").read_text(encoding="utf-8")
