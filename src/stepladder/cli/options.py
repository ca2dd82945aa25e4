"""Arguments and options that several commands have, described once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stepladder.errors import RungError

if TYPE_CHECKING:
    from stepladder.tasks import Task

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
Seeds = Annotated[
    int | None,
    typer.Option(
        help="Builds of the rungs that decide, whose spread is shown beside the verdict; instead "
        "of the task's own number."
    ),
]
Knowledge = Annotated[
    list[str] | None,
    typer.Option(help="Documents for rag instead of the task's own; may be given several times."),
]
LedgerUrl = Annotated[str, typer.Option(help="Path or URL of the ledger.")]
Dtype = Annotated[str, typer.Option(help="float32, bfloat16 or float16.")]
AllowPickle = Annotated[
    bool, typer.Option(help="Also load weights that are not safetensors: they run code.")
]
OneModel = Annotated[str, typer.Option(help="Hub id, folder or 'embedded'.")]
JsonFile = Annotated[Path | None, typer.Option("--json", help="Write what is shown here, as JSON.")]


def load_task(path: Path, knowledge: list[str] | None, seeds: int | None) -> Task:
    """The task file's, with what the command line says instead."""
    from stepladder.tasks import Task

    task = Task.load(path)
    if knowledge:
        task = task.with_knowledge(knowledge)
    return task if seeds is None else replace(task, seeds=seeds)


def numbers(option: str, text: str) -> list[int]:
    """Whole numbers by commas. Raises RungError, which names the option."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise RungError(f"{option} is '{text}'; give numbers by commas, such as 0,1,4")
    return [int(part) for part in parts]


def fractions(option: str, text: str) -> list[float]:
    """Numbers with a point, by commas. Raises RungError, which names the option."""
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise RungError(f"{option} is '{text}'; give numbers by commas, such as 0,0.1") from None
