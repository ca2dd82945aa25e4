"""A training in a process of its own: started, watched, ended, and its failures named."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from stepladder.errors import OutputError, TrainingError
from stepladder.records import Build, TrainingJob
from stepladder.training.libraries import NAME, libraries
from stepladder.training.memory import in_words
from stepladder.training.progress import Follower, Progress
from stepladder.training.spawn import command, environment
from stepladder.training.workfolder import WorkFolder

_KEPT = "(the training goes on from its last checkpoint)"
DISK_FULL = 28
"""The worker's exit code where a file could not be written; ENOSPC's number on Linux."""


def run_job(
    job: TrainingJob,
    folder: Path,
    *,
    on_progress: Callable[[Progress], None] | None = None,
    on_wait: Callable[[], None] | None = None,
) -> Build:
    """Trains, or goes on with the training that `folder` holds, or returns what it holds when it
    is done. Where another process trains in this folder, `on_wait` is called and its end awaited.

    Blocks until the end. KeyboardInterrupt ends the training at once and leaves the folder as it
    is; called again, the training goes on from its last checkpoint to the same weights as without
    the interruption. Raises TrainingError when there are no usable weights, saying why and what to
    do, and OutputError where the disk is full or the folder cannot be written; the folder stays.
    """
    work = WorkFolder(folder)
    try:
        with work.held(on_wait) as lock:
            work.open_for(job)
            done = work.build()
            if done is not None:
                return done
            _settle_libraries(work)
            code = _run(work, lock, on_progress)
            build = work.build()
    except OSError as error:
        raise OutputError(
            f"{job.method}: {folder} cannot be written: {error.strerror or error}; free some space "
            f"or name another place with --ledger {_KEPT}"
        ) from error
    if code == 0 and build is not None:
        return build
    if code == DISK_FULL:
        raise OutputError(
            f"{job.method}: the disk is full, {folder} cannot be written; free some space and "
            f"start again {_KEPT}"
        )
    raise TrainingError(work.failure() or _unsaid(code, job, work))


def _settle_libraries(work: WorkFolder) -> None:
    """Notes what libraries will grow by, measured before the training's own time begins."""
    settled = work.settled()
    if "libraries" not in settled:
        found = libraries()
        kept = None if found is None else found._asdict() | {"of": NAME}
        work.settle(settled | {"libraries": kept})


def lower_what(job: TrainingJob) -> str:
    """What to do about a training that needs more memory than there is."""
    smaller = (
        f"lower batch_size (now {job.fit.batch_size})"
        if job.fit.batch_size > 1
        else "leave out the longest rows or show fewer demonstrations (batch_size is 1 already)"
    )
    return f"{smaller}, or take a smaller model"


def _run(work: WorkFolder, lock: int, on_progress: Callable[[Progress], None] | None) -> int:
    """The exit code of the worker, which has a session of its own so that a Ctrl-C at the terminal
    reaches only this process, and all of it can be ended together. It inherits the folder's lock:
    where this process is killed, it may live on for a moment."""
    follower = Follower(work.progress, from_end=True)
    with work.log.open("ab") as log:
        worker = subprocess.Popen(
            command(work.root),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment(),
            start_new_session=True,
            pass_fds=(lock,),
        )
    try:
        while True:
            code = worker.poll()
            for progress in follower.new():
                if on_progress is not None:
                    on_progress(progress)
            if code is not None:
                return code
            time.sleep(0.05)
    finally:
        if worker.poll() is None:
            os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()


def _unsaid(code: int, job: TrainingJob, work: WorkFolder) -> str:
    """The message for a worker that ended without leaving one."""
    if code == -signal.SIGKILL:
        seen = [r.memory for r in Follower(work.progress).new() if r.memory is not None]
        amount = f" after {in_words(max(seen))}" if seen else ""
        return (
            f"{job.method}: the system ended the training{amount}, most often because memory "
            f"ran out; {lower_what(job)}; starting again goes on where it was"
        )
    ended = f"signal {-code}" if code < 0 else f"exit code {code}"
    return f"{job.method}: the training ended with {ended} and no message; its log is {work.log}"
