"""A study that is killed again and again ends as one that never was, and asks nothing twice; two
beside each other do not disturb each other; on a full disk it stops, says so and goes on later.

Every kill is SIGKILL. Where it fell is proven by what the dying processes wrote down, see
`dying_climb`; the moments at random are chosen by this process, without a look at them.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from stepladder.ledger import Ledger

pytest.importorskip("torch", reason="needs the extra 'hf'")
pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="a dying process is looked at in /proc"
)

SAMPLE = Path(__file__).parents[2] / "src/stepladder/samples/support-notes"
PLACES = {"step": 0.02, "checkpoint": 0.02, "commit": 0.001}
"""Where a kill is asked for, and within how many seconds of entering."""
GIVE_UP = 600.0


def make_task(folder: Path, training: str) -> None:
    """Two rungs that are asked and one that trains, on a handful of the bundled rows."""
    folder.mkdir()
    for split, count in (("train", 24), ("dev", 4), ("test", 14)):
        lines = (SAMPLE / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
        (folder / f"{split}.jsonl").write_text("\n".join(lines[:count]) + "\n", encoding="utf-8")
    task = yaml.safe_load((SAMPLE / "task.yaml").read_text(encoding="utf-8"))
    del task["target"]
    task |= {"rungs": ["zero-shot", "one-shot", training], "margin": 0.001}
    (folder / "task.yaml").write_text(yaml.safe_dump(task))


class Moment(NamedTuple):
    process: int
    word: str
    what: str


@dataclass
class Life:
    """One process of the study, from its start to its end."""

    folder: Path
    killed_at: str | None = None
    """The place, `random` where the moment was drawn, or None where it ended by itself."""
    asked: list[str] = field(default_factory=list)
    """Addresses that a model answered in it."""
    known: set[str] = field(default_factory=set)
    """Addresses that the ledger had when it began."""


def moments(folder: Path, start: int = 0) -> list[Moment]:
    file = folder / "moments"
    lines = file.read_text().splitlines()[start:] if file.is_file() else []
    return [Moment(int(p), word, what) for p, word, what in (line.split(" ", 2) for line in lines)]


def answers(folder: Path) -> set[str]:
    path = folder / "runs/ledger.db"
    if not path.is_file():
        return set()
    with sqlite3.connect(path) as connection:
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
        rows = connection.execute("SELECT address FROM answers") if "answers" in tables else ()
        return {address for (address,) in rows}


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture
def forking(monkeypatch: pytest.MonkeyPatch) -> BaseContext:
    """Starts processes that have imported everything."""
    here = str(Path(__file__).parent)
    monkeypatch.syspath_prepend(here)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([here, os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["dying_climb"])
    return context


def live(
    forking: BaseContext, folder: Path, plan: dict[str, Any] | None, after: float | None = None
) -> Life:
    """Starts the climb, has it die by its plan or `after` seconds, and waits until all of it has
    ended."""
    from dying_climb import climb

    begun, life = len(moments(folder)), Life(folder, known=answers(folder))
    study = forking.Process(target=climb, args=(folder, plan))
    study.start()
    study.join(GIVE_UP if after is None else after)
    if study.exitcode is None:
        assert after is not None, "the climb hangs"
        trainings = {m.process for m in moments(folder, begun) if m.what == "training"}
        study.kill()
        for process in filter(alive, trainings):
            os.kill(process, signal.SIGKILL)
        study.join()
        life.killed_at = "random"
    seen = moments(folder, begun)
    deadline = time.monotonic() + 20
    while any(alive(m.process) for m in seen):  # a training whose study was killed ends itself
        assert time.monotonic() < deadline, "a training outlives its study"
        time.sleep(0.05)
    life.asked = [m.what for m in seen if m.word == "asked"]
    if life.killed_at is None:
        life.killed_at = place_of_death(moments(folder, begun), study.exitcode)
    return life


def place_of_death(seen: list[Moment], code: int | None) -> str | None:
    """The innermost place that was entered and not left by the process that died; None where none
    did."""
    last = next((m for m in reversed(seen) if m.word == "dies"), None)
    if last is None:
        assert code == 0, "the climb failed by itself"
        return None
    own = Counter[str]()
    for moment in seen:
        if moment.process == last.process and moment.word in ("enters", "leaves"):
            own[moment.what] += 1 if moment.word == "enters" else -1
    place = last.what.split()[-1]
    # A training outlives its study for a moment, and may go on from where the study was killed.
    return place if own[place] > 0 or code == -signal.SIGKILL else "elsewhere"


def outcome(folder: Path, study: str = "s") -> dict[str, Any]:
    """What the study found, without times; weights are in it as their hashes."""
    with sqlite3.connect(folder / "runs/ledger.db") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        builds = [json.loads(p) for (p,) in connection.execute("SELECT payload FROM builds")]
    with Ledger.open(folder / "runs/ledger.db", create=False) as ledger:
        log = ledger.study(study)
        summary = log.latest("summary")
        events = [event.payload for event in log.events("generation")]
    assert summary is not None
    generations = {(e["rung"], e["id"]): e | {"seconds": None} for e in events}
    assert len(generations) == len(events), "an answer is in the log twice"
    race = summary["race"] | {"seconds_saved": None}
    rungs = [
        {k: row[k] for k in ("name", "state", "metrics", "failures", "missing", "notes", "prompt")}
        for row in summary["rungs"]
    ]
    weights = sorted(build["fingerprint"] for build in builds)
    return {"rungs": rungs, "race": race, "generations": generations, "weights": weights}


def plans(seed: int, places: list[str]) -> Iterator[tuple[dict[str, Any] | None, float | None]]:
    draw = random.Random(seed)
    for place in places:
        if place == "random":
            yield None, draw.uniform(0.2, 4.0)
            continue
        most = {"step": 8, "checkpoint": 1, "commit": 8}[place]
        dies = "study" if place == "commit" else draw.choice(["both", "both", "study"])
        after = draw.uniform(0, PLACES[place])
        plan = {"place": place, "nth": draw.randint(1, most), "after": after, "dies": dies}
        yield plan, None


def killed(
    forking: BaseContext, folder: Path, training: str, seed: int, places: list[str]
) -> list[Life]:
    """A study's lives: killed as it is asked for, then left to end."""
    make_task(folder, training)
    lives = []
    for plan, after in plans(seed, places):
        lives.append(live(forking, folder, plan, after))
        if lives[-1].killed_at is None:
            return lives
    lives.append(live(forking, folder, None))
    assert lives[-1].killed_at is None
    return lives


