"""How long programs take: those that GSM8K's calculator marks spell, in the first sandbox.

    STEPLADDER_SHARED=shared python benchmarks/programs.py

Needs gsm8k/test.jsonl below the `data` of the folder that STEPLADDER_SHARED names. Prints how many
of the programs come to the reference, and the seconds of all; then what a few of them take in the
second sandbox, which starts a process for each.
"""

from __future__ import annotations

import json
import os
import platform
import time
from pathlib import Path

from stepladder.sandbox import Limits, cpython, monty, refusal
from stepladder.tasks.programs import from_marks

CONFINED = 20


def main() -> None:
    data = Path(os.environ.get("STEPLADDER_SHARED", "../shared")) / "data/gsm8k/test.jsonl"
    if not data.is_file():
        print(f"no {data}: left out; STEPLADDER_SHARED names a folder of public data")
        return
    answers = [json.loads(line)["answer"] for line in data.read_text("utf-8").splitlines()]
    made = [(program, answer) for answer in answers if (program := from_marks(answer))]
    limits = Limits()
    monty.run("answer = 1", limits)  # starts the worker
    began = time.perf_counter()
    outcomes = [monty.run(program, limits) for program, _ in made]
    seconds = time.perf_counter() - began
    right = sum(
        outcome.answer == answer.rpartition("####")[2].strip().replace(",", "")
        for outcome, (_, answer) in zip(outcomes, made, strict=True)
    )
    print(f"{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}")
    print(f"{len(answers):,} answers, {len(made):,} programs, {right:,} with the reference")
    each = 1000 * seconds / len(made)
    print(f"Monty: {seconds:.2f} s for all, {each:.2f} ms each")
    if (reason := refusal()) is not None:
        print(f"CPython cannot be confined here: {reason}")
        return
    began = time.perf_counter()
    for program, _ in made[:CONFINED]:
        cpython.run(program, limits)
    confined = 1000 * (time.perf_counter() - began) / CONFINED
    print(f"CPython, confined: {confined:.0f} ms each, {confined / each:.0f} times Monty's")


if __name__ == "__main__":
    main()
