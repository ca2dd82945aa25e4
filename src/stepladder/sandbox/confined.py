"""The second sandbox from within: a process that gives up all but computing, then runs a program.

    python -I -S confined.py < job.json > outcome.json

Order matters. What the program may import is loaded first; then the limits are set, capabilities
dropped, every file but those of the standard library and of the loaded libraries closed off
(Landlock), and all system calls refused but those of a process that computes (seccomp, a list of
what is allowed). Only then is the program read, so it may be as hostile as machine code. If one
step fails, the program is not run.

The lists: `man 7 landlock`, `man 2 seccomp`, and the kernel's tables of system calls
(arch/x86/entry/syscalls/syscall_64.tbl, include/uapi/asm-generic/unistd.h).
"""

from __future__ import annotations

import ctypes
import importlib
import io
import json
import os
import platform
import signal
import struct
import sys
from pathlib import Path
from types import CodeType
from typing import Any, NoReturn

LANDLOCK_CREATE, LANDLOCK_ADD, LANDLOCK_RESTRICT = 444, 445, 446
READ_FILE, READ_DIR = 1 << 2, 1 << 3
RIGHTS_BY_ABI = ((1, (1 << 13) - 1), (2, 1 << 13), (3, 1 << 14), (5, 1 << 15))
"""Landlock's rights on files: the first ABI that knows them, and their bits."""
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 1, 4, 22, 38
SECCOMP_FILTER = 2
ALLOW, REFUSE, KILL = 0x7FFF0000, 0x00050000 | 1, 0x80000000  # REFUSE: the call gives EPERM
CAPABILITY_VERSION = 0x20080522

MACHINES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""AUDIT_ARCH of `man 3 audit`, by the name that `uname -m` gives."""
ALLOWED = {
    "x86_64": {
        "read": 0, "write": 1, "open": 2, "close": 3, "stat": 4, "fstat": 5, "lstat": 6,
        "lseek": 8, "mmap": 9, "mprotect": 10, "munmap": 11, "brk": 12, "rt_sigaction": 13,
        "rt_sigprocmask": 14, "rt_sigreturn": 15, "pread64": 17, "access": 21, "sched_yield": 24,
        "mremap": 25, "madvise": 28, "dup": 32, "nanosleep": 35, "getpid": 39, "exit": 60,
        "uname": 63, "getcwd": 79, "readlink": 89, "gettimeofday": 96, "getrusage": 98,
        "times": 100, "getuid": 102, "getgid": 104, "geteuid": 107, "getegid": 108,
        "sigaltstack": 131, "gettid": 186, "time": 201, "futex": 202, "sched_getaffinity": 204,
        "getdents64": 217, "restart_syscall": 219, "clock_gettime": 228, "clock_getres": 229,
        "clock_nanosleep": 230, "exit_group": 231, "openat": 257, "newfstatat": 262,
        "readlinkat": 267, "faccessat": 269, "set_robust_list": 273, "getrandom": 318,
        "statx": 332, "rseq": 334, "faccessat2": 439,
    },
    "aarch64": {
        "getcwd": 17, "dup": 23, "faccessat": 48, "openat": 56, "close": 57, "getdents64": 61,
        "lseek": 62, "read": 63, "write": 64, "pread64": 67, "readlinkat": 78, "newfstatat": 79,
        "fstat": 80, "exit": 93, "exit_group": 94, "futex": 98, "set_robust_list": 99,
        "nanosleep": 101, "clock_gettime": 113, "clock_getres": 114, "clock_nanosleep": 115,
        "sched_getaffinity": 123, "sched_yield": 124, "restart_syscall": 128, "sigaltstack": 132,
        "rt_sigaction": 134, "rt_sigprocmask": 135, "rt_sigreturn": 139, "times": 153,
        "uname": 160, "getrusage": 165, "gettimeofday": 169, "getpid": 172, "getuid": 174,
        "geteuid": 175, "getgid": 176, "getegid": 177, "gettid": 178, "brk": 214, "munmap": 215,
        "mremap": 216, "mmap": 222, "mprotect": 226, "madvise": 233, "getrandom": 278,
        "statx": 291, "rseq": 293, "faccessat2": 439,
    },
}  # fmt: skip
"""What computing in Python needs. None of these reaches another process, the network or the disk
beyond what Landlock leaves open for reading."""


READY = b"\n"
"""Said when the process is confined: from here on it is the program's time."""


class Unconfined(Exception):
    """The machine cannot enforce a step; the program must not be run."""


def plain(value: Any, depth: int = 5) -> Any:
    """A value as int, float or text: numpy's and sympy's numbers, fractions and decimals as
    numbers, a collection of one by what it holds."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple | set | dict) and len(value) == 1 and depth:
        return plain(next(iter(value.values() if isinstance(value, dict) else value)), depth - 1)
    try:
        number = float(value)
        whole = int(value)
    except Exception:
        return str(value)
    return whole if whole == value else number


def confine(job: dict[str, Any]) -> None:
    """Gives up everything but computing. Raises Unconfined."""
    machine = platform.machine()
    if machine not in MACHINES:
        raise Unconfined(f"no list of system calls is known for {machine}")
    if len(os.listdir("/proc/self/task")) != 1:
        raise Unconfined("a library has started a thread, which would stay outside")
    libc = ctypes.CDLL(None, use_errno=True)
    readable = _readable(job["libraries"])
    sys.path[:] = [path for path in sys.path if path not in job["libraries"]]
    _limit(job)
    _demand(libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "PR_SET_PDEATHSIG")
    _demand(libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), "PR_SET_DUMPABLE")
    _demand(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "PR_SET_NO_NEW_PRIVS")
    header = struct.pack("Ii", CAPABILITY_VERSION, 0)
    _demand(libc.capset(header, bytes(24)), "dropping capabilities")
    _close_files(libc, readable)
    _close_calls(libc, machine)


def _demand(outcome: int, step: str) -> int:
    if outcome < 0:
        raise Unconfined(f"{step} is not to be had ({os.strerror(ctypes.get_errno())})")
    return outcome


def _limit(job: dict[str, Any]) -> None:
    """Resource limits; the processor's seconds count from here."""
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime + job["seconds"]) + 1
    limits = {
        resource.RLIMIT_CPU: seconds,
        resource.RLIMIT_AS: job["memory"],
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: 32,
        resource.RLIMIT_NPROC: 0,
        resource.RLIMIT_MEMLOCK: 0,
    }
    for limit, most in limits.items():
        resource.setrlimit(limit, (most, most))


