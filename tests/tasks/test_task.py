"""The task file and its data: what loads, and the one line for what does not."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from stepladder.errors import MetricError, SamplingError, StepladderError, TaskError
from stepladder.tasks import OutputsRung, Target, Task, read_outputs

ROWS = [{"key": f"r{i}", "q": f"What is {i} + 1?", "a": [i + 1]} for i in range(200)]
BASE = "data: rows.jsonl\nid: key\ninput: q\nreferences: a\nmetrics: [number]\n"


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_rows(tmp_path / "rows.jsonl", ROWS)
    return tmp_path


def load(folder: Path, text: str = BASE) -> Task:
    (folder / "task.yaml").write_text(text, encoding="utf-8")
    return Task.load(folder / "task.yaml")


def message(folder: Path, text: str, kind: type[StepladderError] = TaskError) -> str:
    with pytest.raises(kind) as caught:
        load(folder, text)
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    return str(caught.value).replace(str(folder) + "/", "")


def test_one_file_is_split_by_a_hash_and_says_so(folder: Path) -> None:
    task = load(folder)
    assert len(task.train) + len(task.dev) + len(task.test) == 200
    assert 10 <= len(task.dev) <= 30
    assert 10 <= len(task.test) <= 30
    assert any(note.startswith("test is made:") and "seed 0" in note for note in task.notes)
    assert task.train[0].references == (str(int(task.train[0].id[1:]) + 1),)


def test_no_row_moves_when_others_are_added(folder: Path) -> None:
    before = load(folder)
    write_rows(folder / "rows.jsonl", [*ROWS, {"key": "new", "q": "What is new?", "a": 1}])
    after = load(folder)
    for split in ("train", "dev", "test"):
        ids = {e.id for e in after.split(split)}
        assert {e.id for e in before.split(split)} == ids - {"new"}


def test_a_missing_dev_takes_the_same_rows_whether_test_is_given_or_not(folder: Path) -> None:
    write_rows(folder / "test.jsonl", [{"key": "t", "q": "Out of 5 and 6?", "a": 11}])
    both = load(folder)
    one = load(folder, BASE.replace("rows.jsonl", "{train: rows.jsonl, test: test.jsonl}"))
    assert one.dev == both.dev
    assert [e.id for e in one.test] == ["t"]


def test_groups_stay_whole(folder: Path) -> None:
    write_rows(folder / "rows.jsonl", [{**row, "g": i // 4} for i, row in enumerate(ROWS)])
    task = load(folder, BASE + "group: g\n")
    groups = [{e.group for e in task.split(s)} for s in ("train", "dev", "test")]
    assert sum(map(len, groups)) == 50


def test_the_seed_decides_splits_and_the_fingerprint_follows(folder: Path) -> None:
    first, again, other = load(folder), load(folder), load(folder, BASE + "seed: 1\n")
    assert first.fingerprint == again.fingerprint != other.fingerprint
    assert first.test != other.test
    renamed = load(folder, BASE + "name: x\nrungs: [lora]\n")
    assert renamed.fingerprint == first.fingerprint


def test_a_sample_is_seeded_stable_and_noted(folder: Path) -> None:
    task = load(folder, BASE + "sample: {train: 40, test: 1000}\n")
    whole = load(folder)
    assert len(task.train) == 40
    assert [e for e in whole.train if e in set(task.train)] == list(task.train)
    smaller = load(folder, BASE + "sample: {train: 10}\n")
    assert set(smaller.train) < set(task.train)
    assert any("sample: 40 of" in note for note in task.notes)
    assert any("asks for 1,000 rows" in note for note in task.notes)


def test_every_format_gives_the_same_task(folder: Path) -> None:
    import csv

    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    flat = [{"key": r["key"], "q": r["q"], "a": r["a"][0]} for r in ROWS]
    with (folder / "rows.csv").open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.DictWriter(file, ["key", "q", "a"], delimiter=";")
        writer.writeheader()
        writer.writerows(flat)
    parquet.write_table(pyarrow.Table.from_pylist(flat), folder / "rows.parquet")
    (folder / "rows.json").write_text(json.dumps(flat))
    names = ["rows.csv", "rows.parquet", "rows.json"]
    for name in ["rows.jsonl", *names]:
        (folder / f"{name}.gz").write_bytes(gzip.compress((folder / name).read_bytes()))
        names.append(f"{name}.gz")
    expected = load(folder).fingerprint
    for name in names:
        assert load(folder, BASE.replace("rows.jsonl", name)).fingerprint == expected, name


def test_templates_references_and_labels(folder: Path) -> None:
    write_rows(
        folder / "rows.jsonl",
        [
            {"t": f"n{i}", "c.d": "x", "one": "yes", "two": None, "three": ["no", ""]}
            for i in range(30)
        ],
    )
    task = load(
        folder,
        'data: {test: rows.jsonl}\ninput: "{{{t}}} of {c.d}"\nlabels: [yes, no]\n'
        "references: {test: [one, two, three]}\nmetrics: [accuracy]\n",
    )
    assert task.test[3].input == "{n3} of x"
    assert task.test[3].references == ("yes", "no")
    assert task.labels == ("yes", "no")
    assert task.train == () and any("train is empty" in note for note in task.notes)


def test_values_become_text_as_people_write_them() -> None:
    rows = [{"q": f"{i}?", "a": value} for i, value in enumerate([18, 18.0, 0.25, True, " x "])]
    task = Task.from_rows({"test": rows}, input="q", references="a", metrics=["exact_match"])
    assert [e.references[0] for e in task.test] == ["18", "18", "0.25", "true", "x"]


def test_exact_copies_count_once_without_ids(folder: Path) -> None:
    write_rows(folder / "rows.jsonl", ROWS + ROWS[:7])
    task = load(folder, BASE.replace("id: key\n", ""))
    assert len(task.train) + len(task.dev) + len(task.test) == 200
    assert any("copies" in note and note.endswith(": 7") for note in task.notes)


def test_the_whole_form(folder: Path) -> None:
    write_rows(folder / "bart.jsonl", [{"id": "r1", "output": "2"}])
    task = load(
        folder,
        BASE + "name: sums\ninstruction: Add.\ntarget: {metric: number, at_least: 1e-1}\n"
        "sampling: {max_new_tokens: 9, stop: [END]}\nprices: {per_hour: 2}\n"
        'rungs: [zero-shot, "few-shot(3, nearest=bm25)", {outputs: bart.jsonl, seconds: 0.5}]\n',
    )
    assert (task.name, task.instruction, task.deciding) == ("sums", "Add.", "number")
    assert task.target == Target("number", at_least=0.1)
    assert (task.sampling.max_new_tokens, task.sampling.stop) == (9, ("END",))
    assert task.rungs[1:] == (
        "few-shot(3, nearest=bm25)",
        OutputsRung(folder / "bart.jsonl", "bart", seconds=0.5),
    )
    assert task.prices == {"per_hour": 2.0}
    assert task.margin is None and task.path == folder / "task.yaml"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("metric: [number]", "task.yaml: unknown key 'metric'; did you mean 'metrics'?"),
        ("seed: three", "seed: a whole number of 0 or more is expected, 'three' came"),
        ("seed: 1\nseed: 2", "line 7: not YAML (the key 'seed' is given twice)"),
        ("name: [a", "not YAML"),
        ("margin: 0", "margin: a number above 0 is expected, '0' came"),
        ("margin: 0.1\ntarget: {at_least: 1}", "target and margin are both given"),
        ("target: {metric: number}", "target: give one of at_least and at_most"),
        ("target: {metric: bleu, at_least: 3}", "metric 'bleu' is not one of the metrics (number)"),
        ("labels: [a]", "labels: a choice needs two labels or more"),
        ("labels: a", "labels: a list (write [a]) is expected, 'a' came"),
        ("rungs: [few-shot(3, nearest=bm25)]", "'few-shot(3' has an open bracket; put quotes"),
        ("rungs: [lora, lora]", "rungs: 'lora' is listed twice"),
        ("rungs: [few-shot: 3]", "rungs: entry 1: a mapping has the form {outputs: FILE"),
        ("rungs: ['outputs: no.jsonl']", "rungs: entry 1: outputs: no.jsonl: no such file"),
        ("rungs: [{outputs: no.jsonl}]", "rungs: entry 1: outputs: no.jsonl: no such file"),
        ("sample: {tset: 3}", "sample: unknown key 'tset'; did you mean 'test'?"),
        ("sample: {test: 0}", "sample: test: a whole number of 1 or more is expected, '0' came"),
        ("prices: {per_hour: free}", "prices: per_hour: a number of 0 or more is expected"),
        ("sampling: {top_q: 1}", "sampling: unknown key 'top_q'; did you mean 'top_p'?"),
        ("group: topic", "rows.jsonl: no field 'topic' (named by 'group')"),
        ("labels: ['1', '2']", "label '3' is not one of the task's labels"),
    ],
)
def test_a_mistake_in_the_file_is_one_line_that_names_the_key(
    folder: Path, change: str, expected: str
) -> None:
    assert expected in message(folder, BASE + change + "\n")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("id: key", "id: kee", "rows.jsonl: no field 'kee' (named by 'id'); did you mean 'key'?"),
        ("input: q", "input: '{q.upper}'", "no field 'q.upper' (named by 'input')"),
        ("input: q", "input: '{q!r}'", "is not a template"),
        ("input: q", "input: '{q'", "is not a template"),
        ("input: q", "input: {q}", "input: a field, or a template in quotes"),
        ("references: a", "references: {train: a}", "references: given for train alone"),
        ("references: a", "", "references: a field or a list of fields is expected"),
        ("metrics: [number]", "metrics: number", "metrics: a list (write [number]) is expected"),
        ("data: rows.jsonl", "data: no.jsonl", "no.jsonl: no such file"),
        ("data: rows.jsonl", "data: rows.xls", "the suffix '.xls' is not known"),
        ("data: rows.jsonl", "data: {trian: rows.jsonl}", "did you mean 'train'?"),
        ("data: rows.jsonl", "", "data: a file, or {train: FILE"),
        ("data: rows.jsonl", "data: {train: rows.jsonl, test: rows.jsonl}", "id 'r0' was given in"),
    ],
)
def test_a_wrong_entry_is_named(folder: Path, old: str, new: str, expected: str) -> None:
    assert expected in message(folder, BASE.replace(old, new))


def test_errors_of_other_rooms_keep_their_class(folder: Path) -> None:
    said = message(folder, BASE.replace("[number]", "[rogueL]"), MetricError)
    assert "unknown metric 'rogueL'; did you mean 'rougeL'?" in said
    said = message(folder, BASE + "sampling: {top_p: 2}\n", SamplingError)
    assert "task.yaml: sampling: top_p is 2" in said


def test_broken_json_names_its_row(folder: Path) -> None:
    lines = [json.dumps({"key": str(i), "q": f"{i}\u2028?", "a": 1}) for i in range(5000)]
    lines[4710] = '{"key": "x", "q": '
    (folder / "rows.jsonl").write_text("\n".join(lines), encoding="utf-8")
    said = message(folder, BASE)
    assert "rows.jsonl: row 4711: not JSON (" in said
    assert "write one object a line" in said


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"key": "x", "a": 1}, "row 201: field 'q' is missing; 'key', 'a' came; fill it in"),
        ({"key": "x", "q": "  ", "a": 1}, "row 201: field 'q' is empty; fill it in or leave"),
        ({"key": "x", "q": ["a"], "a": 1}, "row 201: field 'q' holds a list"),
        ({"key": "x", "q": {"b": 1}, "a": 1}, "row 201: field 'q' holds a dict"),
        ({"key": "x", "q": "y", "a": [None, ""]}, "row 201: no reference in 'a'"),
        ({"key": "r4", "q": "y", "a": 1}, "row 201: id 'r4' was given in row 5 already"),
    ],
)
def test_a_bad_row_is_named(folder: Path, row: dict[str, Any], expected: str) -> None:
    write_rows(folder / "rows.jsonl", [*ROWS, row])
    assert f"rows.jsonl: {expected}" in message(folder, BASE)


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("x.jsonl", b"", "x.jsonl: holds no rows"),
        ("x.jsonl", b"[1]\n", "x.jsonl: row 1: an object with named fields is expected, a list"),
        ("x.jsonl", b'{"key": "\xe4"}\n', "x.jsonl: line 1: not UTF-8 text (byte 0xe4)"),
        ("x.jsonl.gz", b"no", "x.jsonl.gz: not a whole gzip file"),
        ("x.json", b"[{]", "x.json: line 1: not JSON"),
        ("x.csv", b"key,q,a\n1,2\n", "x.csv: row 2: 2 cells where the header has 3"),
        ("x.csv", b"key,q,q\n1,2,3\n", "x.csv: the header names 'q' twice"),
        ("x.csv", b'key,q,a\n1,"2,3\n', "x.csv: row 2: not CSV"),
        ("x.parquet", b"no", "x.parquet: not a Parquet file"),
    ],
)
def test_a_broken_file_is_named(folder: Path, name: str, data: bytes, expected: str) -> None:
    (folder / name).write_bytes(data)
    assert expected in message(folder, BASE.replace("rows.jsonl", name))


def test_a_task_without_test_rows_is_refused() -> None:
    with pytest.raises(TaskError, match="no row is left for test"):
        Task.from_rows([{"q": "b", "a": "c"}], input="q", references="a", metrics=["bleu"])


def test_a_missing_task_file_and_a_data_file_say_what_to_do(folder: Path) -> None:
    with pytest.raises(TaskError, match="no such file; write one with: stepladder init"):
        Task.load(folder / "none.yaml")
    with pytest.raises(TaskError, match="is data, not a task file"):
        Task.load(folder / "rows.jsonl")


def test_without_a_network_the_hub_says_how_to_go_on(folder: Path) -> None:
    pytest.importorskip("datasets")
    text = BASE.replace("rows.jsonl", "{hub: nobody-at-all/no-such-data}")
    assert "download its files" in message(folder, text)


def test_hub_splits_are_named_as_ours(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    seen: list[Any] = []

    def fake(name: str, config: str | None, revision: str | None) -> Any:
        seen.append((name, config, revision))
        made = datasets.Dataset.from_list(ROWS)
        return datasets.DatasetDict(
            train=made.select(range(100)), validation=made.select(range(100, 150)),
            extra=made.select(range(150, 200)),
        )  # fmt: skip

    monkeypatch.setattr(datasets, "load_dataset", fake)
    data = "{hub: org/sums, config: easy, revision: v1, train: train, test: validation}"
    task = load(folder, BASE.replace("rows.jsonl", data))
    assert seen == [("org/sums", "easy", "v1")]
    assert len(task.test) == 50
    task = load(folder, BASE.replace("rows.jsonl", "{hub: org/sums}"))
    assert len(task.dev) == 50 and len(task.train) + len(task.test) == 100
    said = message(folder, BASE.replace("rows.jsonl", "{hub: org/sums, test: tst}"))
    assert "no split 'tst'; it has train, validation, extra" in said


def test_outputs_are_read_and_double_ids_refused(tmp_path: Path) -> None:
    path = write_rows(
        tmp_path / "o.jsonl", [{"id": 1, "output": " a "}, {"id": "2", "output": None}]
    )
    assert read_outputs(path) == {"1": "a", "2": ""}
    write_rows(path, [{"id": 1, "output": "a"}, {"id": "1", "output": "b"}])
    with pytest.raises(TaskError, match="row 2: id '1' was given in row 1 already"):
        read_outputs(path)
    write_rows(path, [{"id": 1, "answer": "a"}])
    with pytest.raises(TaskError, match="no field 'output'"):
        read_outputs(path)


def test_real_data_loads(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "dialogsum"
    task = load(
        tmp_path,
        f"data: {{dev: {folder}/dialogsum.dev.jsonl, test: {folder}/dialogsum.test.jsonl}}\n"
        "id: fname\ninput: dialogue\nmetrics: [rougeL]\n"
        "references: {dev: summary, test: [summary1, summary2, summary3]}\n",
    )
    assert (len(task.train), len(task.dev), len(task.test)) == (0, 500, 500)
    assert all(len(e.references) == 3 for e in task.test)


def test_loading_a_task_imports_no_torch() -> None:
    import subprocess

    code = (
        "import sys, stepladder.tasks; print({'torch', 'datasets', 'pyarrow'} & set(sys.modules))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "set()"
