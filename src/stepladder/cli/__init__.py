"""The command line: thin, one file a command. Nothing here imports torch.

Exit codes: 0 a verdict or plain success, 3 undecided, 2 the user's mistake, 1 a fault, 130 Ctrl-C.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module

from stepladder.cli.app import INTERRUPTED, app, leave
from stepladder.errors import StepladderError

COMMANDS = (
    *("climb", "check", "init", "samples", "ask", "score", "report", "export"),
    *("memory", "calibrate", "ledger", "shots", "data", "replay", "documents"),
)


def main() -> None:
    """Runs the command line; errors of the user's become one line and exit code 2."""
    # OpenMP's threads spin while they wait for each other. Where another process has the core, that
    # made a step twelve times slower here; spinning less costs an idle machine nothing measurable.
    os.environ.setdefault("GOMP_SPINCOUNT", "20000")
    for command in COMMANDS:
        import_module(f"stepladder.cli.{command}")
    try:
        app(standalone_mode=True)
    except StepladderError as error:
        print(f"stepladder: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except SystemExit as exit:
        if exit.code == INTERRUPTED:  # typer turns a KeyboardInterrupt into it
            leave()
        raise
