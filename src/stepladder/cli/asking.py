"""What `stepladder ask` does once its command line is read."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from stepladder.errors import EngineError, StepladderError
from stepladder.records import Completion, Prompt, Query, Sampling, Turn


def is_exported(model: str) -> bool:
    """Whether a folder was written by `stepladder export` and so brings its own prompt."""
    from stepladder.adaptation.export import FILE

    return (Path(model) / FILE).is_file()


def read_prompt(argument: str | None, file: Path | None) -> str:
    """The one prompt: the argument, a file, or standard input (`-`, or nothing given and something
    piped in). The line break at the end of a file is not part of it."""
    if argument not in (None, "-") and file is not None:
        raise StepladderError("a prompt and --file are both given; give one of them")
    if argument is not None and argument != "-":
        return argument
    try:
        if file is not None and str(file) != "-":
            return file.read_bytes().decode("utf-8").removesuffix("\n")
        if argument is None and file is None and sys.stdin.isatty():
            raise StepladderError(
                "there is no prompt; give it as an argument, by --file, or through a pipe"
            )
        return sys.stdin.buffer.read().decode("utf-8").removesuffix("\n")
    except UnicodeDecodeError as error:
        place = file or "standard input"
        raise StepladderError(f"{place} is not UTF-8 text ({error}); convert it first") from error
    except OSError as error:
        raise StepladderError(
            f"{file} cannot be read: {error.strerror}; give a text file"
        ) from error


def ask_model(engine: Any, text: str, system: str | None, sampling: Sampling) -> None:
    """Streams a model's answer to standard output."""
    turns = [Turn("user", text)]
    if system:
        turns.insert(0, Turn("system", system))
    prompt = Prompt("\n\n".join(turn.text for turn in turns), tuple(turns))
    pieces = engine.stream(prompt, sampling)
    while True:
        try:
            print(next(pieces), end="", flush=True)
        except StopIteration as end:
            completion: Completion = end.value
            break
    if completion.finish == "over-context":
        raise over_context(completion.tokens_in, engine, sampling)
    print(flush=True)
    note_cut(completion.finish, sampling)


def ask_adaptation(folder: Path, text: str, settings: dict[str, Any], dtype: str) -> None:
    """Prints the answer of an exported adaptation to one input of its task."""
    from stepladder.adaptation import Adaptation
    from stepladder.engines.opening import open_engine

    adaptation = Adaptation.load(folder)
    adaptation = replace(adaptation, sampling=replace(adaptation.sampling, **settings))
    engine = open_engine(adaptation.checkpoint, dtype)
    generation = next(iter(adaptation.generate(engine, [Query("", text)])))
    if generation.finish == "over-context":
        raise over_context(generation.tokens_in, engine, adaptation.sampling)
    if generation.failure is not None:
        raise EngineError(f"no answer: {generation.failure.cause} ({generation.failure.detail})")
    print(generation.answer, flush=True)
    note_cut(generation.finish, adaptation.sampling)


def over_context(tokens: int | None, engine: Any, sampling: Sampling) -> StepladderError:
    """What to say to a prompt that does not fit."""
    limits = engine.capabilities
    if tokens is None:
        return StepladderError(
            "the prompt does not fit the context, says the server; shorten it or lower "
            "--max-new-tokens"
        )
    room = "" if limits.encoder_decoder else f" with room for {sampling.max_new_tokens} more"
    hint = "" if limits.encoder_decoder else " or lower --max-new-tokens"
    return StepladderError(
        f"the prompt has {tokens} tokens, but the context is {limits.context}{room}; "
        f"shorten the prompt{hint}"
    )


def note_cut(finish: str | None, sampling: Sampling) -> None:
    """Says on standard error when an answer did not end by itself."""
    if finish == "length":
        print(
            f"stepladder: cut at {sampling.max_new_tokens} tokens; --max-new-tokens gives more",
            file=sys.stderr,
        )
