from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stepladder import registry, sandbox
from stepladder.adaptation import Adaptation, LabelReader, ProgramReader, Prompter, TextReader
from stepladder.adaptation.adaptation import vote
from stepladder.engines.fake import FakeEngine
from stepladder.errors import MissingExtraError, RungError
from stepladder.methods import parse_rung
from stepladder.methods.pal import ASKED, Pal
from stepladder.records import (
    Build,
    Capabilities,
    Checkpoint,
    Example,
    Failure,
    Generation,
    ProgramRun,
    Query,
    Sampling,
    TrainingJob,
)
from stepladder.study import Study, load_summary
from stepladder.tasks import Task

pytest.importorskip("pydantic_monty", reason="needs the extra 'programs'")

ROWS = [
    Example(f"r{i}", f"{i} and 1", (str(i + 1),), program=f"# sum\nanswer = {i} + 1")
    for i in range(8)
]


class Bench:
    seed = 3
    replay = ()

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.jobs: list[TrainingJob] = []

    def train(self, job: TrainingJob) -> Build:
        self.jobs.append(job)
        return Build(self.folder, "f" * 64, 1.0, None, 5, 6)


@pytest.fixture
def base(tmp_path: Path) -> Adaptation:
    (tmp_path / "config.json").write_text('{"hidden_size": 64}')
    able = Capabilities(trains=True, context=512)
    model = Checkpoint("small", tmp_path, "a" * 64, able)
    return Adaptation(model, Prompter("Add."), sampling=Sampling(max_new_tokens=8))


def adapted(rung: str, base: Adaptation, rows: list[Example] = ROWS) -> tuple[Adaptation, Bench]:
    assert isinstance(base.checkpoint, Checkpoint)
    bench = Bench(base.checkpoint.folder)
    for method in parse_rung(rung).methods:
        base = method.adapt(base, rows, rows[:2], bench)
    return base, bench


def test_it_asks_for_a_program_and_reads_what_that_comes_to(base: Adaptation) -> None:
    made, _ = adapted("pal", base)
    prompt = made.prompter.render(Query("q", "2 and 3")).text
    assert prompt == f"Add.\n{ASKED}\n\nInput: 2 and 3\nOutput:"
    assert made.drawing.stop == ("\nInput:",)
    assert made.sampling == Sampling(max_new_tokens=128)
    assert made.reader.read(" answer = 2 + 3")[:2] == ("5", None)
    assert Adaptation.from_json(made.as_json()) == made


def test_the_order_beside_demonstrations_does_not_matter(base: Adaptation) -> None:
    one, _ = adapted("few-shot(2) + pal", base)
    other, _ = adapted("pal + few-shot(2)", base)
    assert one == other
    assert one.prompter.demonstrations is not None
    pool = one.prompter.demonstrations.pool
    assert [d.answer for d in pool] == [next(r.program for r in ROWS if r.id == d.id) for d in pool]


def test_comments_can_be_left_out(base: Adaptation) -> None:
    made, _ = adapted("one-shot + pal(comments=no)", base)
    assert made.prompter.demonstrations is not None
    assert all("#" not in d.answer for d in made.prompter.demonstrations.pool)


def test_a_training_behind_it_learns_programs_and_one_before_it_answers(base: Adaptation) -> None:
    _, bench = adapted("pal + lora", base)
    assert [text for _, text in bench.jobs[0].train] == [row.program for row in ROWS]
    assert ASKED in bench.jobs[0].train[0][0].text
    made, bench = adapted("lora + pal", base)
    assert [text for _, text in bench.jobs[0].train] == [row.references[0] for row in ROWS]
    assert isinstance(made.reader, ProgramReader)


def test_rows_without_a_program_are_left_out(base: Adaptation) -> None:
    some = [replace(row, program=None if i % 2 else row.program) for i, row in enumerate(ROWS)]
    _, bench = adapted("pal + lora", base, some)
    assert len(bench.jobs[0].train) == 4
    made, _ = adapted("few-shot(3, nearest=bm25) + pal", base, some)
    assert made.prompter.demonstrations is not None
    assert {d.id for d in made.prompter.demonstrations.pool} == {"r0", "r2", "r4", "r6"}


