"""Features of training rows, computed once and kept as arrays.

    build = compute_features(job, folder)
    vectors, places = read_features(build.folder)     # (rows, dimensions); which rows they are of

Rows over the context have no features: nothing is ever cut.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stepladder.checkpoints import fingerprint, open_features, out_of_memory
from stepladder.errors import OutputError, TrainingError
from stepladder.records import Build, HeadJob, Json
from stepladder.training.workfolder import WorkFolder

_ARRAYS = "features.safetensors"
_SAID = "features.json"


class KeptFeatures(NamedTuple):
    vectors: NDArray[np.float32]
    """Unit vectors, shape (rows, dimensions)."""
    places: list[int]
    """Of the job's rows, those that the vectors are of."""


def compute_features(job: HeadJob, folder: Path) -> Build:
    """Reads every row that fits the context, and writes `folder`. Raises TrainingError where none
    fits or memory runs out."""
    from safetensors.numpy import save_file

    encoder = open_features(job.body, job.pooling)
    room = encoder.context
    counts = encoder.count_tokens([row.input for row in job.rows])
    places = [place for place, n in enumerate(counts) if room is None or n <= room]
    if not places:
        raise TrainingError(
            f"features: none of the {len(job.rows)} training rows fits the {room} tokens that "
            f"{job.body.name} reads; shorten the inputs or name another encoder"
        )
    try:
        encoder.encode(["a"])  # loading is told apart from reading
        begun = time.perf_counter()
        vectors = encoder.encode([job.rows[place].input for place in places])
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        raise TrainingError(
            f"features: out of memory while {job.body.name} reads rows of up to {max(counts)} "
            "tokens; use a smaller model, or --dtype bfloat16"
        ) from error
    seconds = time.perf_counter() - begun
    notes = []
    if len(places) < len(job.rows):
        notes = [
            f"{len(job.rows) - len(places)} of {len(job.rows)} training rows were left out of the "
            f"features: over the {room} tokens that {job.body.name} reads"
        ]

    def write(part: Path) -> None:
        save_file({"vectors": vectors}, part / _ARRAYS)
        (part / _SAID).write_text(json.dumps({"places": places}), encoding="utf-8")

    return written(folder, write, seconds=seconds, log={"notes": notes})


def read_features(folder: Path) -> KeptFeatures:
    """What `compute_features` wrote."""
    from safetensors.numpy import load_file

    said = json.loads((folder / _SAID).read_text(encoding="utf-8"))
    return KeptFeatures(load_file(folder / _ARRAYS)["vectors"], said["places"])


def written(
    home: Path, write: Callable[[Path], None], *, seconds: float, log: Json, trainable: int = 0
) -> Build:
    """The build whose files `write` puts into a folder; it gets its name, `outcome` in `home`, when
    it is whole. Raises OutputError where it cannot be written."""
    part, folder = home / f".outcome.{os.getpid()}", home / "outcome"
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        write(part)
        with WorkFolder(home).held():  # another study may have made the same meanwhile
            shutil.rmtree(folder, ignore_errors=True)
            part.replace(folder)
        stored = sum(file.stat().st_size for file in folder.iterdir())
    except OSError as error:
        raise OutputError(
            f"{home} cannot be written: {error.strerror or error}; free some space or name another "
            "place with --ledger"
        ) from error
    return Build(
        folder=folder,
        fingerprint=fingerprint(folder),
        seconds=round(seconds, 3),
        peak_memory=None,
        trainable=trainable,
        stored=stored,
        log=log,
    )
