"""A climb that writes down where it is, and may be told to die there; see `test_study_survives.py`.

    climb(FOLDER, {"place": "step", "nth": 3, "after": 0.01, "dies": "both"})

At the nth time that it enters the place it sends SIGKILL, `after` seconds later, from a thread of
its own: to the process of the study (`study`) or to that of the training too (`both`). Into
FOLDER/moments go a line on entering and one on leaving each place, one on dying, and one for each
answer that a model gave, with its address. Lines are written by single unbuffered appends, so a
killed process leaves all that it wrote, and what it had entered and not left is where it died.

The study's process is forked from one that has imported everything, which saves most of a short
life. The training's is a fresh one: forked from a study that has asked a model, it would inherit
PyTorch's threads broken. The numbers' precision is chosen here, since that choice is a timing.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any

import peft  # noqa: F401
import torch
import transformers.trainer  # noqa: F401

from stepladder.training import fit as _fit  # noqa: F401

torch.set_num_threads(1)


class Moments:
    """Where this process is."""

    def __init__(self, folder: Path, plan: dict[str, Any] | None, study: int) -> None:
        self._file = os.open(folder / "moments", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self._plan = plan
        self._study = study
        self._entered: Counter[str] = Counter()
        self._in: list[str] = []

    def note(self, word: str, what: str) -> None:
        os.write(self._file, f"{os.getpid()} {word} {what}\n".encode())

    @contextmanager
    def inside(self, place: str) -> Iterator[None]:
        self.note("enters", place)
        self._entered[place] += 1
        self._in.append(place)
        plan = self._plan
        if plan and plan["place"] == place and plan["nth"] == self._entered[place]:
            threading.Thread(target=self._die, args=(plan,), daemon=True).start()
        try:
            yield
        finally:
            self._in.pop()
            self.note("leaves", place)

    def _die(self, plan: dict[str, Any]) -> None:
        time.sleep(plan["after"])
        self.note("dies", " ".join(self._in) or "elsewhere")
        os.kill(self._study, signal.SIGKILL)
        if plan["dies"] == "both":
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, owner: Any, name: str, place: str) -> None:
        """Every call of this method is inside the place."""
        method = getattr(owner, name)

        @wraps(method)
        def marked(*args: Any, **kwargs: Any) -> Any:
            with self.inside(place):
                return method(*args, **kwargs)

        setattr(owner, name, marked)


def climb(folder: Path, plan: dict[str, Any] | None, name: str = "s") -> None:
    """The study's process."""
    with (folder / "said").open("ab") as said:
        os.dup2(said.fileno(), 1)
        os.dup2(said.fileno(), 2)
    os.chdir(folder)
    from sqlalchemy import Connection

    from stepladder.engines.hf import HFEngine
    from stepladder.study import Study
    from stepladder.tasks import Task
    from stepladder.training import process

    moments = Moments(folder, plan, os.getpid())
    execute = Connection.exec_driver_sql

    def execute_marked(self: Connection, statement: str, *args: Any) -> Any:
        if statement != "COMMIT":
            return execute(self, statement, *args)
        with moments.inside("commit"):
            return execute(self, statement, *args)

    Connection.exec_driver_sql = execute_marked  # type: ignore[assignment]
    HFEngine.generate = _told(HFEngine.generate, moments)  # type: ignore[method-assign]
    process.subprocess = _Starting(folder, plan)  # type: ignore[assignment]
    Study(Task.load(folder / "task.yaml"), name=name, ledger=folder / "runs/ledger.db").climb()


def _told(generate: Callable[..., Any], moments: Moments) -> Callable[..., Any]:
    from stepladder.records import content_hash

    def told(self: Any, prompts: Any, sampling: Any) -> Iterator[Any]:
        for completion in generate(self, prompts, sampling):
            rendered = self.render(prompts[completion.index])
            moments.note("asked", content_hash([self.identity, rendered, sampling.as_json()]))
            yield completion

    return told


class _Starting:
    """Stands in for the module `subprocess`: the training's process begins in `train` below."""

    DEVNULL = subprocess.DEVNULL

    def __init__(self, folder: Path, plan: dict[str, Any] | None) -> None:
        self._folder = folder
        self._plan = plan

    def Popen(self, command: list[str], **settings: Any) -> subprocess.Popen[bytes]:  # noqa: N802
        *_, module, work, parent = command
        assert module == "stepladder.training.worker"
        told = json.dumps([str(self._folder), self._plan, work, int(parent)])
        paths = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
        settings["env"] = settings["env"] | {"PYTHONPATH": paths}
        return subprocess.Popen([sys.executable, "-c", _BEGIN, told], **settings)


_BEGIN = """
import json, sys
from pathlib import Path
from dying_climb import train
folder, plan, work, parent = json.loads(sys.argv[1])
sys.exit(train(Path(folder), plan, Path(work), parent))
"""


def train(folder: Path, plan: dict[str, Any] | None, work: Path, parent: int) -> int:
    """The training's process."""
    from stepladder.training import fit, worker
    from stepladder.training.precision import Precision

    moments = Moments(folder, plan, parent)
    moments.note("enters", "training")
    moments.around(fit.StepladderTrainer, "training_step", "step")
    moments.around(fit.StepladderTrainer, "_save_checkpoint", "checkpoint")
    fit.choose = lambda model, rows: Precision("float32", None)
    return worker.main(work, parent)
