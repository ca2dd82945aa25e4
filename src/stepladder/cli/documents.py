"""`stepladder index` and `stepladder find`: retrieval alone, without a model to answer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stepladder.cli.app import app
from stepladder.cli.described import option
from stepladder.cli.unread import unread_lines
from stepladder.errors import KnowledgeError
from stepladder.plurals import counted
from stepladder.retrieval.chunks import Cut
from stepladder.retrieval.shelf import Making
from stepladder.tasks.knowledge import KnowledgeSource, find_knowledge

if TYPE_CHECKING:
    from stepladder.retrieval import KeptIndex

Documents = Annotated[
    list[str], typer.Argument(help="Folders or files: txt, md, html, pdf, docx, jsonl, csv.")
]
By = Annotated[str, option(Making, "by")]
Merging = Annotated[str, option(Making, "merge")]
Size = Annotated[int, option(Cut, "size")]
Overlap = Annotated[int, option(Cut, "overlap")]
Counting = Annotated[
    str | None,
    typer.Option("--model", help="Whose tokens are counted; else four characters are one."),
]


@app.command()
def index(
    documents: Documents,
    by: By = Making.by,
    merge: Merging = Making.merge,
    size: Size = Cut.size,
    overlap: Overlap = Cut.overlap,
    model: Counting = None,
) -> None:
    """Read documents, cut them into passages, and keep an index of them.

    Only what changed is read again. A climb on the same documents finds the index there.
    """
    making = Making(by, merge, Cut(size, overlap))
    source = _found(documents)
    kept = _kept(source, making, model)
    _tell_unread(kept)
    typer.echo(f"{kept.about(by)}{source.over}; documents read anew: {kept.fresh:,}")
    typer.echo(kept.folder)


@app.command()
def find(
    documents: Documents,
    question: Annotated[str, typer.Argument(help="What is looked for.")],
    k: Annotated[int, typer.Option(help="Passages to show.")] = 3,
    by: By = Making.by,
    merge: Merging = Making.merge,
    size: Size = Cut.size,
    overlap: Overlap = Cut.overlap,
    model: Counting = None,
) -> None:
    """Show the passages that are nearest to a question, with source, heading and offsets."""
    from stepladder.retrieval import open_index

    if k < 1:
        raise KnowledgeError(f"--k is {k}; give 1 or more passages")
    if not question.strip():
        raise KnowledgeError("the question is empty; say what is looked for")
    kept = _kept(_found(documents), Making(by, merge, Cut(size, overlap)), model)
    _tell_unread(kept)
    hits = open_index(kept.folder).search(question, k)
    for number, hit in enumerate(hits, start=1):
        typer.echo(f"[{number}] {hit.score:.3f}  {hit.passage.place}\n    {hit.passage.text}")
    if not hits:
        typer.echo("No passage has anything of the question in it.")
    elif len(hits) < k:
        typer.echo(f"All of the documents: {counted(len(hits), 'passage')}; --k is {k}.", err=True)


def _found(documents: list[str]) -> KnowledgeSource:
    return find_knowledge(documents, Path())


def _kept(source: KnowledgeSource, making: Making, model: str | None) -> KeptIndex:
    """The index of these documents, made as far as it is not there yet."""
    from stepladder.checkpoints import FOUR_CHARACTERS, resolve, token_counter
    from stepladder.retrieval import build_index

    counter = FOUR_CHARACTERS if model is None else token_counter(resolve(model))
    return build_index(source, making, counter)


def _tell_unread(kept: KeptIndex) -> None:
    for line in unread_lines(kept.unread):
        typer.echo(line, err=True)
