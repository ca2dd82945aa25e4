"""Every command and example in the documents does what it says.

In a fenced `sh` block each `stepladder` command is run, in the order of the page, in one copy of
the checkout. `make`, `pip`, `git` and `cd` are held to what exists (targets, extras), since running
them would set the machine up again. Marks are given in a comment on the line before a block:

    <!-- test: network -->     needs the Hugging Face hub
    <!-- test: slow -->        minutes; here `make demo` is run as well
    <!-- test: run -->         Python that is executed, not only compiled and its imports tried
"""

from __future__ import annotations

import ast
import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from stepladder.adaptation import Adaptation, Prompter
from stepladder.methods import parse_rung
from stepladder.records import Capabilities, Checkpoint, Query
from stepladder.tasks import OutputsRung
from stepladder.tasks.spec import read_spec

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(
    r"(?:^<!-- test: (?P<marks>[\w, ]+) -->\n)?^```(?P<kind>\w+)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
MARKERS = {"network", "slow", "gpu", "browser"}
NOT_COPIED = (".*", "runs", "__pycache__", "*.egg-info", "build", "dist")
UNDECIDED = 3  # `climb` ends so when the items do not settle it, which is no fault of the page


class Block(NamedTuple):
    document: str
    line: int
    kind: str
    text: str
    marks: frozenset[str]


def blocks(page: str, document: str = "page") -> Iterator[Block]:
    for found in FENCE.finditer(page):
        marks = frozenset(re.split(r"[, ]+", found["marks"])) if found["marks"] else frozenset()
        line = page.count("\n", 0, found.start("kind")) + 1
        yield Block(document, line, found["kind"], found["text"], marks)


def all_blocks(*kinds: str) -> list[object]:
    """Blocks of these kinds in all documents, as parameters with their markers."""
    parameters = []
    for path in filter(Path.is_file, DOCUMENTS):
        name = str(path.relative_to(ROOT))
        for block in blocks(path.read_text("utf-8"), name):
            if block.kind in kinds:
                marks = [getattr(pytest.mark, mark) for mark in sorted(block.marks & MARKERS)]
                identity = f"{name}:{block.line}"
                parameters.append(pytest.param(block, id=identity, marks=marks))
    return parameters


def commands(text: str) -> list[list[str]]:
    """The words of each command; prompts, comments, continued lines and quoted ones are seen to."""
    found: list[list[str]] = []
    unfinished = ""
    for line in text.replace("\\\n", " ").splitlines():
        unfinished += line if unfinished else line.removeprefix("$ ")
        try:
            found.append(shlex.split(unfinished, comments=True))
            unfinished = ""
        except ValueError:  # a quotation that goes on in the next line
            unfinished += "\n"
    assert not unfinished, f"the quotation is never closed: {unfinished}"
    return [command for command in found if command]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    """A copy of the checkout, shared by the blocks of all pages, so that they build on each
    other."""
    folder = tmp_path_factory.mktemp("readme") / "stepladder"
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*NOT_COPIED))
    return folder


def run(command: list[str], folder: Path, online: bool) -> None:
    tools = Path(sys.executable).parent
    env = {**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}", "COLUMNS": "120"}
    env["HF_HUB_OFFLINE"] = "0" if online else "1"
    done = subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, timeout=1800, check=False
    )
    allowed = {0, UNDECIDED} if {"climb", "demo"} & set(command) else {0}
    assert done.returncode in allowed, f"{shlex.join(command)}\n{done.stdout}\n{done.stderr}"


def makefile_targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))


