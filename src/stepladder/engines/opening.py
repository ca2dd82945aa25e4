"""A model's name to a Model, and a Model to the engine that asks it.

    model = find_model("embedded")                            # or "http://127.0.0.1:8000/v1#qwen"
    engine = open_engine(model)

Loads no torch: the engines do when they are first asked.
"""

from __future__ import annotations

from stepladder.checkpoints import is_address, read_address, resolve
from stepladder.contracts import StreamingEngine
from stepladder.errors import CheckpointError
from stepladder.records import Endpoint, Model, Sampling


def find_model(
    name: str,
    sampling: Sampling | None = None,
    *,
    revision: str | None = None,
    allow_pickle: bool = False,
) -> Model:
    """The checkpoint of this name; or the endpoint at this address, once it has said what it can
    do, for which it is asked for a token or three, by `sampling`. Raises CheckpointError."""
    if not is_address(name.strip()):
        return resolve(name, revision=revision, allow_pickle=allow_pickle)
    if revision:
        raise CheckpointError("an endpoint has no revision to choose; leave --revision out")
    from stepladder.engines.endpoint import find_out

    return find_out(read_address(name.strip()), sampling or Sampling())


def open_engine(model: Model, dtype: str = "float32") -> StreamingEngine:
    """The engine in this process for a checkpoint, one over HTTP for an endpoint. A checkpoint
    with a head is asked through it, in the dtype that it was fitted in.

    Raises CheckpointError for a dtype asked of an endpoint, whose server has its own.
    """
    if isinstance(model, Endpoint):
        check_dtype(model, dtype)
        from stepladder.engines.endpoint import EndpointEngine

        return EndpointEngine(model)
    if model.head is not None:
        from stepladder.engines.head import HeadEngine

        return HeadEngine(model)
    from stepladder.engines.hf import HFEngine

    return HFEngine(model, dtype=dtype)


def check_dtype(model: Model, dtype: str) -> None:
    """Refuses to choose an endpoint's dtype."""
    if isinstance(model, Endpoint) and dtype != "float32":
        raise CheckpointError(
            f"{model.name}: an endpoint's dtype is chosen where its server is started; leave out "
            f"--dtype {dtype}"
        )
