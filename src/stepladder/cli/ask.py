"""`stepladder ask`: one prompt to any model, or one input to an exported adaptation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from stepladder.cli.app import app
from stepladder.cli.asking import ask_adaptation, ask_model, is_exported, read_prompt
from stepladder.cli.described import option
from stepladder.cli.options import AllowPickle, Dtype
from stepladder.errors import StepladderError
from stepladder.records import Sampling


@app.command()
def ask(
    model: Annotated[
        str,
        typer.Argument(
            help="'embedded', a folder, a hub id (org/name@rev), or https://host/v1#name"
        ),
    ],
    prompt: Annotated[str | None, typer.Argument(help="Or - for standard input.")] = None,
    max_new_tokens: Annotated[int | None, option(Sampling, "max_new_tokens")] = None,
    temperature: Annotated[float | None, option(Sampling, "temperature")] = None,
    top_p: Annotated[float | None, option(Sampling, "top_p")] = None,
    top_k: Annotated[int | None, option(Sampling, "top_k")] = None,
    seed: Annotated[int | None, option(Sampling, "seed")] = None,
    stop: Annotated[
        list[str] | None,
        option(Sampling, "stop", "May be given several times; \\n is a line break."),
    ] = None,
    system: Annotated[str | None, typer.Option(help="The system turn, before the prompt.")] = None,
    file: Annotated[Path | None, typer.Option(help="A file that holds the prompt.")] = None,
    revision: Annotated[str | None, typer.Option(help="Branch, tag or commit on the hub.")] = None,
    allow_pickle: AllowPickle = False,
    dtype: Dtype = "float32",
) -> None:
    """Ask a model and stream its answer, and nothing else, to standard output."""
    given: dict[str, Any] = {
        "max_new_tokens": max_new_tokens,
        "temperature": temperature,
        "top_p": top_p,
        "top_k": top_k,
        "seed": seed,
        "stop": tuple(text.replace("\\n", "\n") for text in stop) if stop else None,
    }
    settings = {key: value for key, value in given.items() if value is not None}
    sampling = replace(Sampling(), **settings)
    text = read_prompt(prompt, file)
    if is_exported(model):
        if system or revision:
            raise StepladderError(f"{model} brings its own prompt; leave out --system, --revision")
        ask_adaptation(Path(model), text, settings, dtype)
        return
    from stepladder.engines.opening import find_model, open_engine

    found = find_model(model, sampling, revision=revision, allow_pickle=allow_pickle)
    ask_model(open_engine(found, dtype), text, system, sampling)
