"""`check`, `climb`, `ask` and `report` on an endpoint; its key is nowhere; torch is not needed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from commands import Ran

from servers import FakeServer

KEY = "sk-planted-0123456789"
BLOCKED = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        heavy = {"torch", "transformers", "peft", "tokenizers", "safetensors", "huggingface_hub"}
        if name.partition(".")[0] in heavy:
            raise ModuleNotFoundError(f"No module named '{name}'", name=name)

sys.meta_path.insert(0, Blocker())
from stepladder.cli import main
main()
"""


def apart(folder: Path, *arguments: str, **environment: str) -> Ran:
    """A command in a process of its own, where the extra 'hf' cannot be imported."""
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED, *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd=folder,
        env={**os.environ, "COLUMNS": "120", **environment},
    )
    return Ran(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def task(tmp_path: Path) -> str:
    for split, count in (("train", 8), ("dev", 4), ("test", 12)):
        rows = [{"text": f"word{split}{i}", "out": f"word{split}{i}"} for i in range(count)]
        (tmp_path / f"{split}.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    said = {
        "name": "echo",
        "data": {split: f"{split}.jsonl" for split in ("train", "dev", "test")},
        "input": "text",
        "references": "out",
        "instruction": "Say it.",
        "metrics": ["exact_match"],
        "target": {"metric": "exact_match", "at_least": 0.2},
        "rungs": ["zero-shot", "one-shot"],
    }
    (tmp_path / "task.yaml").write_text(yaml.safe_dump(said))
    return "task.yaml"


def words_of(folder: Path) -> str:
    """Everything that a run left behind, as text."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    return "".join(file.read_bytes().decode("utf-8", "replace") for file in files)


def test_check_climb_and_report_without_torch_and_no_key_anywrun(
    server: FakeServer, task: str, tmp_path: Path
) -> None:
    server.key = KEY
    server.echoes_key = True
    server.answer = lambda prompt: prompt.split()[-1]
    known = {"OPENAI_API_KEY": KEY, "OPENAI_LOG": "debug"}
    checked = apart(tmp_path, "check", task, "--model", server.address, **known)
    assert checked.code == 0, checked.err
    for said in ("answers as tiny-2026-11: chat completions, scores given answers", "[user, "):
        assert said in checked.out.replace("\n", " ")
    # The first four find out what the server can do; then two answers have troubles.
    server.play("500", "429 after 0.1", "ok", "ok", "400", "500")
    options = ("--model", server.address, "--name", "s", "--json", "out.json", "--all")
    climbed = apart(tmp_path, "climb", task, *options, **known)
    assert climbed.code in (0, 3), climbed.err
    reported = apart(tmp_path, "report", "s", "--html", "page.html", **known)
    assert reported.code == 0, reported.err
    said = json.loads((tmp_path / "out.json").read_text())
    assert said["provenance"]["models"][server.address]["weights"] == "cannot be known"
    assert "cannot be known" in (tmp_path / "page.html").read_text()
    assert {headers["authorization"] for headers in server.headers} == {f"Bearer {KEY}"}
    everything = words_of(tmp_path)
    assert "[key]" in everything  # the server did repeat it
    for text in (everything, *checked[1:], *climbed[1:], *reported[1:]):
        assert KEY not in text


def test_ask_streams_an_answer(server: FakeServer, run: Callable[..., Ran]) -> None:
    server.answer = lambda prompt: f"you said {prompt}"
    asked = run("ask", server.address, "one two")
    assert (asked.code, asked.out, asked.err) == (0, "you said one two\n", "")
    cut = run("ask", server.address, "one two", "--max-new-tokens", "2")
    assert cut.out == "you said\n"
    assert "cut at 2 tokens" in cut.err
    assert server.asked[-1]["stream"] is True


MISTAKES = {
    "a wrong key": ("{url}#tiny", "the key is not accepted"),
    "an unknown model": ("{url}#tinny", "did you mean 'tiny'"),
    "nobody there": ("http://127.0.0.1:9/v1#tiny", "nothing answers there"),
    "no model": ("{url}", "names no model"),
    "a key in the address": ("http://me:sk-planted-0123456789@127.0.0.1/v1#tiny", "name or key"),
    "a key as a setting": ("{url}?api_key=sk-planted-0123456789#tiny", "settings other than"),
}


@pytest.mark.parametrize("command", ["check", "climb", "ask"])
@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_one_line_and_nothing_is_spent(
    server: FakeServer,
    task: str,
    tmp_path: Path,
    run: Callable[..., Ran],
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    case: str,
) -> None:
    address, says = MISTAKES[case]
    server.key = KEY if case == "a wrong key" else None
    address = address.format(url=server.url)
    before = sorted(tmp_path.rglob("*"))
    words = ["ask", address, "x"] if command == "ask" else [command, task, "--model", address]
    monkeypatch.setenv("OPENAI_API_KEY", f"{KEY}-wrong")
    ran = run(*words)
    assert ran.code == 2, ran.err
    assert says in ran.err
    assert ran.err.count("\n") == 1
    assert KEY not in ran.err + ran.out
    assert not server.asked
    assert sorted(tmp_path.rglob("*")) == before


def test_a_rung_that_an_endpoint_cannot_do_is_one_line(
    server: FakeServer, task: str, tmp_path: Path, run: Callable[..., Ran]
) -> None:
    for command in ("check", "climb"):
        ran = run(command, task, "--model", server.address, "--rungs", "lora")
        assert ran.code == 2
        assert "needs a model that trains" in ran.err
        assert ran.err.count("\n") == 1
    assert not (tmp_path / "runs").exists()


def test_a_prompt_over_the_context_is_one_line(server: FakeServer, run: Callable[..., Ran]) -> None:
    server.context = 70
    ran = run("ask", server.address, "word " * 50)
    assert (ran.code, ran.out) == (2, "")
    assert "does not fit the context" in ran.err
    assert ran.err.count("\n") == 1
