"""The walls: which room may import which, and which outside library a room may know.

Read from the source (functions included), so an import hidden in a function counts as well. What is
loaded by name through the registry is no import and may cross.
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "stepladder"

ORDER = """
    records, errors, plurals, registry, contracts < statistics, planning
      < tasks, checkpoints, sandbox, ledger < forecast < engines, retrieval, training
      < adaptation
      < methods, metrics < study < report, judge, inspect, serve < cli
"""
"""A room imports rooms to its left, never a neighbour between the same two signs. The records of
the first group may import one another."""

LIBRARIES: dict[str, set[str]] = {
    "records": set(),
    "errors": set(),
    "plurals": set(),
    "registry": set(),
    "contracts": {"numpy"},
    "statistics": {"numpy", "scipy"},
    "planning": {"numpy"},
    "tasks": {"numpy", "yaml", "pyarrow", "datasets", "huggingface_hub"},
    "checkpoints": {
        "numpy",
        "torch",
        "transformers",
        "peft",
        "safetensors",
        "huggingface_hub",
        "sentence_transformers",
        "jinja2",  # chat templates
    },
    "sandbox": {"pydantic_monty"},
    "ledger": {"sqlalchemy"},
    "engines": {"numpy", "torch", "transformers", "peft", "openai", "httpx2"},
    "retrieval": {"numpy", "bm25s", "sklearn", "bs4", "pypdf", "docx"},
    "training": {
        "numpy",
        "torch",
        "transformers",
        "peft",
        "datasets",
        "safetensors",
        "sklearn",
    },
    "forecast": {"torch", "transformers", "accelerate"},
    "adaptation": set(),
    "methods": {"torch", "transformers", "peft"},
    "metrics": {"numpy", "sacrebleu", "rouge_score", "nltk", "regex"},
    "study": {"numpy"},
    "report": {"jinja2", "markupsafe", "rich"},
    "judge": set(),
    "inspect": set(),
    "serve": set(),
    "cli": {"typer", "rich"},
}

HEAVY = {"torch", "transformers", "peft", "accelerate", "datasets", "sentence_transformers"}
"""Seconds to import; nothing may load them before a model is in play."""

DISTRIBUTIONS = {
    "httpx2": "openai",  # which is built on it
    "markupsafe": "jinja2",  # the same
    "yaml": "pyyaml",
    "sklearn": "scikit-learn",
    "bs4": "beautifulsoup4",
    "docx": "python-docx",
    "pydantic_monty": "pydantic-monty",
    "rouge_score": "rouge-score",
    "huggingface_hub": "huggingface-hub",
    "sentence_transformers": "sentence-transformers",
}
"""Where a library is installed under another name than it is imported by."""

GROUPS = [[room.strip() for room in group.split(",")] for group in ORDER.split("<")]
RANK = {room: rank for rank, group in enumerate(GROUPS) for room in group}
TYPES_ONLY = ("contracts", "__init__")
"""Files that may name rooms to their right under `if TYPE_CHECKING:`."""


def public_homes() -> dict[str, str]:
    """Where the package's lazy names come from: `from stepladder import Task` imports tasks."""
    tree = ast.parse((SOURCE / "__init__.py").read_text("utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_HOMES":
            return ast.literal_eval(node.value)
    raise LookupError("stepladder/__init__.py has no table _HOMES")


HOMES = public_homes()


def imports(tree: ast.AST, types_too: bool) -> Iterator[tuple[int, str]]:
    """Line and absolute dotted name of everything imported anywhere in a file."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING" and not types_too:
            continue
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            if module == "stepladder":
                names = [HOMES.get(a.name, f"stepladder.{a.name}") for a in node.names]
                yield from ((node.lineno, name) for name in names)
            else:
                yield node.lineno, module
        else:
            yield from imports(node, types_too)


def room_of(path: Path) -> str:
    first = path.relative_to(SOURCE).parts[0].removesuffix(".py")
    return "cli" if first == "__main__" else first


def complaints(room: str, source: str) -> list[str]:
    """What a file of this room imports that it may not."""
    found = []
    for line, name in imports(ast.parse(source), types_too=room not in TYPES_ONLY):
        top, _, rest = name.partition(".")
        other = rest.split(".")[0]
        if name.startswith("."):
            found.append(f"{line}: '{name}': write the import in full")
        elif top != "stepladder":
            if top not in sys.stdlib_module_names and top not in LIBRARIES.get(room, set()):
                found.append(f"{line}: {room} may not know the library {top}")
        elif other in RANK and other != room:
            mine, theirs = RANK.get(room, -1), RANK[other]
            if theirs > mine or (theirs == mine and mine > 0):
                found.append(f"{line}: {room} may not import {other}")
        elif other not in ("", "__version__", room):
            found.append(f"{line}: {other} is no room of the order above")
    return found


FILES = sorted(SOURCE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_a_file_imports_only_what_its_room_may(path):
    assert complaints(room_of(path), path.read_text("utf-8")) == []


@pytest.mark.parametrize(
    ("room", "source"),
    [
        ("tasks", "from stepladder.study import Study"),
        ("tasks", "import stepladder.ledger.store"),
        ("tasks", "def f():\n    from stepladder.cli.app import app"),
        ("tasks", "from stepladder import Study"),
        ("tasks", "from stepladder import metrics"),
        ("tasks", "from stepladder.helpers import f"),
        ("tasks", "from ..study import Study"),
        ("tasks", "if TYPE_CHECKING:\n    from stepladder.study import Study"),
        ("records", "import numpy as np"),
        ("contracts", "from stepladder.adaptation import Adaptation"),
        ("report", "def f():\n    import torch.nn"),
        ("__init__", "from stepladder.records import Example"),
    ],
)
def test_a_forbidden_import_is_found(room, source):
    assert len(complaints(room, source)) == 1


@pytest.mark.parametrize(
    ("room", "source"),
    [
        ("records", "from stepladder.errors import StepladderError\nimport json.decoder"),
        ("contracts", "if TYPE_CHECKING:\n    from stepladder.adaptation import Adaptation"),
        ("cli", "from stepladder import Study, __version__\nimport typer"),
        ("study", "from stepladder.study.summary import Summary\nimport stepladder"),
        ("report", "from stepladder.study.summary import Summary"),
    ],
)
def test_an_allowed_import_is_let_through(room, source):
    assert complaints(room, source) == []


def test_every_room_is_in_the_order_and_the_table():
    rooms = {room_of(path) for path in FILES} - {"__init__"}
    assert rooms <= RANK.keys()
    assert LIBRARIES.keys() == RANK.keys()


def test_every_library_is_declared():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    lines = project["dependencies"] + sum(project["optional-dependencies"].values(), [])
    declared = {re.split(r"[^\w.-]", line)[0].lower() for line in lines}
    known = set().union(*LIBRARIES.values())
    assert {DISTRIBUTIONS.get(name, name) for name in known} <= declared


def run_python(code: str) -> str:
    """Standard output of a fresh interpreter."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "COLUMNS": "80"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


LOADED = f"print(json.dumps(sorted({HEAVY!r} & set(sys.modules))))"
HELP = """
import json, sys
from stepladder.cli import main
sys.argv = ["stepladder", "--help"]
try:
    main()
except SystemExit as stop:
    assert not stop.code, stop.code
"""


@pytest.mark.parametrize("code", ["import json, sys, stepladder\n", HELP], ids=["import", "help"])
def test_torch_is_not_loaded_before_a_model_is_in_play(code):
    assert json.loads(run_python(code + LOADED).splitlines()[-1]) == []


BLOCKED = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}:
            raise ModuleNotFoundError(f"No module named '{{name}}'", name=name)

sys.meta_path.insert(0, Blocker())
"""
OPTIONAL = sorted(
    HEAVY
    | {"tokenizers", "safetensors", "huggingface_hub", "pyarrow", "pandas", "sklearn"}
    | {"pydantic_monty", "bs4", "pypdf", "docx"}
)
WITHOUT_EXTRAS = BLOCKED.format(blocked=OPTIONAL)
CORE_ROOMS = ("statistics", "tasks", "ledger", "metrics", "study", "report", "cli")


def test_scores_and_reports_import_without_any_extra():
    code = """
import importlib, pkgutil, stepladder
for room in %r:
    package = importlib.import_module(f"stepladder.{room}")
    for module in pkgutil.iter_modules(package.__path__, f"stepladder.{room}."):
        importlib.import_module(module.name)
print(all(hasattr(stepladder, name) for name in stepladder.__all__))
"""
    assert run_python(WITHOUT_EXTRAS + code % (CORE_ROOMS,)).strip() == "True"


def test_outputs_are_scored_without_any_extra(tmp_path):
    for number, split in enumerate(("train", "dev", "test")):
        row = {"n": str(number), "q": f"input {number}", "a": f"a good answer {number}"}
        (tmp_path / f"{split}.jsonl").write_text(json.dumps(row) + "\n")
    (tmp_path / "outputs.jsonl").write_text('{"id": "2", "output": "a good answer 2"}\n')
    (tmp_path / "task.yaml").write_text(
        "name: tiny\ndata: {train: train.jsonl, dev: dev.jsonl, test: test.jsonl}\nid: n\n"
        "input: q\nreferences: a\ninstruction: Answer.\nmetrics: [rougeL]\nrungs: [zero-shot]\n"
    )
    code = f"""
import os, sys
from stepladder.cli import main
os.chdir({str(tmp_path)!r})
sys.argv = ["stepladder", "score", "task.yaml", "outputs.jsonl", "--json", "scores.json"]
main()
"""
    run_python(WITHOUT_EXTRAS + code)
    assert json.loads((tmp_path / "scores.json").read_text())["metrics"]["rougeL"]["value"] == 1.0


def test_the_blocker_blocks():
    code = "\ntry:\n    import torch\nexcept ModuleNotFoundError:\n    print('none')"
    assert run_python(WITHOUT_EXTRAS + code).strip() == "none"
