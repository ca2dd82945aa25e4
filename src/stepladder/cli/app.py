"""The Typer application that every command's file adds itself to."""

from __future__ import annotations

import typer

app = typer.Typer(
    name="stepladder",
    help="Find the cheapest way to make an open LLM good enough at one task, and prove it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def root() -> None:
    """Find the cheapest way to make an open LLM good enough at one task, and prove it."""
    # Without a callback typer drops the command's name while there is only one.
