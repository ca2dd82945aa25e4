"""The training's own process: `python -m stepladder.training.worker FOLDER PARENT`.

Started by `run_job`, which waits for it. Its only results are files in FOLDER; its exit code is 0
when build.json is there, DISK_FULL when a file could not be written, and 1 when failure.json says
why not. When the process PARENT ends, in whatever way, this one ends itself.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
import time
import traceback
from pathlib import Path

from stepladder.checkpoints import out_of_memory
from stepladder.errors import StepladderError
from stepladder.records import Build, TrainingJob
from stepladder.training.memory import MemoryMeter, in_words
from stepladder.training.process import DISK_FULL, lower_what
from stepladder.training.progress import Follower, Reporter
from stepladder.training.workfolder import WorkFolder


def main(folder: Path, parent: int) -> int:
    """Trains what FOLDER holds; the exit code."""
    started = time.monotonic()
    _end_with(parent)
    _go_first()
    work = WorkFolder(folder)
    job = work.job()
    try:
        train_here(job, work, started)
    except Exception as error:  # the process' outermost edge: told to the parent and to the log
        if disk_full(error):
            return DISK_FULL
        traceback.print_exc()
        work.fail(explain(error, job, work))
        return 1
    return 0


def train_here(job: TrainingJob, work: WorkFolder, started: float) -> Build:
    """Trains in this process, from the newest checkpoint on, and writes the outcome."""
    # One device: the Trainer would else spread a batch over all that it sees and train otherwise.
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "0")
    from stepladder.checkpoints import load
    from stepladder.training.fit import fit
    from stepladder.training.outcome import write_outcome
    from stepladder.training.together import build_method

    reporter = Reporter(work.progress, started)
    meter = MemoryMeter()
    bits = getattr(build_method(job.method), "bits", None)
    model, tokenizer = load(job.checkpoint, merged=True, bits=bits)
    fitted = fit(model, tokenizer, job, work, reporter, meter)
    return write_outcome(fitted, job, work, reporter, meter)


def disk_full(error: BaseException | None) -> bool:
    """Whether this came of a file that could not grow. torch and safetensors keep no errno: theirs
    are known by their words."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (
            errno.ENOSPC,
            errno.EDQUOT,
            errno.EFBIG,
        ):
            return True
        text = str(error)
        if "PytorchStreamWriter failed writing" in text or "No space left on device" in text:
            return True
        error = error.__cause__ or error.__context__
    return False


def explain(error: Exception, job: TrainingJob, work: WorkFolder) -> str:
    """A failure in one line: what is wrong and what to do."""
    text = str(error).strip()
    if isinstance(error, StepladderError):
        return text if text.startswith(job.method) else f"{job.method}: {text}"
    if out_of_memory(error):
        seen = [r.memory for r in Follower(work.progress).new() if r.memory is not None]
        amount = f" after {in_words(max(seen))}" if seen else ""
        return f"{job.method}: out of memory{amount}; {lower_what(job)}"
    first = text.splitlines()[0] if text else "no message"
    return f"{job.method}: {type(error).__name__}: {first}; the whole of it is in {work.log}"


def _end_with(parent: int) -> None:
    """A thread that ends this process when `parent` is no longer its parent; torch lets it run
    inside its steps."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.2)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()


def _go_first() -> None:
    """Where memory runs out, let Linux end this process and not the study that waits for it."""
    score = Path("/proc/self/oom_score_adj")
    try:
        score.write_text("500")
    except OSError:  # not Linux, or not allowed: then the kernel chooses by size alone
        return


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
