"""Nothing gets out, the host stays responsive, the next program runs: in both sandboxes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest
from attacks import GREEDY, TELLING

from stepladder.sandbox import Limits, cpython, monty, refusal

pytest.importorskip("pydantic_monty", reason="needs the extra 'programs'")

OUT = "c0ffee-out"
LIMITS = Limits(seconds=1.0)
ATTACKS = TELLING | GREEDY
assert len(ATTACKS) == len(TELLING) + len(GREEDY)
LONGEST_SECONDS = 30.0
"""Until an attack has ended, on a machine with other work."""


class Place(NamedTuple):
    """A folder with what the attacks want, and what they may not make."""

    secret: Path
    code: Path
    fresh: Path

    def program(self, attack: str) -> str:
        names = {
            "OUT": OUT,
            "SECRET": str(self.secret),
            "SECRET_CODE": str(self.code),
            "FRESH": str(self.fresh),
            "HOST": str(os.getpid()),
        }
        # In two halves, so that the token stands in no program whole.
        told = "".join(f"{name} = {value[:5]!r} + {value[5:]!r}\n" for name, value in names.items())
        return told + attack


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setenv("STEPLADDER_TEST_TOKEN", OUT)
    secret, code = tmp_path / "secret", tmp_path / "code.py"
    secret.write_text(OUT)
    code.write_text(f"answer = {OUT!r}")
    os.utime(secret, (1e9, 1e9))
    return Place(secret, code, tmp_path / "fresh")


RUN = {"monty": monty.run, "cpython": cpython.run}


@pytest.fixture(params=sorted(RUN))
def sandbox(request: pytest.FixtureRequest) -> str:
    if request.param == "cpython" and (reason := refusal()) is not None:
        pytest.skip(f"CPython cannot be confined here: {reason}")
    return str(request.param)


def children() -> set[str]:
    """Processes below this one."""
    task = Path("/proc/self/task")
    if not task.is_dir():
        return set()
    return {pid for t in task.iterdir() for pid in (t / "children").read_text().split()}


@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_gets_out_and_the_host_stays_responsive(
    attack: str, place: Place, sandbox: str
) -> None:
    monty.run("answer = 1", LIMITS)  # its worker is there from here on
    before = children()
    began = time.monotonic()
    outcome = RUN[sandbox](place.program(ATTACKS[attack]), LIMITS)
    assert time.monotonic() - began < LONGEST_SECONDS
    for told in (outcome.answer, outcome.output, outcome.detail):
        assert OUT not in told
        assert len(told) <= LIMITS.output
    assert outcome.fate == "answered" or not outcome.answer
    assert place.secret.read_text() == OUT
    assert place.secret.stat().st_mtime == 1e9
    assert sorted(place.secret.parent.iterdir()) == [place.code, place.secret]
    assert len(children()) <= len(before)
    assert RUN[sandbox]("answer = 6 * 7", LIMITS).answer == "42"


@pytest.mark.skipif(sys.platform != "linux", reason="some of the attacks are Linux's own")
def test_the_attacks_are_attacks(place: Place) -> None:
    """In a plain interpreter most of them have what they want, so the sandboxes hold something."""
    won = []
    for name, attack in TELLING.items():
        show = "\nif __name__ == '__main__':\n    print(answer)"
        done = subprocess.run(
            [sys.executable, "-c", place.program(attack) + show],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if OUT in done.stdout or place.fresh.exists() or place.fresh.is_symlink():
            won.append(name)
        if place.fresh.is_dir():
            place.fresh.rmdir()
        place.fresh.unlink(missing_ok=True)
    assert len(won) >= 40, sorted(TELLING.keys() - set(won))