def hold(lives: list[Life], whole: list[Life]) -> int:
    """Ends as the undisturbed study did, and asked nothing that was kept; how many answers were
    given a second time, because they were in flight when it died."""
    assert outcome(lives[-1].folder) == outcome(whole[-1].folder)
    assert answers(lives[-1].folder) == answers(whole[-1].folder)
    for life in lives:
        assert not life.known & set(life.asked), "asked again for what the ledger had"
        assert len(life.asked) == len(set(life.asked))
    asked = [address for life in lives for address in life.asked]
    assert set(asked) == set(whole[-1].asked)
    for before, after in zip(lives, lives[1:], strict=False):
        lost = set(before.asked) - after.known
        assert len(lost) <= 14, "more was lost than one shard"
    return len(asked) - len(set(asked))


def test_killed_in_a_step_a_checkpoint_and_a_commit_it_ends_as_if_it_never_was(
    tmp_path: Path, forking: BaseContext
) -> None:
    training = "lora(epochs=2, batch_size=3)"
    whole = killed(forking, tmp_path / "whole", training, 0, [])
    lives = killed(forking, tmp_path / "killed", training, 1, ["commit", "step", "checkpoint"])
    assert len(lives) == 4
    hold(lives, whole)


def test_two_studies_on_one_ledger_train_the_same_once_and_end_the_same(
    tmp_path: Path, forking: BaseContext
) -> None:
    from dying_climb import climb

    folder = tmp_path / "both"
    make_task(folder, "lora(epochs=2, batch_size=4)")
    studies = [forking.Process(target=climb, args=(folder, None, name)) for name in "ab"]
    for study in studies:
        study.start()
    for study in studies:
        study.join(GIVE_UP)
    assert [study.exitcode for study in studies] == [0, 0], (folder / "said").read_text()
    assert outcome(folder, "a") == outcome(folder, "b")
    seen = moments(folder)
    assert sum(m.what == "training" for m in seen) == 1
    assert answers(folder) == {m.what for m in seen if m.word == "asked"}
    with Ledger.open(folder / "runs/ledger.db") as ledger:
        assert ledger.examine().faults == ()
        assert ledger.prune(["a"]).answers == 0  # b uses them all


