"""The second sandbox from without: starts the confined process, and ends it.

The process gets an empty environment, an empty folder that is its own, the program through a pipe,
and nothing else; what it writes is read up to a limit, for a limited time.
"""

from __future__ import annotations

import json
import math
import os
import select
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import NamedTuple

from stepladder.records import Fate, Json, ProgramRun
from stepladder.sandbox import confined
from stepladder.sandbox.answers import answer_text
from stepladder.sandbox.limits import Limits
from stepladder.sandbox.monty import MOST_DETAIL, fate_of

LIBRARIES = ("numpy", "sympy", "statistics", "fractions", "dateutil")
"""What a program gets CPython for; those that are installed beside Stepladder can be imported."""
START = 20.0
"""Seconds for loading libraries, on a busy machine, before a program's own time begins."""
PATIENCE = 5.0
"""By how much the clock on the wall may run ahead of the processor's, as on a busy machine."""
MOST_BYTES = 200_000
"""Of what the process says."""

_PROBE = """
import os, socket
def tried(name, attempt):
    try:
        attempt()
    except OSError:
        return ""
    return name
answer = ", ".join(filter(None, [
    tried("reads files", lambda: open(FILE)), tried("lists folders", lambda: os.listdir("/")),
    tried("writes files", lambda: open("x", "w")), tried("makes folders", lambda: os.mkdir("x")),
    tried("opens sockets", socket.socket),
    tried("forks", lambda: os.fork() or os._exit(0)),
    tried("starts programs", lambda: os.execv(FILE, [FILE])),
    tried("signals", lambda: os.kill(os.getpid(), 0)),
])) or "nothing"
"""


@cache
def refusal() -> str | None:
    """Why this machine cannot confine CPython; None where it can, which a probe has shown by
    trying what must not succeed."""
    if sys.platform != "linux":
        return f"CPython is confined by Linux's Landlock and seccomp, and this is {sys.platform}"
    probe = _PROBE.replace("FILE", repr(sys.executable))
    told = _confined(probe, Limits(seconds=10))
    if told.reply is None:
        return f"the confined process ended without a word ({told.end})"
    if "unconfined" in told.reply:
        return str(told.reply["unconfined"])
    if told.reply.get("answer") != "nothing":
        broken = told.reply.get("answer") or told.reply.get("fault")
        return f"a confined process still does this: {broken}"
    return None


def run(program: str, limits: Limits) -> ProgramRun:
    """Runs a program in a confined process of its own; refuses where it cannot be confined."""
    reason = refusal()
    if reason is not None:
        return ProgramRun(program, "refused", detail=f"no sandbox for its imports: {reason}")
    told = _confined(program, limits)
    fate: Fate
    answer = output = ""
    if told.reply is None:
        fate, detail = told.fate, told.end
    elif "unconfined" in told.reply:
        fate, detail = "refused", f"no sandbox for its imports: {told.reply['unconfined']}"
    elif told.reply.get("fault"):
        output, detail = str(told.reply.get("output", "")), str(told.reply["fault"])
        fate = fate_of(detail)
    else:
        answer, detail = answer_text(told.reply.get("answer"))
        output = str(told.reply.get("output", ""))
        fate = "answered" if answer else "no answer"
    output, detail = output[: limits.output], detail[:MOST_DETAIL]
    return ProgramRun(program, fate, answer, output, detail, "cpython")


class _Told(NamedTuple):
    """What came back."""

    reply: Json | None
    fate: Fate
    """Where there is no reply."""
    end: str
    """How the process ended then."""


def _confined(program: str, limits: Limits) -> _Told:
    seconds = math.ceil(limits.seconds)
    job = {
        "program": program,
        "libraries": _installed(),
        "preload": [name for name in LIBRARIES if name in program],
        "seconds": seconds,
        "memory": limits.cpython_memory,
        "output": limits.output,
    }
    text = json.dumps(job, ensure_ascii=False).encode("utf-8", "surrogatepass")
    with tempfile.TemporaryDirectory(prefix="stepladder-") as folder:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-B", "-X", "utf8", confined.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env={},
            start_new_session=True,
        )
        try:
            said = _exchange(process, text, PATIENCE * seconds)
        finally:
            _end(process)
    if said is None:
        return _Told(None, "timeout", f"it was ended after {PATIENCE * seconds:g} seconds")
    if len(said) > MOST_BYTES:
        return _Told(None, "memory", f"it wrote more than {MOST_BYTES:,} bytes")
    try:
        reply = json.loads(said)
    except ValueError:
        reply = None
    if isinstance(reply, dict):
        return _Told(reply, "error", "")
    return _Told(None, *_end_of(process.returncode))


def _exchange(process: subprocess.Popen[bytes], text: bytes, seconds: float) -> bytes | None:
    """Hands the job over and reads what is said, to its end or a little over the limit; None
    where the time is up. Programs are short enough for the pipe, so that writing cannot block."""
    assert process.stdin is not None and process.stdout is not None
    try:
        process.stdin.write(text)
        process.stdin.close()
    except BrokenPipeError:
        pass  # it ended before it read; how, its exit status says
    said = b""
    until = time.monotonic() + START
    while len(said) <= MOST_BYTES:
        ready, _, _ = select.select([process.stdout], [], [], max(0.0, until - time.monotonic()))
        if not ready:
            return None
        piece = os.read(process.stdout.fileno(), 65_536)
        if not piece:
            break
        if not said:
            until = time.monotonic() + seconds
        said += piece
    return said


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends the process, if it has not ended, and forgets it. Its own exit status is kept."""
    assert process.stdout is not None
    process.stdout.close()
    try:
        process.wait(0.2)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _end_of(status: int) -> tuple[Fate, str]:
    """What an exit status without a reply says."""
    if -status in (signal.SIGXCPU, signal.SIGKILL):
        return "timeout", "its seconds of computing were used up"
    if status < 0:
        return "memory", f"the interpreter crashed ({signal.Signals(-status).name})"
    return "error", "it ended its process"


def _installed() -> list[str]:
    """Where the libraries are installed."""
    paths = (Path(sysconfig.get_path(kind)) for kind in ("purelib", "platlib"))
    return list(dict.fromkeys(str(path) for path in paths))
