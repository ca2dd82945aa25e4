"""A fitted model to the folder that is kept: an adapter, or a checkpoint that stands alone."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from stepladder.checkpoints import fingerprint, load
from stepladder.contracts import Interpolates
from stepladder.records import Build, TrainingJob
from stepladder.training.memory import MemoryMeter
from stepladder.training.progress import Reporter
from stepladder.training.workfolder import WorkFolder

if TYPE_CHECKING:
    from stepladder.training.fit import Fitted

_TOKENIZER = (
    "tokenizer*",
    "*token*.json",
    "vocab.*",
    "merges.txt",
    "*.model",
    "*.jinja",
    "additional_chat_templates",
)


def write_outcome(
    fitted: Fitted, job: TrainingJob, work: WorkFolder, reporter: Reporter, meter: MemoryMeter
) -> Build:
    """Saves beside the final place, measures, and finishes the work folder."""
    folder = work.root / ".outcome.new"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    method = fitted.method
    if isinstance(method, Interpolates) and method.wise_ft < 1:
        before, _ = load(job.checkpoint, merged=True)
        method.interpolate(fitted.model, before.to(fitted.model.device))
        del before
    method.save(fitted.model, folder)
    if (folder / "config.json").exists():
        _copy_tokenizer(job.checkpoint.folder, folder)
    peaks = [p for p in (meter.peak(), reporter.peak_before) if p is not None]
    build = Build(
        folder=folder,
        fingerprint=fingerprint(folder),
        seconds=round(reporter.seconds, 3),
        peak_memory=max(peaks, default=None),
        trainable=fitted.trainable,
        stored=sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()),
        log=fitted.log,
    )
    return work.finish(build, folder)


def _copy_tokenizer(base: Path, folder: Path) -> None:
    """File by file: loading and saving a tokenizer may rewrite it, and the tuned model must read
    its prompts as the base does."""
    for pattern in _TOKENIZER:
        for source in base.glob(pattern):
            target = folder / source.name
            if source.is_dir():
                shutil.copytree(source, target, dirs_exist_ok=True)
            else:
                shutil.copyfile(source, target)
