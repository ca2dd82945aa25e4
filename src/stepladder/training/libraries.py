"""What a training's process takes beside its own tensors, measured once a machine.

    found = libraries()         # seconds the first time, then from the user's cache
    found.growth                # bytes that the libraries grow by
    found.kernel                # bytes that oneDNN keeps for a new shape of a product in bf16

Libraries are loaded when they are first used: pages of code, tables, buffers of threads, which come
to as much as a small model. So a model of next to nothing is trained as any other, two updates and
two looks at dev, and what it took beyond its own forecast is what they grow by. It is the same for
every training on this machine with these versions and as many threads, so it is kept under the
user's cache folder and written into the record of each training, by name.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

from stepladder.checkpoints import EMBEDDED, cache_folder, resolve
from stepladder.errors import StepladderError
from stepladder.records import FitSettings, Json, Prompt, TrainingJob, content_hash
from stepladder.training.spawn import command, environment
from stepladder.training.workfolder import WorkFolder

NAME = "a training of next to no model"
_PACKAGES = ("stepladder", "torch", "transformers", "peft", "accelerate", "safetensors")
_VARIABLES = (
    *("OMP_NUM_THREADS", "MKL_NUM_THREADS", "GLIBC_TUNABLES", "MALLOC_ARENA_MAX"),
    *("CUDA_VISIBLE_DEVICES", "ONEDNN_MAX_CPU_ISA"),
)
_LONGEST = 300.0
"""Seconds that measuring may take."""
_SIZES = {
    "hidden_size": 16,
    "head_dim": 8,
    "intermediate_size": 32,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "num_hidden_layers": 1,
}


class Libraries(NamedTuple):
    """In bytes."""

    growth: int
    """Of a process that trains, above its imports, whatever it trains."""
    kernel: int
    """For each product in bf16 of a shape that is new to the process."""


def noted(settled: Json) -> Libraries | None:
    """As a training's folder has it."""
    kept = settled.get("libraries")
    return None if kept is None else Libraries(kept["growth"], kept["kernel"])


def libraries() -> Libraries | None:
    """None on a GPU, whose own count is what runs out, and where it cannot be measured."""
    return _found(cache_folder(), content_hash(_machine()))


@cache
def _found(folder: Path, key: str) -> Libraries | None:
    file = folder / f"libraries-{key[:16]}.json"
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))["found"]
        return None if kept is None else Libraries(**kept)
    except (OSError, ValueError, KeyError, TypeError):  # not there, or no longer as it was written
        pass
    try:
        found = _measured()
    except (OSError, ValueError, TypeError, subprocess.SubprocessError):
        return None
    kept = None if found is None else found._asdict()
    part = file.with_suffix(f".{os.getpid()}.part")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"found": kept, "of": NAME, "with": _machine()}, indent=1)
        part.write_text(text, encoding="utf-8")
        part.replace(file)
    except OSError:  # it is measured again, which costs time alone
        pass
    return found


def _machine() -> Json:
    """What it depends on."""
    processor = platform.processor()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        names = (line.split(":")[1].strip() for line in lines if line.startswith("model name"))
        processor = next(names, processor)
    except OSError:
        pass
    return {
        "machine": platform.platform(),
        "processor": processor,
        "processors": os.cpu_count(),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in _PACKAGES},
        "environment": {name: os.environ.get(name) for name in _VARIABLES},
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _measured() -> Libraries | None:
    with tempfile.TemporaryDirectory() as folder:
        ended = subprocess.run(
            [sys.executable, "-P", "-m", "stepladder.training.libraries", folder],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=environment(),
            timeout=_LONGEST,
            check=True,
        )
    said = json.loads(ended.stdout.splitlines()[-1])
    return None if said is None else Libraries(**said)


def main(folder: Path) -> Libraries | None:
    """Measures in an empty folder, from a process whose threads and allocator are a training's."""
    import torch

    from stepladder.forecast import kernel_bytes

    if torch.cuda.is_available():
        return None
    kernel = kernel_bytes()
    work = WorkFolder(folder / "job")
    work.open_for(_next_to_nothing(folder / "model"))
    # In bf16, which every training tries on its way to one or the other.
    settled = {"precision": "bf16", "bf16_speed_up": None}
    work.settle(settled | {"libraries": {"growth": 0, "kernel": kernel}})
    subprocess.run(
        command(work.root),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env=environment(),
        check=True,
    )
    build = work.build()
    own = None if build is None else build.log["foretold_memory"]
    if build is None or build.peak_memory is None or own is None:
        return None
    return Libraries(max(0, build.peak_memory - own), kernel)


def _next_to_nothing(folder: Path) -> TrainingJob:
    """The bundled model without almost all of its numbers, to be trained on rows of one length."""
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    config = AutoConfig.from_pretrained(EMBEDDED, local_files_only=True)
    config.update(_SIZES)
    model = AutoModelForCausalLM.from_config(config)  # type: ignore[no-untyped-call]
    model.float().save_pretrained(folder)
    AutoTokenizer.from_pretrained(EMBEDDED, local_files_only=True).save_pretrained(folder)
    rows = tuple((Prompt("a b c d e f g h", ()), "a b") for _ in range(16))
    return TrainingJob(
        method="lora",
        checkpoint=resolve(str(folder)),
        train=rows,
        dev=rows[:8],
        fit=FitSettings(epochs=1.0, batch_size=8),
        seed=0,
    )


if __name__ == "__main__":
    try:
        outcome = main(Path(sys.argv[1]))
    except StepladderError as error:
        sys.exit(str(error))
    print(json.dumps(None if outcome is None else outcome._asdict()))
