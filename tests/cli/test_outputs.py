from __future__ import annotations

from importlib import import_module

import typer.main
from typer.core import TyperGroup

from stepladder.cli import COMMANDS
from stepladder.cli.app import app

WRITE_PAGES = {"climb", "report", "shots", "data", "replay"}


def test_a_page_and_its_json_are_asked_for_by_the_same_names_everywhere() -> None:
    for command in COMMANDS:
        import_module(f"stepladder.cli.{command}")
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    options = {
        name: {option for parameter in command.params for option in parameter.opts}
        for name, command in group.commands.items()
    }
    assert {name for name, known in options.items() if "--html" in known} == WRITE_PAGES
    assert all("--json" in options[name] for name in WRITE_PAGES)
    assert not any("--report" in known for known in options.values())
