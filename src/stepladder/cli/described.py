"""An option's help out of the record that it fills: a field is described once, under the field.

Annotated[float | None, option(Sampling, "temperature")]    # --temperature, with its text
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from functools import cache
from typing import Any

import typer


@cache
def field_docs(record: type) -> dict[str, str]:
    """The string that stands under each field of a dataclass, on one line."""
    body = ast.parse(textwrap.dedent(inspect.getsource(record))).body[0]
    lines = body.body if isinstance(body, ast.ClassDef) else []
    docs: dict[str, str] = {}
    for field, below in zip(lines, lines[1:], strict=False):
        if not (isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)):
            continue
        if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
            docs[field.target.id] = " ".join(str(below.value.value).split())
    return docs


def option(record: type, field: str, note: str = "") -> Any:
    """A Typer option that is described as the record's field is."""
    return typer.Option(help=" ".join(filter(None, [field_docs(record)[field], note])))
