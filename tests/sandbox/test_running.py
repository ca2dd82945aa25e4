from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stepladder.errors import MissingExtraError
from stepladder.sandbox import Limits, confined, cpython, monty, refusal, require, run

pytest.importorskip("pydantic_monty", reason="needs the extra 'programs'")


@pytest.fixture
def afresh() -> Iterator[None]:
    """What was found out about this machine is found out again, before and after."""
    refusal.cache_clear()
    yield
    refusal.cache_clear()


@pytest.fixture
def confining() -> None:
    if (reason := refusal()) is not None:
        pytest.skip(f"CPython cannot be confined here: {reason}")


@pytest.mark.parametrize(
    ("program", "fate", "answer"),
    [
        ("a = 48 / 2\nanswer = 48 + a", "answered", "72"),
        ("def solution():\n    return 7.50", "answered", "7.5"),
        ("answer = 0.1 + 0.2", "answered", "0.3"),
        ("answer = 2 ** 100", "answered", str(2**100)),
        ("answer = -0.0", "answered", "0"),
        ("answer = [24.0]", "answered", "24"),
        ("answer = ' yes '", "answered", "yes"),
        ("answer = True", "answered", "True"),
        ("from decimal import Decimal\nanswer = Decimal('2.50')", "answered", "2.5"),
        ("from datetime import date\nanswer = date(2024, 2, 29)", "answered", "2024-02-29"),
        ("answer = solution = 3", "answered", "3"),
        ("x = 1", "no answer", ""),
        ("answer = None", "no answer", ""),
        ("answer = float('nan')", "no answer", ""),
        ("answer = ''", "no answer", ""),
        ("class A:\n    pass\nanswer = A()", "no answer", ""),
        ("answer = 1 +", "syntax", ""),
        ("answer = apples * 2", "name", ""),
        ("def solution():\n    return apples", "name", ""),
        ("while True:\n    pass", "timeout", ""),
        ("answer = [0] * 10 ** 10", "memory", ""),
        ("def f():\n    return f()\nf()", "memory", ""),
        ("import pandas", "refused", ""),
        ("answer = open('/etc/hostname').read()", "refused", ""),
        ("answer = 1 / 0", "error", ""),
        ("answer = 1\nraise ValueError('no')", "error", ""),
    ],
)
@pytest.mark.parametrize("sandbox", ["monty", "cpython"])
def test_every_fate_in_both_sandboxes(
    program: str, fate: str, answer: str, sandbox: str, confining: None
) -> None:
    outcome = {"monty": monty.run, "cpython": cpython.run}[sandbox](program, Limits())
    if sandbox == "cpython" and program.startswith("class A"):
        assert outcome.answer.startswith("<__main__.A object")  # any object has a text there
        return
    assert (outcome.fate, outcome.answer) == (fate, answer)
    assert bool(outcome.detail) == (fate != "answered")


def test_a_program_that_sets_no_answer_gets_none_of_an_earlier_one() -> None:
    assert run("answer = 5\nsecret = 6").answer == "5"
    assert run("x = 1").fate == "no answer"
    assert run("answer = secret").fate == "name"


@pytest.mark.parametrize(
    ("program", "answer"),
    [
        ("import numpy as np\nanswer = np.array([1, 2, 3]).sum()", "6"),
        ("from sympy import symbols, solve\nx = symbols('x')\nanswer = solve(2 * x - 5)", "2.5"),
        ("import statistics\nanswer = statistics.mean([1, 2])", "1.5"),
        ("from fractions import Fraction\nanswer = Fraction(1, 3) + Fraction(2, 3)", "1"),
        (
            "from datetime import date\nfrom dateutil.relativedelta import relativedelta\n"
            "answer = date(2020, 1, 31) + relativedelta(months=1)",
            "2020-02-29",
        ),
        ("from math import *\nanswer = sqrt(16)", "4"),
    ],
)
def test_what_monty_cannot_import_runs_in_cpython(
    program: str, answer: str, confining: None
) -> None:
    library = program.split()[1].partition(".")[0]
    pytest.importorskip({"datetime": "dateutil"}.get(library, library))
    outcome = run(program)
    assert (outcome.answer, outcome.sandbox) == (answer, "cpython"), outcome.detail


def test_what_was_printed_is_kept() -> None:
    outcome = run("print('half', 24)\nanswer = 1")
    assert outcome.output == "half 24\n"
    assert outcome.seconds > 0


def test_a_program_of_a_book_s_length_is_refused_unread() -> None:
    outcome = run("#" * 20_000)
    assert outcome.fate == "refused"
    assert outcome.detail == "it has 20,000 characters, 15,000 are taken"


@pytest.mark.parametrize("program", ["answer = '\ud800'", "answer = 1\0", "", "\ufeffanswer = 1"])
def test_odd_text_is_no_trouble(program: str) -> None:
    assert run(program).fate in ("syntax", "no answer", "answered")


def test_without_monty_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pydantic_monty", None)
    monkeypatch.setattr(monty, "pool", monty.pool.__wrapped__)
    with pytest.raises(MissingExtraError, match=r"stepladder\[programs\]"):
        require()


def test_elsewhere_than_on_linux_cpython_is_refused(
    monkeypatch: pytest.MonkeyPatch, afresh: None
) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    outcome = run("import fractions\nanswer = 1")
    assert outcome.fate == "refused"
    assert outcome.detail == (
        "no sandbox for its imports: CPython is confined by Linux's Landlock and seccomp, and this "
        "is darwin"
    )


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        ("_close_files = lambda *_: None", "still does this: reads files, lists folders"),
        ("_close_calls = lambda *_: None", "still does this: .*opens sockets, forks"),
        ("platform.machine = lambda: 'riscv64'", "no list of system calls is known for riscv64"),
        ("LANDLOCK_CREATE = 9999", "Landlock is not to be had .*Function not implemented"),
        ("PR_SET_SECCOMP = 9999", "seccomp is not to be had .*Invalid argument"),
    ],
)
def test_a_machine_that_cannot_enforce_a_step_is_found_out(
    broken: str, told: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, afresh: None
) -> None:
    """The child with one wall missing: the probe sees it, and programs are refused."""
    if sys.platform != "linux":
        pytest.skip("Linux's own walls")
    source = Path(confined.__file__).read_text("utf-8")
    lame = tmp_path / "confined.py"
    lame.write_text(source.replace('if __name__ == "__main__":', f"{broken}\nif True:"))
    monkeypatch.setattr(confined, "__file__", str(lame))
    outcome = run("import fractions\nanswer = 1")
    assert (outcome.fate, outcome.answer) == ("refused", "")
    assert re.search(told, outcome.detail), outcome.detail


def test_the_confined_process_is_a_process_of_its_own() -> None:
    """Started by hand with nonsense for a job, it ends without having run anything."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", confined.__file__],
        input=b"nonsense",
        capture_output=True,
        check=False,
    )
    assert done.returncode != 0
    assert done.stdout == b""
