"""The frame that every page stands in.

    render_page("report.html.j2", summary=summary, ...)

Whatever comes from data or a model is escaped by the template engine, whose autoescape is on. A
page has no script, loads nothing, and its content security policy forbids both: only the style
sheet inside it, named by its hash, applies.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from stepladder.report import units

_TEMPLATES = Path(__file__).parent / "templates"


def render_page(template: str, **values: Any) -> str:
    """A whole page from a template that extends frame.html.j2. The same values give the same page,
    byte for byte."""
    style = (_TEMPLATES / "report.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (
        _environment()
        .get_template(template)
        .render(
            style=Markup(style),  # our own file, not data
            style_hash=f"sha256-{digest}",
            **values,
        )
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: units.legible(value) if type(value) is str else value,
    )
    environment.filters["label"] = lambda key: str(key).replace("_", " ")
    environment.globals["dash"] = units.DASH
    return environment
