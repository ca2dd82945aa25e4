"""`stepladder memory`: what a training would take, from a configuration without weights."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from stepladder.cli.app import app
from stepladder.plurals import counted

if TYPE_CHECKING:
    from stepladder.contracts import TrainingMethod
    from stepladder.forecast import Batch, Forecast

_UNITS = {"K": 1, "M": 2, "G": 3, "T": 4}
"""Powers of 1,000, or of 1,024 where an i follows."""


class _Told(NamedTuple):
    """What is told of one method."""

    asked: Forecast
    fewer: Forecast | None = None
    """With fewer rows, where it does not fit as it was asked for."""
    otherwise: tuple[str, Forecast] | None = None
    """With another setting, likewise."""
    too_large: bool = False


@app.command()
def memory(
    model: Annotated[
        str, typer.Argument(help="A folder with config.json, that file, 'embedded' or a hub id.")
    ],
    method: Annotated[
        str, typer.Option(help='What is trained: "lora(rank=32)"; several by commas.')
    ] = "lora, full",
    batch: Annotated[int, typer.Option(min=1, help="Rows an update.")] = 8,
    length: Annotated[int, typer.Option(min=2, help="Tokens of the longest row.")] = 512,
    answer: Annotated[
        int | None, typer.Option(min=1, help="Of these, the answer's; an eighth by default.")
    ] = None,
    gpu: Annotated[str | None, typer.Option(help="What there is: 24GB.")] = None,
    bf16: Annotated[
        bool | None,
        typer.Option(help="Products in bf16; by default with --gpu or where faster here."),
    ] = None,
) -> None:
    """Foretell the memory and the work of a training. No weights are needed or loaded.

    Every tensor of one update is counted, by going through it without contents.
    Without --gpu it is also told what a process on this machine would take: what
    the allocator would hold for them, and what the libraries grow by, which is
    measured once on a machine.
    """
    from rich.console import Console

    from stepladder.errors import TaskError
    from stepladder.forecast import Batch, foretell, read_config, within
    from stepladder.training import virtual_tokens
    from stepladder.training.foresight import of_one_size

    room = None if gpu is None else _bytes(gpu)
    told = max(1, length // 8) if answer is None else answer
    if told >= length:
        raise TaskError(f"--answer is {told} of {length} tokens; leave some for the prompt")
    methods = _methods(method)
    config = read_config(model)
    shape = Batch(batch, length - told, told)
    here = of_one_size(config) if gpu is None else None
    autocast = (here is None or here.bf16) if bf16 is None else bf16
    process = None if here is None else here.beside
    found: dict[str, _Told] = {}
    for name, chosen in methods.items():
        rehearse = partial(foretell, config, chosen, autocast=autocast, process=process)
        more = virtual_tokens(chosen)  # of a soft prompt, before those of the row
        forecast = rehearse(shape._replace(prompt=shape.prompt + more))
        found[name] = _Told(forecast)
        if room is not None and forecast.peak > room:
            fewer = within(room, forecast.batch._replace(rows=batch // 2), rehearse)
            other = partial(foretell, config, autocast=autocast)
            otherwise = _otherwise(chosen, room, forecast.batch, other)
            found[name] = _Told(forecast, fewer, otherwise, too_large=True)
    console = Console()
    console.print(_table(found))
    beside = "" if process is None else _beside(process.growth)
    console.print(_footnote(shape, _four(methods), autocast) + beside, highlight=False)
    fits = [] if room is None or gpu is None else _fits(found, batch, gpu)
    for line in (*_beyond(config, found), *fits):
        console.print(line, markup=False, highlight=False)


def _footnote(shape: Batch, four: bool, autocast: bool) -> str:
    """What the table is about; `four`: whether a method keeps its base in 4 bits."""
    tokens = shape.prompt + shape.answer
    return (
        f"{counted(shape.rows, 'row')} of {tokens} tokens, {shape.answer} of them the answer; "
        f"weights in float32{', those of linear layers in 4 bits where asked' * four}"
        f"{', products in bf16' * autocast}. Gradients come as activations go: the peak is less "
        "than their sum."
    )


def _beyond(config: Any, found: dict[str, _Told]) -> Iterator[str]:
    """Where rows are longer than the model reads; a line for all methods whose rows are alike."""
    from stepladder.checkpoints import context_of

    context = context_of(config.to_dict())
    over: dict[int, list[str]] = {}
    for name, told in found.items():
        batch = told.asked.batch
        tokens = batch.prompt + (0 if config.is_encoder_decoder else batch.answer)
        if context is not None and tokens > context:
            over.setdefault(tokens, []).append(name)
    for tokens, names in over.items():
        yield (
            f"{', '.join(names)}: rows of {tokens:,} tokens are beyond this model's context of "
            f"{context:,} tokens, so no training reads them; this is what they would take"
        )


def _beside(growth: int) -> str:
    from stepladder.report import units

    if not growth:
        return " What libraries take is in none of it."
    return (
        " A process here also has what libraries grow by, "
        f"{units.size(growth)} in a training of next to no model, and code for the sizes of its "
        "batches, of which this is one."
    )


def _methods(text: str) -> dict[str, TrainingMethod]:
    from stepladder import registry
    from stepladder.errors import RungError
    from stepladder.training import Together, build_method

    methods = {name: build_method(name) for name in registry.split(text)}
    for name, method in methods.items():
        parts = method.methods if isinstance(method, Together) else (method,)
        if any(part.fills is not None for part in parts):
            raise RungError(f"'{name}' trains nothing; give lora(rank=32) or full")
    if not methods:
        raise RungError("--method names nothing; give lora(rank=32) or full")
    return methods


def _four(methods: dict[str, TrainingMethod]) -> bool:
    return any(getattr(method, "bits", None) for method in methods.values())


def _bytes(text: str) -> int:
    """24GB, 24 GiB."""
    from stepladder.errors import TaskError

    found = re.fullmatch(r"(\d+\.?\d*) ?([KMGT])(i?)B", text.strip(), re.IGNORECASE)
    base = 1024 if found and found[3] else 1000
    size = int(float(found[1]) * base ** _UNITS[found[2].upper()]) if found else 0
    if size == 0:
        raise TaskError(f"--gpu is '{text}'; give an amount above 0, such as 24GB or 80GiB")
    return size


def _otherwise(
    method: TrainingMethod, room: int, batch: Batch, foretold: Callable[..., Forecast]
) -> tuple[str, Forecast] | None:
    """The first setting with which a method fits that does not, and what it then takes."""
    from stepladder.forecast import within
    from stepladder.training import recomputing, with_settings

    spared = recomputing(method)
    four = with_settings(method, bits=4)
    both = None if four is None else recomputing(four)
    for setting, changed in (
        ("checkpointing=yes", spared),
        ("bits=4", four),
        ("bits=4, checkpointing=yes", both),
    ):
        if changed is None:
            continue
        fits = within(room, batch, partial(foretold, changed))
        if fits is not None:
            return setting, fits
    return None


def _table(found: dict[str, _Told]) -> object:
    from rich.markup import escape
    from rich.table import Table

    from stepladder.report import units

    table = Table()
    table.add_column("")
    for name in found:
        table.add_column(escape(name), justify="right", overflow="fold")
    forecasts = [told.asked for told in found.values()]
    table.add_row("parameters", *(units.count(f.parameters) for f in forecasts))
    table.add_row("trained of these", *(units.count(f.trainable) for f in forecasts))
    for part in ("weights", "gradients", "optimiser", "activations", "peak"):
        table.add_row(part, *(units.size(getattr(f, part)) for f in forecasts))
    if any(f.process is not None for f in forecasts):
        table.add_row("libraries", *(units.size(f.libraries or None) for f in forecasts))
        table.add_row("process here", *(units.size(f.process) for f in forecasts))
    table.add_row("FLOPs of an update", *(f"{f.flops:.2g}" for f in forecasts))
    return table


def _fits(found: dict[str, _Told], batch: int, gpu: str) -> list[str]:
    """A line a method: whether it fits, and the change that makes it fit."""
    from stepladder.report import units

    lines = []
    smallest = min(found, key=lambda name: found[name].asked.peak)
    for name, told in found.items():
        if not told.too_large:
            lines.append(f"{name}: fits into {gpu}")
            continue
        changes = []
        if told.fewer is not None:
            changes.append(
                f"with --batch {told.fewer.batch.rows} it does ({units.size(told.fewer.peak)})"
            )
        if told.otherwise is not None:
            setting, forecast = told.otherwise
            rows = forecast.batch.rows
            also = "" if rows == batch else f" and --batch {rows}"
            changes.append(f"with {setting}{also} it does ({units.size(forecast.peak)})")
        if not changes:
            other = "" if name == smallest else f", or {smallest}"
            changes.append(f"with one row neither; take shorter rows or a smaller model{other}")
        lines.append(f"{name}: does not fit into {gpu}; {', or '.join(changes)}")
    return lines
