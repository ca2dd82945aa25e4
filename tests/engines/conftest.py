"""Makes `import comparing` work in this room's tests whatever pytest's import mode; minute models
of many architectures, made when a test asks for them."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory, tiny_llama: Path) -> Callable[[str], Path]:
    """The folder of a random model of an architecture (a name of `architectures.CONFIGS`)."""
    import architectures

    made: dict[str, Path] = {}

    def make(name: str) -> Path:
        if name not in made:
            folder = tmp_path_factory.mktemp("architectures") / name
            architectures.save(name, folder)
            for file in ("tokenizer.json", "tokenizer_config.json"):
                shutil.copy(tiny_llama / file, folder / file)
            made[name] = folder
        return made[name]

    return make