def full_disk(tmp_path: Path, megabytes: int, training: str) -> tuple[str, Path]:
    """What a climb says whose ledger is on a disk of that size, and a copy of what that holds."""
    if shutil.which("unshare") is None:
        pytest.skip("a small disk of its own needs unshare (util-linux)")
    disk, kept, folder = tmp_path / "disk", tmp_path / "kept", tmp_path / "task"
    disk.mkdir()
    make_task(folder, training)
    script = f'mount -t tmpfs -o size={megabytes}m none "{disk}" || exit 77; "$@"; code=$?; '
    script += f'cp -r "{disk}" "{kept}"; exit $code'
    command = ["unshare", "--map-root-user", "--mount", "sh", "-c", script, "sh"]
    done = subprocess.run(
        [*command, *climb_command(folder, disk)], cwd=folder, capture_output=True, text=True
    )
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip(f"this machine lets nobody mount a small disk: {done.stderr.strip()}")
    assert done.returncode == 2, done.stderr
    return done.stderr, kept


def climb_command(folder: Path, ledger: Path) -> list[str]:
    main = "from stepladder.cli import main; main()"
    command = [sys.executable, "-c", main, "climb", str(folder / "task.yaml"), "--name", "s"]
    return [*command, "--ledger", str(ledger / "ledger.db")]


def goes_on(folder: Path, kept: Path) -> None:
    """On a disk with room the study ends, and the ledger is whole."""
    with Ledger.open(kept / "ledger.db") as ledger:
        assert ledger.examine().faults == ()
        before = sum(1 for _ in ledger.study("s").events("generation"))
    done = subprocess.run(
        climb_command(folder, kept), cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode in (0, 3), done.stderr
    with Ledger.open(kept / "ledger.db") as ledger:
        events = [
            (e.payload["rung"], e.payload["id"]) for e in ledger.study("s").events("generation")
        ]
    assert len(events) == len(set(events)) == 42 > before


def test_a_study_whose_ledger_fills_the_disk_says_so_and_goes_on_later(tmp_path: Path) -> None:
    said, kept = full_disk(tmp_path, 1, "one-shot + lora(epochs=1)")
    assert "the disk is full" in said.splitlines()[-1]
    goes_on(tmp_path / "task", kept)


@pytest.mark.slow
def test_a_study_whose_training_fills_the_disk_says_so_and_goes_on_later(tmp_path: Path) -> None:
    said, kept = full_disk(tmp_path, 20, "full(epochs=2)")
    assert "full(epochs=2" in said.splitlines()[-1]
    assert f"the disk is full, {tmp_path / 'disk/artifacts'}" in said.splitlines()[-1]
    assert "Traceback" not in said
    goes_on(tmp_path / "task", kept)


@pytest.mark.slow
@pytest.mark.timeout(5400)
def test_killed_fifty_times_it_ends_as_if_it_never_was(
    tmp_path: Path, forking: BaseContext
) -> None:
    wanted = {"step": 15, "checkpoint": 5, "commit": 5}
    trainings = ("lora(epochs=3, batch_size=2)", "full(epochs=3, batch_size=2)")
    whole = {t: killed(forking, tmp_path / t.split("(")[0], t, 0, []) for t in trainings}
    fallen, again, number, started = Counter[str](), 0, 0, time.monotonic()
    places = ["commit", "step", "step", "random", "checkpoint", "step", "random", "commit", "step"]
    while fallen.total() < 50 or any(fallen[p] < n for p, n in wanted.items()):
        training = trainings[number % 2]
        lives = killed(
            forking, tmp_path / f"study-{number}", training, 100 + number, [*places, "random"]
        )
        again += hold(lives, whole[training])
        fallen += Counter(life.killed_at for life in lives if life.killed_at)
        number += 1
        print(number, dict(fallen), f"{again} answers given twice", flush=True)
        assert number < 30, f"the kills miss their places: {dict(fallen)}"
    print(f"{number} studies in {time.monotonic() - started:,.0f} s")
