"""A checkpoint survives being kept as JSON."""

from __future__ import annotations

import json
from pathlib import Path

from stepladder.checkpoints import checkpoint_from_json, checkpoint_to_json
from stepladder.records import Adapter, Capabilities, Checkpoint


def test_a_checkpoint_with_adapters_reads_back_the_same() -> None:
    adapters = (Adapter(Path("a"), "1" * 64), Adapter(Path("b"), "2" * 64))
    able = Capabilities(trains=True, chat=True, context=512)
    checkpoint = Checkpoint("model@main", Path("/models/m"), "0" * 64, able, adapters, 7)
    kept = json.dumps(checkpoint_to_json(checkpoint))
    assert checkpoint_from_json(json.loads(kept)) == checkpoint
