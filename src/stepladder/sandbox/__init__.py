"""Runs programs that a model wrote, each in a fresh interpreter, and says what became of them.

    run("a = 48 / 2\\nanswer = 48 + a")     # ProgramRun(..., fate="answered", answer="72")

The answer is the global `answer`, or else what a function `solution()` returns. Nothing is run in
this process. There are two sandboxes:

1. **Monty** (pydantic-monty), an interpreter of its own in a worker process: it has no files, no
   network and no imports but its own few modules, and holds limits on time, memory and depth.
2. **CPython**, for programs that import what Monty lacks (numpy, sympy, statistics, fractions,
   dateutil): a process with an empty environment and an empty folder, from which the kernel takes
   all but computing (Landlock, seccomp, rlimits) before it reads the program. Where the machine
   cannot enforce all of that, such a program is refused, with the reason.

What they do not cover. Both: a fault in the kernel or the processor, what can be learned from how
long something takes, and an answer that lies. Monty: its worker is not confined by the kernel, so a
fault in Monty itself is one in the sandbox; it may write a line to standard error. CPython: a
program can read Python's standard library and the library that it imports, and ask whether a path
exists, how large it is and how old; Linux on x86_64 and aarch64 only. Both start from the same
Python environment, which is trusted.
"""

from stepladder.sandbox.cpython import refusal
from stepladder.sandbox.limits import Limits
from stepladder.sandbox.running import require, run

__all__ = ["Limits", "refusal", "require", "run"]