def check_installation(words: list[str]) -> None:
    """Whatever is installed by name is this package, with extras that it has."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [word for word in words if not word.startswith("-")]
    for word in wanted:
        found = re.fullmatch(r"(?:\.|([\w-]+))(?:\[([\w,-]+)\])?", word)
        assert found, f"pip install {word}: not understood"
        assert found[1] in (None, project["name"]), f"pip install {word}: another package"
        extras = set(found[2].split(",")) if found[2] else set()
        assert extras <= project["optional-dependencies"].keys(), f"pip install {word}"


def follow(block: Block, checkout: Path) -> None:
    for command in commands(block.text):
        tool = Path(command[0]).name
        if tool == "stepladder":
            run(["stepladder", *command[1:]], checkout, online="network" in block.marks)
        elif tool == "make":
            targets = {word for word in command[1:] if "=" not in word}
            assert targets <= makefile_targets(), shlex.join(command)
            if "demo" in targets and "slow" in block.marks:
                # With the environment that these tests run in, instead of one of its own.
                there = f"BIN={Path(sys.executable).parent}"
                run(["make", "--old-file=setup", "demo", there], checkout, online=False)
        elif tool == "pip":
            assert command[1] == "install", shlex.join(command)
            check_installation(command[2:])
        elif tool == "pytest":
            paths = [word for word in command[1:] if "/" in word]
            assert all((ROOT / path).exists() for path in paths), shlex.join(command)
        else:
            assert tool in ("git", "cd", "python", "source"), f"untested: {shlex.join(command)}"


@pytest.mark.parametrize("block", all_blocks("sh", "bash", "console"))
def test_commands_work(block, checkout):
    follow(block, checkout)


@pytest.mark.parametrize("block", all_blocks("python"))
def test_python_compiles_and_what_it_imports_is_there(block):
    execute(block)


def execute(block: Block) -> dict[str, Any]:
    """The names that a block of Python defines; of one without the mark `run`, its imports."""
    tree = ast.parse(block.text)
    if "run" not in block.marks:
        tree.body = [n for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom)]
    names: dict[str, Any] = {"__name__": __name__}
    code = compile(tree, f"{block.document}:{block.line}", "exec", dont_inherit=True)
    exec(code, names)
    return names


def test_the_method_that_the_guide_writes_adapts(tmp_path):
    page = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    (guide,) = (block for block in blocks(page) if "class Plea" in block.text)
    checkpoint = Checkpoint("any", tmp_path, "0" * 64, Capabilities())
    base = Adaptation(checkpoint, Prompter("Summarize."))
    adapted = execute(guide)["Plea"]().adapt(base, [], [], bench=None)
    assert adapted.prompter.render(Query("q", "x")).text.startswith("Summarize. Think carefully.")
    assert base.prompter.instruction == "Summarize."


@pytest.mark.parametrize("block", all_blocks("yaml", "toml", "json"))
def test_data_is_well_formed(block):
    if block.kind == "toml":
        assert tomllib.loads(block.text)
    elif "metrics:" in block.text:
        spec = read_spec(yaml.safe_load(block.text), where=block.document, folder=ROOT)
        assert all(isinstance(rung, OutputsRung) or parse_rung(rung) for rung in spec.rungs)
    else:
        assert yaml.safe_load(block.text)  # JSON is YAML too


def test_the_rungs_that_are_explained_can_be_built():
    page = (ROOT / "README.md").read_text("utf-8")
    table = re.search(r"^\| rung \|.*?\n\n", page, re.MULTILINE | re.DOTALL)
    if table is None:
        pytest.skip("README.md has no table of rungs")
    cells = [line.split("|")[1] for line in table[0].strip().splitlines()[2:]]
    rungs = [rung for cell in cells for rung in re.findall(r"`([^`]+)`", cell)]
    assert all(parse_rung(rung) for rung in rungs if not rung.startswith("outputs:"))


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_local_links_lead_somewhere(path):
    links = re.findall(r"\]\(([^)\s#]+)", path.read_text("utf-8"))
    local = [link for link in links if "://" not in link]
    assert [link for link in local if not (path.parent / link).exists()] == []


PAGE = textwrap.dedent("""\
    <!-- test: network, slow -->
    ```sh
    $ stepladder climb task.yaml \\
        --model "a b"   # a remark
    # a remark alone
    stepladder ask "one
    two" --seed 1
    ```
    ```python
    import json
    ```
    """)


def test_blocks_are_read_with_their_marks():
    shell, code = blocks(PAGE)
    assert shell.marks == {"network", "slow"} and shell.line == 2
    assert commands(shell.text) == [
        ["stepladder", "climb", "task.yaml", "--model", "a b"],
        ["stepladder", "ask", "one\ntwo", "--seed", "1"],
    ]
    assert code.kind == "python" and code.marks == frozenset()


@pytest.mark.parametrize(
    "text",
    [
        "make nonsense",
        "pip install other-package",
        "pip install 'stepladder[nonsense]'",
        "pytest tests/nonsense",
        "rm -r runs",
        "stepladder nonsense",
    ],
)
def test_a_command_that_does_not_work_is_found(text, tmp_path):
    with pytest.raises(AssertionError):
        follow(Block("page", 1, "sh", text, frozenset()), tmp_path)
