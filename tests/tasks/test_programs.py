from __future__ import annotations

import json
from pathlib import Path

import pytest

from stepladder.errors import TaskError
from stepladder.tasks import Task
from stepladder.tasks.programs import from_marks

MARKED = (
    "He sold 48/2 = <<48/2=24>>24 clips in May.\nThat is 48+24 = <<48+24=72>>72 in all.\n#### 72"
)


def test_marks_become_lines_that_name_earlier_results() -> None:
    assert from_marks(MARKED) == (
        "# He sold 48/2 = 24 clips in May.\nstep1 = 48 / 2\n"
        "# That is 48+24 = 72 in all.\nstep2 = 48 + step1\nanswer = step2"
    )


@pytest.mark.parametrize(
    ("marks", "lines"),
    [
        ("<<20*.5=10>> #### 10", ["step1 = 20 * .5", "answer = step1"]),
        ("<<1,000*2=2,000>> #### 2000", ["step1 = 1000 * 2", "answer = step1"]),
        ("<<(3-1)*05=10>> #### 10", ["step1 = (3 - 1) * 5", "answer = step1"]),
        ("<<2+2=4>> <<4*4=16>> #### 16", ["step1 = 2 + 2", "step2 = step1 * step1",
                                          "answer = step2"]),
        ("<<2+2=4>> <<14+1=15>> #### 15", ["step1 = 2 + 2", "step2 = 14 + 1", "answer = step2"]),
    ],
)  # fmt: skip
def test_odd_marks(marks: str, lines: list[str]) -> None:
    program = from_marks(marks)
    assert program is not None
    assert [line for line in program.splitlines() if not line.startswith("#")] == lines


@pytest.mark.parametrize(
    "reference",
    [
        "72",
        "She has 72 of them.\n#### 72",
        "<<48/2=24>> and so on\n#### 72",
        "<<48/2=24>>",
        "<<x/2=24>>\n#### 24",
        "<<__import__('os')=24>>\n#### 24",
        "<<a=b=24>>\n#### 24",
        "<<48/2=many>>\n#### 24",
    ],
)
def test_marks_that_do_not_come_to_the_answer_make_no_program(reference: str) -> None:
    assert from_marks(reference) is None


def rows(split: str) -> list[dict[str, str]]:
    return [{"q": f"{split}{i}", "a": str(i), "p": f"answer = {i}"} for i in range(3)]


def task(**settings: object) -> Task:
    given = {"input": "q", "references": "a", "metrics": ["number"]}
    return Task.from_rows({s: rows(s) for s in ("train", "dev", "test")}, **{**given, **settings})


def test_programs_are_read_for_train_and_dev_alone() -> None:
    named = task(programs="p")
    assert [e.program for e in named.train] == ["answer = 0", "answer = 1", "answer = 2"]
    assert [e.program for e in named.dev] == ["answer = 0", "answer = 1", "answer = 2"]
    assert [e.program for e in named.test] == [None, None, None]
    assert {e.program for e in task().train} == {None}


def test_programs_decide_a_result_and_their_absence_leaves_it_as_it_was() -> None:
    assert task(programs="p").fingerprint != task().fingerprint
    assert task(programs="p").split_fingerprint("test") == task().split_fingerprint("test")


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("code", "no field 'code' \\(named by 'programs'\\)"),
        (["p"], "programs: a text is expected, a list came"),
        ({"train": "p"}, "programs: a text is expected, a mapping came"),
    ],
)
def test_a_field_that_is_not_there_is_told(value: object, told: str) -> None:
    with pytest.raises(TaskError, match=told):
        task(programs=value)


def test_a_program_that_is_a_list_is_told_by_its_row() -> None:
    bad = {"train": [{"q": "x", "a": "1", "p": ["answer = 1"]}], "test": [{"q": "y", "a": "2"}]}
    with pytest.raises(TaskError, match="train: row 1: field 'p' holds a list"):
        Task.from_rows(bad, input="q", references="a", metrics=["number"], programs="p")


def test_gsm8k_s_marks_come_to_its_answers(shared_data: Path) -> None:
    """Every program that is made is right: 1,207 of 1,319; in the others the last mark is not the
    answer, or there is none."""
    pytest.importorskip("pydantic_monty", reason="needs the extra 'programs'")
    from stepladder.sandbox import run

    lines = (shared_data / "gsm8k/test.jsonl").read_text("utf-8").splitlines()
    answers = [json.loads(line)["answer"] for line in lines]
    made = [(program, a) for a in answers if (program := from_marks(a)) is not None]
    right = [
        float(run(program).answer) == float(a.rpartition("####")[2].replace(",", ""))
        for program, a in made
    ]
    assert len(answers) == 1319
    assert sum(right) == len(right) >= 1195
