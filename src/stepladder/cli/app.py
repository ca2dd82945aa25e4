"""The Typer application that every command's file adds itself to."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

import typer

INTERRUPTED = 130
"""The exit code after Ctrl-C: 128 and the number of the signal."""

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


def leave(line: str = "") -> NoReturn:
    """Ends after Ctrl-C, at once: taking torch down in good order would take seconds more, and
    whatever is worth keeping is in the ledger by now.
    """
    if line:
        print(line, file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(INTERRUPTED)
