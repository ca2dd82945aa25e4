"""`stepladder samples`: the tasks that come with the package."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stepladder.cli.app import app


@app.command()
def samples(
    name: Annotated[str | None, typer.Argument(help="The sample to copy; all are listed.")] = None,
    folder: Annotated[
        Path | None, typer.Argument(help="Where to; a folder of the sample's name by default.")
    ] = None,
) -> None:
    """List the bundled sample tasks, or copy one as a start for your own."""
    from stepladder.tasks import samples as bundled

    if name is None:
        every = bundled.samples()
        width = max(len(sample.name) for sample in every)
        for sample in every:
            typer.echo(f"{sample.name:<{width}}  {sample.about}")
        typer.echo(f"copy one: stepladder samples {every[0].name} DIR", err=True)
        return
    copied = bundled.copy_sample(name, folder or Path(name))
    for file in copied.tasks:
        typer.echo(f"stepladder climb {copied.folder / file}")
