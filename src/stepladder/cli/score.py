"""`stepladder score`: anyone's outputs against a task's references, without any model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stepladder import registry
from stepladder.cli.app import app
from stepladder.cli.options import JsonFile, TaskFile
from stepladder.cli.outputs import refuse_unwritable
from stepladder.cli.scores import print_scores, some, write_scores
from stepladder.plurals import counted


@app.command()
def score(
    task: TaskFile,
    outputs: Annotated[Path, typer.Argument(help='Rows {"id": ..., "output": ...}.')],
    metrics: Annotated[
        str | None, typer.Option(help='Instead of the task\'s own: "rouge1, bleu(tokenize=intl)".')
    ] = None,
    details: Annotated[
        bool, typer.Option("--details", help="Also show precision, recall and the like.")
    ] = False,
    json: JsonFile = None,
) -> None:
    """Score outputs on the task's test split: value, 95 % interval and signature a metric."""
    from stepladder.metrics import build_metrics, grade, no_labels, warnings
    from stepladder.tasks import Task, read_outputs

    refuse_unwritable(json)
    loaded = Task.load(task)
    references = [example.references for example in loaded.test]
    specs = loaded.metrics if metrics is None else registry.split(metrics)
    measures = build_metrics(specs, loaded.labels, references)
    given = read_outputs(outputs)
    graded = grade(loaded.test, given, measures, loaded.seed)
    for line in dict.fromkeys(line for one in measures for line in warnings(one, references)):
        typer.echo(f"warning: {line}", err=True)
    if graded.missing:
        typer.echo(f"{some(graded.missing)} without an output, scored as empty", err=True)
    if graded.unknown:
        typer.echo(f"{some(graded.unknown)} not in the task's test split, left out", err=True)
    answers = [given[one.id] for one in loaded.test if one.id in given]
    none = no_labels(answers, loaded.labels) if loaded.labels else []
    if none:
        are = "is" if len(none) == 1 else "are"
        typer.echo(
            f"{len(none):,} of {counted(len(answers), 'output')} {are} none of the task's labels "
            f"(first: {none[0][:60]!r}), and so no right one",
            err=True,
        )
    print_scores(list(graded.scores.values()), details)
    if json is not None:
        write_scores(json, graded)
