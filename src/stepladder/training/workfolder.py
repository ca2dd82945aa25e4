"""What lies in a training's folder, so that it can be killed at any moment and gone on with.

    job.json         what is to be trained; written first
    settled.json     choices made once by measuring (the precision), kept for later attempts
    progress.jsonl   see `progress`
    worker.log       whatever the process printed
    failure.json     why the last attempt failed
    checkpoints/     the Trainer's own: the newest and the best; gone when all is done
    compiled/        what torch.compile made, where it was used; gone when all is done
    outcome/         the adapter or the whole checkpoint
    build.json       written last: where it stands, the training is done
    lock             held by whoever trains here, see `held`

Every file that is read again is written beside its place and renamed into it.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from stepladder.checkpoints import checkpoint_from_json, checkpoint_to_json
from stepladder.errors import TrainingError
from stepladder.records import (
    Build,
    FitSettings,
    Json,
    TrainingJob,
    content_hash,
    prompt_from_json,
)

TRAINED = "trained.safetensors"
"""A checkpoint's file of the parameters that are trained, by name."""


@dataclass(frozen=True, slots=True)
class WorkFolder:
    """Names, reads and writes; see the module's docstring."""

    root: Path

    @property
    def progress(self) -> Path:
        return self.root / "progress.jsonl"

    @property
    def log(self) -> Path:
        return self.root / "worker.log"

    @property
    def checkpoints(self) -> Path:
        return self.root / "checkpoints"

    @property
    def compiled(self) -> Path:
        return self.root / "compiled"

    @property
    def outcome(self) -> Path:
        return self.root / "outcome"

    @contextmanager
    def held(self, on_wait: Callable[[], None] | None = None) -> Iterator[int]:
        """The folder, made if need be, for one process at a time; others wait, which `on_wait` is
        told once. The descriptor given keeps the lock in every process that inherits it, until the
        last of them has ended, in whatever way."""
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / "lock").open("ab") as lock:
            while not _taken(lock.fileno()):
                if on_wait is not None:
                    on_wait()
                    on_wait = None
                time.sleep(0.2)
            yield lock.fileno()

    def open_for(self, job: TrainingJob) -> None:
        """Makes the folder, or checks that it belongs to the same training. Raises TrainingError
        when it holds another one."""
        self.root.mkdir(parents=True, exist_ok=True)
        recipe = content_hash(job.recipe())
        known = self._read("job.json")
        if known is not None and known["recipe"] != recipe:
            raise TrainingError(
                f"{self.root}: holds another training ({known['job']['method']}); "
                "give an empty folder"
            )
        self._write("job.json", {"recipe": recipe, "job": _job_to_json(job)})
        (self.root / "failure.json").unlink(missing_ok=True)
        if (self.root / "build.json").exists() and not self.outcome.is_dir():
            # Its outcome was deleted: trained anew, with a time of its own.
            (self.root / "build.json").unlink()
            self.progress.unlink(missing_ok=True)

    def job(self) -> TrainingJob:
        content = self._read("job.json")
        if content is None:
            raise TrainingError(f"{self.root}: has no job.json; start the training by run_job")
        return _job_from_json(content["job"])

    def settled(self) -> Json:
        return self._read("settled.json") or {}

    def settle(self, choices: Json) -> None:
        self._write("settled.json", choices)

    def failure(self) -> str | None:
        content = self._read("failure.json")
        return None if content is None else str(content["message"])

    def fail(self, message: str) -> None:
        self._write("failure.json", {"message": message})

    def build(self) -> Build | None:
        """The finished build, if there is one and nobody has deleted its files."""
        content = self._read("build.json")
        if content is None or not self.outcome.is_dir():
            return None
        return Build(folder=self.outcome, **content)

    def finish(self, build: Build, written: Path) -> Build:
        """Moves the outcome from where it was `written` into its place, then marks the training as
        done, then removes what only the training needed, in this order."""
        shutil.rmtree(self.outcome, ignore_errors=True)
        os.replace(written, self.outcome)
        content = asdict(build)
        del content["folder"]
        self._write("build.json", content)
        for folder in (self.checkpoints, self.compiled):
            shutil.rmtree(folder, ignore_errors=True)
        return replace(build, folder=self.outcome)

    def newest_checkpoint(self) -> Path | None:
        """The newest checkpoint that was written to its end; what was not is removed, or the
        Trainer would count it among those to keep."""
        found = sorted(
            self.checkpoints.glob("checkpoint-*"), key=lambda p: int(p.name.split("-")[1])
        )
        whole = [folder for folder in found if _is_whole(folder)]
        for folder in found:
            if folder not in whole:
                shutil.rmtree(folder)
        return whole[-1] if whole else None

    def _read(self, name: str) -> Json | None:
        path = self.root / name
        if not path.exists():
            return None
        content: Json = json.loads(path.read_text(encoding="utf-8"))
        return content

    def _write(self, name: str, content: Json) -> None:
        beside = self.root / f".{name}.new"
        beside.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")
        os.replace(beside, self.root / name)


def _taken(lock: int) -> bool:
    import fcntl  # of POSIX alone, as all else that a training's process needs

    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_whole(checkpoint: Path) -> bool:
    # The Trainer writes trainer_state.json after everything else. An older Stepladder's weights
    # have another name, and are trained anew.
    if not (checkpoint / TRAINED).is_file():
        return False
    try:
        json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return False
    return True


def _job_to_json(job: TrainingJob) -> Json:
    return {**asdict(job), "checkpoint": checkpoint_to_json(job.checkpoint)}


def _job_from_json(content: Json) -> TrainingJob:
    return TrainingJob(
        method=content["method"],
        checkpoint=checkpoint_from_json(content["checkpoint"]),
        train=tuple((prompt_from_json(p), answer) for p, answer in content["train"]),
        dev=tuple((prompt_from_json(p), answer) for p, answer in content["dev"]),
        fit=FitSettings(**content["fit"]),
        seed=content["seed"],
        mixture=content.get("mixture", {}),
        ids=tuple(content.get("ids", ())),
    )
