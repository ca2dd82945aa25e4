"""A checkpoint as JSON and back: what ledgers and training folders keep of a model.

checkpoint_from_json(checkpoint_to_json(checkpoint)) == checkpoint

Kept are names, paths and content hashes; the weights stay where they are.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from stepladder.records import Adapter, Capabilities, Checkpoint, Json


def checkpoint_to_json(checkpoint: Checkpoint) -> Json:
    """All fields, paths as text."""
    data: Json = asdict(checkpoint)
    data["folder"] = str(checkpoint.folder)
    for adapter in data["adapters"]:
        adapter["folder"] = str(adapter["folder"])
    return data


def checkpoint_from_json(data: Json) -> Checkpoint:
    """The inverse. Raises KeyError or TypeError for anything else."""
    return Checkpoint(
        name=data["name"],
        folder=Path(data["folder"]),
        fingerprint=data["fingerprint"],
        capabilities=Capabilities(**data["capabilities"]),
        adapters=tuple(Adapter(Path(a["folder"]), a["fingerprint"]) for a in data["adapters"]),
        parameters=data["parameters"],
    )