def test_answers_and_programs_are_shown_of_the_same_rows(base: Adaptation) -> None:
    some = [replace(row, program=None if i == 5 else row.program) for i, row in enumerate(ROWS)]
    answers, _ = adapted("few-shot(6)", base, some)
    programs, _ = adapted("few-shot(6) + pal", base, some)
    assert answers.prompter.demonstrations is not None
    assert programs.prompter.demonstrations is not None
    drawn = [d.id for d in answers.prompter.demonstrations.pool]
    shown = [d.id for d in programs.prompter.demonstrations.pool]
    assert [id for id in drawn if id != "r5"] == shown[: len(drawn) - ("r5" in drawn)]


@pytest.mark.parametrize(
    ("rung", "told"),
    [
        ("few-shot(2) + pal", "needs 2 training rows with a program, the task has 0"),
        (
            "pal + lora",
            "no training row has a program to learn from; name a field",
        ),
    ],
)
def test_without_programs_what_needs_them_is_refused(
    rung: str, told: str, base: Adaptation
) -> None:
    with pytest.raises(RungError, match=told):
        adapted(rung, base, [replace(row, program=None) for row in ROWS])


@pytest.mark.parametrize(
    ("rung", "told"),
    [
        ("pal + pal", "pal and pal both fill the reader; leave one out"),
        ("pal(samples=0)", "samples is 0; give 1 or more"),
        ("pal(samples=3, temperature=0)", "3 samples at temperature 0 are the same program 3 t"),
        ("pal(temperature=-1)", "temperature is -1.0"),
        ("pal(max_new_tokens=0)", "max_new_tokens is 0"),
        ("pal(timeout=0)", "timeout is 0.0; give seconds above 0, at most 60"),
        ("pal(timeout=1000)", "timeout is 1000.0"),
        ("pal(shots=2)", "unknown setting 'shots'"),
    ],
)
def test_what_cannot_be_is_refused_by_name(rung: str, told: str) -> None:
    with pytest.raises(RungError, match=told):
        parse_rung(rung)


def test_a_study_refuses_them_before_it_begins(tmp_path: Path) -> None:
    able = Capabilities(trains=True)
    model = Checkpoint("fake", tmp_path, "0" * 64, able, parameters=1000)
    rows = [{"q": f"{i} plus", "a": str(i + 1)} for i in range(30)]
    task = Task.from_rows(rows, input="q", references="a", metrics=["number"])
    for rung in ("pal + lora", "few-shot(2) + pal"):
        with pytest.raises(RungError, match="program"):
            Study(task, [model], [rung], ledger=tmp_path / "l.db")
    assert not (tmp_path / "l.db").exists()


def test_programs_cannot_follow_a_training_on_demonstrated_answers(base: Adaptation) -> None:
    with pytest.raises(RungError, match="demonstrations before the training to its left show ans"):
        adapted("few-shot(2) + lora + pal", base)