def _readable(libraries: list[str]) -> list[Path]:
    """The standard library's parts, without the packages installed below it, and the folders of
    the libraries that are loaded, with the shared objects that wheels keep beside them."""
    standard = Path(os.__file__).parent
    parts = [p for p in standard.iterdir() if p.name not in ("site-packages", "dist-packages")]
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        for library in libraries:
            if "." not in name and file and Path(file).is_relative_to(library):
                top = Path(library, Path(file).relative_to(library).parts[0])
                parts += [p for p in (top, top.with_name(f"{name}.libs")) if p.exists()]
    return parts


def _close_files(libc: Any, readable: list[Path]) -> None:
    """Landlock: nothing but reading below `readable`; where its version knows them, no TCP and no
    signals to others either, both of which seccomp refuses anyway."""
    abi = _demand(libc.syscall(LANDLOCK_CREATE, None, 0, 1), "Landlock")
    files = sum(bits for first, bits in RIGHTS_BY_ABI if abi >= first)
    size = 8 if abi < 4 else 16 if abi < 6 else 24
    attributes = struct.pack("<QQQ", files, 0b11, 0b11)[:size]
    rules = _demand(libc.syscall(LANDLOCK_CREATE, attributes, size, 0), "Landlock")
    for path in readable:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
        rights = READ_FILE | READ_DIR if path.is_dir() else READ_FILE
        beneath = struct.pack("<Qi", rights, handle)
        _demand(libc.syscall(LANDLOCK_ADD, rules, 1, beneath, 0), "a rule of Landlock")
        os.close(handle)
    _demand(libc.syscall(LANDLOCK_RESTRICT, rules, 0), "Landlock")
    os.close(rules)


def _close_calls(libc: Any, machine: str) -> None:
    """Seccomp: a filter that allows the listed system calls of this machine and refuses others.
    Calls in another machine's numbering (32-bit ones) kill the process."""
    numbers = sorted(ALLOWED[machine].values())
    load, equal, give = 0x20, 0x15, 0x06  # BPF: load a word, jump if equal, return
    code = [(load, 0, 0, 4), (equal, 1, 0, MACHINES[machine]), (give, 0, 0, KILL), (load, 0, 0, 0)]
    for place, number in enumerate(numbers):
        code.append((equal, len(numbers) - place, 0, number))
    code += [(give, 0, 0, REFUSE), (give, 0, 0, ALLOW)]
    body = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in code))
    program = struct.pack("HP", len(code), ctypes.addressof(body))
    arguments = (ctypes.c_ulong(SECCOMP_FILTER), program, 0, 0)
    _demand(libc.prctl(PR_SET_SECCOMP, *arguments), "seccomp")


class _Printed(io.StringIO):
    """Standard output, up to a limit."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def write(self, text: str) -> int:
        if self.tell() + len(text) > self._most:
            raise MemoryError(f"it printed more than {self._most:,} characters")
        return super().write(text)


def execute(program: str, output: int) -> dict[str, Any]:
    """Runs the program in this process, which is confined by now, and reads its answer."""
    names: dict[str, Any] = {"__name__": "__main__"}
    outcome: dict[str, Any] = {"answer": None, "fault": ""}
    printed = _Printed(output)
    sys.stdout = sys.stderr = printed
    try:
        code: CodeType = compile(program, "<program>", "exec", dont_inherit=True)
        try:
            exec(code, names)
        except SystemExit:
            pass  # it has ended, and may have set its answer before
        value = names["answer"] if "answer" in names else names.get("solution", type(None))
        outcome["answer"] = plain(value() if "answer" not in names else value)
        json.dumps(outcome)  # a number of too many digits fails here
    except BaseException as fault:
        outcome = {"answer": None, "fault": f"{type(fault).__name__}: {fault}"[:500]}
    outcome["output"] = printed.getvalue()
    return outcome


def main() -> NoReturn:
    """Reads the job, confines the process, runs the program, and is gone before anything that the
    program left behind (atexit, `__del__`, threads) gets a turn."""
    job = json.loads(sys.stdin.buffer.read().decode("utf-8", "surrogatepass"))
    os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"
    sys.path += job["libraries"]
    for library in job["preload"]:
        try:
            importlib.import_module(library)
        except ImportError:
            continue  # the program will be told
    try:
        confine(job)
    except (Unconfined, OSError) as error:
        outcome: dict[str, Any] = {"unconfined": str(error)}
    else:
        os.write(1, READY)
        outcome = execute(job["program"], job["output"])
    os.write(1, json.dumps(outcome).encode())
    os._exit(0)


if __name__ == "__main__":
    main()
