"""Functions of up to 60 lines, files of up to 400: what grows beyond it is split where it reads."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parent.parent / "src" / "stepladder"
FUNCTION, FILE = 60, 400


def too_long(text: str) -> Iterator[str]:
    if len(text.splitlines()) > FILE:
        yield "the file"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION:
                yield f"{node.name}: {lines} lines"


@pytest.mark.parametrize(
    "path", sorted(SOURCE.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCE))
)
def test_a_file_and_its_functions_are_short(path: Path) -> None:
    assert list(too_long(path.read_text("utf-8"))) == []


def test_what_is_too_long_is_found() -> None:
    assert list(too_long("def f():\n" + "    x = 1\n" * 60)) == ["f: 61 lines"]
    assert list(too_long("x = 1\n" * 401)) == ["the file"]