def test_without_a_sandbox_it_is_refused_before_anything_is_spent(
    base: Adaptation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> None:
        raise MissingExtraError("programs", "running programs")

    monkeypatch.setattr(sandbox, "require", missing)
    with pytest.raises(MissingExtraError, match=r"stepladder\[programs\]"):
        adapted("pal", base)


def test_labels_are_read_from_what_a_program_comes_to(base: Adaptation) -> None:
    made, _ = adapted("pal", replace(base, reader=LabelReader(("odd", "even"))))
    assert made.reader.read("answer = 'Even' if 4 % 2 == 0 else 'Odd'").answer == "even"
    failed = made.reader.read("answer = 'neither'")
    assert failed.failure is not None and failed.failure.cause == "unreadable label"


def test_several_samples_are_drawn_and_most_of_them_decide(base: Adaptation) -> None:
    """The fake engine mixes up the words of half the samples, which then are no Python."""
    made, _ = adapted("pal(samples=9)", base)
    assert (made.samples, made.sampling.temperature) == (9, 0.7)
    engine = FakeEngine(lambda prompt: "answer = 6 * 7")
    found = list(made.generate(engine, [Query("a", "x"), Query("b", "y")]))
    assert [(g.id, g.answer) for g in found] == [("a", "42"), ("b", "42")]
    assert engine.asked == 18
    for generation in found:
        assert len(generation.runs) == 9
        assert {run.fate for run in generation.runs} > {"answered"}
        assert generation.tokens_out == 9 * 5


def sample(answer: str, cause: str | None = None, machine: bool = False) -> Generation:
    failure = Failure(cause, machine) if cause else None
    run = ProgramRun("p", "answered", answer, seconds=0.5)
    return Generation("q", "prompt", "text", answer, 10, 2, 1.0, "end", failure, (run,))


@pytest.mark.parametrize(
    ("samples", "answer", "cause"),
    [
        ([sample("1"), sample("2"), sample("2")], "2", None),
        ([sample("1"), sample("2")], "1", None),
        ([sample("", "program: syntax"), sample("", "program: syntax"), sample("3")], "3", None),
        ([sample("", "a"), sample("", "b"), sample("", "b")], "", "b"),
        ([sample("1"), sample("", "server down", True), sample("1")], "", "server down"),
    ],
)
def test_the_vote(samples: list[Generation], answer: str, cause: str | None) -> None:
    chosen = vote(samples)
    assert chosen.answer == answer
    assert (chosen.failure.cause if chosen.failure else None) == cause
    assert chosen.tokens_in == 10 * len(samples)
    assert chosen.seconds == float(len(samples))
    assert len(chosen.runs) == len(samples)


def test_what_one_sample_does_not_say_is_not_known_of_all() -> None:
    assert vote([sample("1"), replace(sample("1"), tokens_in=None)]).tokens_in is None


PROGRAMS = {
    "right": "answer = {n} + 1",
    "wrong answer": "answer = {n} + 2",
    "no program": "It is hard to say.",
    "syntax": "answer = {n} +",
    "name": "answer = apples",
    "refused": "import socket\nanswer = 1",
    "no answer": "x = {n}",
    "error": "answer = 1 / 0",
}


def test_a_climb_counts_what_became_of_the_programs(checkpoint: Checkpoint, tmp_path: Path) -> None:
    kinds = list(PROGRAMS)

    def answer(prompt: str) -> str:
        n = int(prompt.rsplit("Input: ", 1)[1].split()[0])
        return PROGRAMS[kinds[n % len(kinds)]].format(n=n)

    splits = {
        "train": [{"q": f"{i} plus", "a": str(i + 1)} for i in range(100, 103)],
        "test": [{"q": f"{i} plus", "a": str(i + 1)} for i in range(16)],
    }
    task = Task.from_rows(splits, input="q", references="a", metrics=["number"])
    opener: Callable[[Any], FakeEngine] = lambda _: FakeEngine(answer)  # noqa: E731
    ledger = tmp_path / "l.db"
    study = Study(task, [checkpoint], ["zero-shot", "pal"], name="s", go_on=True, ledger=ledger)
    summary = study.climb(open_engine=opener)
    rungs = {rung.name: rung for rung in summary.rungs}
    assert rungs["zero-shot"].programs is None
    programs = rungs["pal"].programs
    assert programs is not None
    assert programs.fates == dict.fromkeys(PROGRAMS, 2)
    assert programs.reasons == {"ModuleNotFoundError: No module named 'socket'": 2}
    assert programs.run == 14
    assert rungs["pal"].failures["program: refused"] == 2
    assert rungs["pal"].metrics["number"].value == 2 / 16
    kept = load_summary(ledger, "s")
    assert (kept.rungs, kept.items) == (summary.rungs, summary.items)
    shown = [item.answers["pal"].runs[0] for item in summary.items]
    assert {run.fate for run in shown} > {"syntax", "name"}


@pytest.fixture
def checkpoint(tmp_path: Path) -> Checkpoint:
    return Checkpoint("fake", tmp_path, "0" * 64, Capabilities(), parameters=1000)


def test_it_is_described_and_read_back() -> None:
    pal = Pal(samples=5, temperature=0.5, timeout=2.0, comments=False)
    assert registry.build("methods", registry.describe("pal", pal)) == pal


def test_the_readers_differ_in_what_they_want() -> None:
    assert TextReader().wanted(ROWS[0]) == "1"
    assert ProgramReader().wanted(ROWS[0]) == "# sum\nanswer = 0 + 1"
    assert ProgramReader(comments=False).wanted(ROWS[0]) == "answer = 0 + 1"
