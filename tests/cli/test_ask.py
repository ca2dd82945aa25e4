"""`stepladder ask`: the answer alone on standard output, one line for each mistake."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stepladder import cli
from stepladder.cli.described import field_docs
from stepladder.records import Sampling

SCRIPT = [sys.executable, "-c", "from stepladder.cli import main; main()", "ask"]


class Outcome:
    """What a command left behind."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):  # type: ignore[no-untyped-def]
    """Runs the command in this process."""

    def run(*arguments: str) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["stepladder", "ask", *arguments])
        with pytest.raises(SystemExit) as end:
            cli.main()
        captured = capsys.readouterr()
        return Outcome(int(end.value.code or 0), captured.out, captured.err)

    return run


def answer(folder: Path, text: str, sampling: Sampling) -> str:
    from stepladder.checkpoints import resolve
    from stepladder.engines.hf import HFEngine
    from stepladder.records import Prompt

    engine = HFEngine(resolve(str(folder)))
    return next(engine.generate([Prompt(text, ())], sampling)).text


def test_the_answer_alone_is_printed(ask, tiny_llama: Path) -> None:  # type: ignore[no-untyped-def]
    found = ask(str(tiny_llama), "the cat", "--max-new-tokens", "6")
    assert found.code == 0
    assert found.out == answer(tiny_llama, "the cat", Sampling(max_new_tokens=6)) + "\n"
    assert found.err in ("", "stepladder: cut at 6 tokens; --max-new-tokens gives more\n")


def test_every_setting_reaches_the_model(ask, tiny_t5: Path) -> None:  # type: ignore[no-untyped-def]
    options = ["--temperature", "0.9", "--top-p", "0.8", "--top-k", "9", "--seed", "4"]
    options += ["--stop", "zz", "--stop", "\\n", "--max-new-tokens", "12", "--system", "Be brief."]
    found = ask(str(tiny_t5), "the cat", *options)
    sampling = Sampling(12, 0.9, 0.8, 9, 4, ("zz", "\n"))
    assert found.out == answer(tiny_t5, "Be brief.\n\nthe cat", sampling) + "\n"


def test_a_prompt_comes_from_a_file(ask, tiny_llama: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "prompt.txt").write_text("the cat\nsat\n")
    found = ask(str(tiny_llama), "--file", str(tmp_path / "prompt.txt"), "--max-new-tokens", "5")
    assert found.out == answer(tiny_llama, "the cat\nsat", Sampling(max_new_tokens=5)) + "\n"


@pytest.mark.parametrize("arguments", [[], ["-"]], ids=["piped", "dash"])
def test_a_prompt_comes_from_standard_input(  # type: ignore[no-untyped-def]
    arguments: list[str], ask, tiny_llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in").write_text("the cat\n")
    with (tmp_path / "in").open(encoding="utf-8") as piped:
        monkeypatch.setattr(sys, "stdin", piped)
        found = ask(str(tiny_llama), *arguments, "--max-new-tokens", "5")
    assert found.out == answer(tiny_llama, "the cat", Sampling(max_new_tokens=5)) + "\n"


MISTAKES = {
    "temperature": (["x", "--temperature", "-1"], "temperature is -1.0"),
    "not a number": (["x", "--temperature", "nan"], "temperature is nan"),
    "top-p": (["x", "--top-p", "0"], "top_p is 0.0"),
    "top-k": (["x", "--top-k", "-3"], "top_k is -3"),
    "no tokens": (["x", "--max-new-tokens", "0"], "max_new_tokens is 0"),
    "empty stop": (["x", "--stop", ""], "a stop string is empty"),
    "over the context": (["cat " * 400], "the context is 256 with room for 64 more"),
    "no such file": (["--file", "/no/such/file"], "/no/such/file cannot be read"),
    "two prompts": (["x", "--file", "y"], "are both given"),
    "dtype": (["x", "--dtype", "int4"], "dtype is 'int4'"),
    "revision": (["x", "--revision", "v1"], "has no revision 'v1'"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_one_line_and_exit_code_2(case: str, ask, tiny_llama: Path) -> None:  # type: ignore[no-untyped-def]
    arguments, expected = MISTAKES[case]
    found = ask(str(tiny_llama), *arguments)
    assert found.code == 2
    assert found.out == ""
    assert expected in found.err
    assert found.err.count("\n") == 1


def test_a_missing_model_is_one_line(ask) -> None:  # type: ignore[no-untyped-def]
    found = ask("./no-such-model", "x")
    assert (found.code, found.out) == (2, "")
    assert found.err.startswith("stepladder: there is no folder './no-such-model'")


def test_the_help_is_that_of_the_record() -> None:
    docs = field_docs(Sampling)
    assert set(docs) == set(Sampling.__dataclass_fields__)
    assert docs["temperature"].startswith("0 takes the most probable token")


def environment() -> dict[str, str]:
    return {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}


def test_a_reader_that_leaves_is_no_fault(tiny_llama: Path) -> None:
    command = [*SCRIPT, str(tiny_llama), "the cat", "--max-new-tokens", "200"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, env=environment(), **pipes) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()


def open_when_read(fifo: Path, seconds: float = 60) -> int:
    """The writing end of a pipe, opened once another process reads from it."""
    end = time.monotonic() + seconds
    while True:
        try:
            return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def test_ctrl_c_is_quiet(tiny_llama: Path, tmp_path: Path) -> None:
    fifo = tmp_path / "prompt"
    os.mkfifo(fifo)
    command = [*SCRIPT, str(tiny_llama), "--file", str(fifo)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, env=environment(), **pipes) as process:
        try:
            writer = open_when_read(fifo)
            time.sleep(
                0.5
            )  # until it waits for the prompt: Python reads on if it is hit just before
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
            os.close(writer)
        finally:
            process.kill()
    assert process.returncode == 130
    assert out == b"" and b"Traceback" not in err
