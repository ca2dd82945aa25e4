"""A model as JSON and back: what ledgers and training folders keep of it.

checkpoint_from_json(checkpoint_to_json(checkpoint)) == checkpoint
model_from_json(model_to_json(endpoint)) == endpoint

Kept are names, paths and content hashes; the weights stay where they are. Of an endpoint's key the
variable's name is kept.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from stepladder.records import Adapter, Capabilities, Checkpoint, Endpoint, Head, Json, Model


def model_to_json(model: Model) -> Json:
    """All fields; an endpoint's stand under `endpoint`."""
    if isinstance(model, Endpoint):
        return {"endpoint": asdict(model)}
    return checkpoint_to_json(model)


def model_from_json(data: Json) -> Model:
    """The inverse. Raises KeyError or TypeError for anything else."""
    if "endpoint" not in data:
        return checkpoint_from_json(data)
    fields = dict(data["endpoint"])
    fields["capabilities"] = Capabilities(**fields["capabilities"])
    return Endpoint(**{**fields, "not_taken": tuple(fields["not_taken"])})


def checkpoint_to_json(checkpoint: Checkpoint) -> Json:
    """All fields, paths as text."""
    data: Json = asdict(checkpoint)
    data["folder"] = str(checkpoint.folder)
    for adapter in data["adapters"]:
        adapter["folder"] = str(adapter["folder"])
    if data["head"] is not None:
        data["head"]["folder"] = str(data["head"]["folder"])
    return data


def checkpoint_from_json(data: Json) -> Checkpoint:
    """The inverse. Raises KeyError or TypeError for anything else."""
    head = data.get("head")
    return Checkpoint(
        name=data["name"],
        folder=Path(data["folder"]),
        fingerprint=data["fingerprint"],
        capabilities=Capabilities(**data["capabilities"]),
        adapters=tuple(Adapter(Path(a["folder"]), a["fingerprint"]) for a in data["adapters"]),
        parameters=data["parameters"],
        head=Head(Path(head["folder"]), head["fingerprint"]) if head else None,
    )
