"""Arguments and options that several commands have, described once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

TaskFile = Annotated[Path, typer.Argument(help="The task file (YAML).")]
Models = Annotated[
    list[str] | None,
    typer.Option(
        help="Hub id, folder, 'embedded' or https://host/v1#name; may be given several times."
    ),
]
Rungs = Annotated[
    str | None, typer.Option(help='Instead of the task\'s own: "zero-shot, lora(rank=4)".')
]
Requests = Annotated[int, typer.Option(help="Traffic that the cost of building is spread over.")]
LedgerUrl = Annotated[str, typer.Option(help="Path or URL of the ledger.")]
