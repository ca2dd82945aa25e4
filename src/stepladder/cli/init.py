"""`stepladder init`: a first task file, guessed from the data."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from stepladder.cli.app import app
from stepladder.errors import OutputError, StepladderError


@app.command()
def init(
    data: Annotated[
        Path, typer.Argument(help="A data file, or a folder with train, dev and test files.")
    ],
    output: Annotated[
        str, typer.Option("-o", "--output", help="Where to write; - is standard output.")
    ] = "task.yaml",
) -> None:
    """Write a first task file by looking at the columns of DATA."""
    from stepladder.tasks import Task
    from stepladder.tasks.guess import guess_task

    out = None if output == "-" else Path(output)
    if out is not None and out.exists():
        raise OutputError(f"{out}: exists already; name another file with -o, or remove it")
    text = guess_task(data, out)
    if out is None:
        sys.stdout.write(text)
        return
    try:
        with out.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise OutputError(f"{out}: cannot be written ({error.strerror})") from None
    print(f"{out} is written; read its guesses, then: stepladder check {out}", file=sys.stderr)
    try:
        notes = Task.load(out).notes
    except StepladderError as error:
        notes = (f"before it can be used: {error}",)
    for note in notes:
        print(f"  {note}", file=sys.stderr)
