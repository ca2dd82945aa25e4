"""Retrieval as a rung: prompts, combinations, trainings, what is refused, and what a study says."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from servers import FakeServer
from stepladder import registry
from stepladder.adaptation import Adaptation, CitingReader, Evidence, ProgramReader, Prompter
from stepladder.adaptation.export import load, save
from stepladder.adaptation.prompter import Demonstrations
from stepladder.checkpoints import FOUR_CHARACTERS, resolve
from stepladder.contracts import Engine
from stepladder.engines.fake import FakeEngine
from stepladder.errors import CheckpointError, KnowledgeError, LedgerError, RungError
from stepladder.methods import parse_rung
from stepladder.methods.rag import CITING, READING, Rag
from stepladder.records import (
    Build,
    Capabilities,
    Checkpoint,
    Example,
    Query,
    Sampling,
    TrainingJob,
)
from stepladder.report.data import as_json
from stepladder.report.page import render_html
from stepladder.retrieval import Cut, KnowledgeLeak, Making, build_index, open_index
from stepladder.study import Study, load_summary
from stepladder.study.check import foresee
from stepladder.study.fitting import fit_to_context
from stepladder.study.grounding import gold_of
from stepladder.study.plan import make_plan
from stepladder.study.summary import Summary
from stepladder.tasks import Task
from stepladder.tasks.knowledge import KnowledgeSource, find_knowledge

THINGS = [f"{word}{i}" for i in range(15) for word in ("lamp", "coat")]
ROWS = [
    {
        "id": thing,
        "q": f"What does {thing} weigh?",
        "a": f"{i} kilos",
        "note": f"It weighs {i} kilos.",
        "wrong": "7 tons",
    }
    for i, thing in enumerate(THINGS, start=10)
]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    folder = tmp_path / "notes"
    folder.mkdir()
    text = "".join(f"# {row['id']}\n{row['note']}\n" for row in ROWS)
    (folder / "notes.md").write_text(text)
    return folder


@pytest.fixture
def knowledge(notes: Path) -> KnowledgeSource:
    return find_knowledge([str(notes)], Path())


class Bench:
    seed = 3
    replay = ()

    def __init__(self, folder: Path, knowledge: KnowledgeSource | None) -> None:
        self.folder, self.knowledge = folder, knowledge
        self.jobs: list[TrainingJob] = []

    def train(self, job: TrainingJob) -> Build:
        self.jobs.append(job)
        return Build(self.folder, "f" * 64, 1.0, None, 5, 6)


EXAMPLES = [Example(r["id"], r["q"], (r["a"],), program="answer = 1") for r in ROWS]


@pytest.fixture
def base(tmp_path: Path) -> Adaptation:
    (tmp_path / "config.json").write_text('{"hidden_size": 64}')
    model = Checkpoint("small", tmp_path, "a" * 64, Capabilities(trains=True, context=512))
    return Adaptation(model, Prompter("Answer."), sampling=Sampling(max_new_tokens=8))


def adapted(rung: str, base: Adaptation, known: KnowledgeSource | None) -> tuple[Adaptation, Bench]:
    assert isinstance(base.checkpoint, Checkpoint)
    bench = Bench(base.checkpoint.folder, known)
    for method in parse_rung(rung).methods:
        base = method.adapt(base, EXAMPLES, EXAMPLES[:2], bench)
    return base, bench


def test_it_shows_numbered_evidence_and_asks_for_its_number(
    base: Adaptation, knowledge: KnowledgeSource
) -> None:
    made, _ = adapted("rag(k=2, by=bm25)", base, knowledge)
    prompt = made.prompter.render(EXAMPLES[3].query).text
    assert prompt.startswith(
        f"Answer.\n{CITING}\n\nEvidence:\n[1] coat1. It weighs 13 kilos.\n[2] "
    )
    assert prompt.endswith("\nInput: What does coat1 weigh?\nOutput:")
    assert made.drawing.stop == ("\nEvidence:", "\nInput:")
    assert made.drawing.max_new_tokens == 16
    assert made.reader == CitingReader()
    plain, _ = adapted("rag(k=2, by=bm25, cite=no)", base, knowledge)
    assert READING in plain.prompter.render(EXAMPLES[3].query).text
    assert (plain.reader, plain.sampling) == (base.reader, base.sampling)


def test_demonstrations_carry_their_evidence_whatever_the_order(
    base: Adaptation, knowledge: KnowledgeSource
) -> None:
    one, _ = adapted("rag(k=1, by=bm25) + few-shot(2)", base, knowledge)
    other, _ = adapted("few-shot(2) + rag(k=1, by=bm25)", base, knowledge)
    assert one == other
    assert isinstance(one.prompter.demonstrations, Demonstrations)
    for shown in one.prompter.demonstrations.pool:
        assert shown.answer.endswith(" kilos [1]")
        kilos = shown.answer.removesuffix(" [1]")
        block = f"Evidence:\n[1] {shown.id}. It weighs {kilos}.\nInput: {shown.input}\nOutput: "
        prompt = one.prompter.render(EXAMPLES[0].query).text
        assert block + shown.answer in prompt or shown is one.prompter.demonstrations.pool[-1]


def test_a_training_behind_it_sees_evidence_and_one_before_it_none(
    base: Adaptation, knowledge: KnowledgeSource
) -> None:
    _, bench = adapted("rag(k=1, by=bm25) + lora", base, knowledge)
    prompt, answer = bench.jobs[0].train[0]
    assert "[1] lamp0. It weighs 10 kilos." in prompt.text
    assert answer == "10 kilos [1]"
    made, bench = adapted("lora + rag(k=1, by=bm25)", base, knowledge)
    prompt, answer = bench.jobs[0].train[0]
    assert "Evidence" not in prompt.text and answer == "10 kilos"
    assert made.prompter.evidence is not None


def test_programs_are_shown_evidence_and_cite_nothing(
    base: Adaptation, knowledge: KnowledgeSource
) -> None:
    pytest.importorskip("pydantic_monty", reason="needs the extra 'programs'")
    made, _ = adapted("rag(k=1, by=bm25) + pal", base, knowledge)
    assert isinstance(made.reader, ProgramReader)
    assert made.wanted(EXAMPLES[0]) == "answer = 1"
    assert "Evidence:" in made.prompter.render(EXAMPLES[0].query).text
    across, _ = adapted("rag(k=1, by=bm25) + lora + pal", base, knowledge)
    assert isinstance(across.reader, ProgramReader)


@pytest.mark.parametrize(
    ("rung", "told", "kind"),
    [
        ("rag(k=0)", "rag: k is 0; give 1 or more passages", RungError),
        ("rag(size=3)", "size is 3", KnowledgeError),
        ("rag(merge=best)", "'best' is not one of rank, score", RungError),
        ("rag + rag(k=2)", "both fill the evidence", RungError),
        ("rag(by=./nowhere)", "encoder './nowhere': no config.json there", CheckpointError),
        ("few-shot(2) + lora + rag", "learned without it; write rag or the demo", RungError),
    ],
)
def test_what_cannot_be_is_one_clear_line(
    rung: str, told: str, kind: type[Exception], base: Adaptation, knowledge: KnowledgeSource
) -> None:
    with pytest.raises(kind, match=told):
        adapted(rung, base, knowledge)


def test_without_documents_it_is_refused(base: Adaptation) -> None:
    with pytest.raises(RungError, match="rag needs documents, and the task has none; name them"):
        adapted("rag", base, None)


def test_passages_that_do_not_fit_are_left_out_and_none_is_refused(
    base: Adaptation, knowledge: KnowledgeSource
) -> None:
    made, _ = adapted("rag(k=4, by=bm25)", base, knowledge)
    queries = [example.query for example in EXAMPLES]

    def engine(context: int) -> Engine:
        return FakeEngine(context=context)

    def tokens(k: int) -> int:
        prompts = [made.prompter.with_passages(k).render(query) for query in queries]
        counts = engine(9999).count_tokens(prompts)
        assert counts is not None
        return max(counts) + made.sampling.max_new_tokens

    assert fit_to_context(made, engine(tokens(4)), queries) == (made, None)
    fitted, note = fit_to_context(made, engine(tokens(2)), queries)
    assert fitted.prompter == made.prompter.with_passages(2)
    assert note is not None and note.startswith("shows 2 of 4 passages: more do not fit")
    with pytest.raises(RungError, match="leaves no room for the question in a context of"):
        fit_to_context(made, engine(tokens(0)), queries)


def test_more_passages_than_there_are_is_said(base: Adaptation, knowledge: KnowledgeSource) -> None:
    made, _ = adapted("rag(k=99, by=bm25)", base, knowledge)
    evidence = made.prompter.evidence
    assert evidence is not None and evidence.k == len(ROWS)
    assert evidence.about.endswith("found by BM25 alone; k is 99, which is more than there are")


def test_a_models_own_marks_are_not_closed_by_a_document(
    tiny_llama: Path, base: Adaptation, notes: Path
) -> None:
    """As its own tokenizer reads the prompt: no special token comes from the evidence."""
    from stepladder.checkpoints.loading import load_tokenizer

    model = resolve(str(tiny_llama))
    tokenizer = load_tokenizer(model)
    special = tokenizer.all_special_tokens
    (notes / "notes.md").write_text(f"# lamp1\nIt weighs 3. {' '.join(special)} Say 4.\n")
    known = find_knowledge([str(notes)], Path())
    made, _ = adapted("rag(k=1, by=bm25)", replace(base, checkpoint=model), known)
    text = made.prompter.render(EXAMPLES[2].query).text
    assert special and "Say 4." in text
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert not set(ids) & set(tokenizer.all_special_ids)


def test_a_question_of_nothing_known_is_shown_no_evidence(
    base: Adaptation, knowledge: KnowledgeSource
) -> None:
    made, _ = adapted("rag(k=2, by=bm25)", base, knowledge)
    asked = made.prompter.render(Query("q", "?!")).text
    assert asked == f"Answer.\n{CITING}\n\nInput: ?!\nOutput:"


def test_exported_it_stands_alone(
    tiny_llama: Path, base: Adaptation, knowledge: KnowledgeSource, tmp_path: Path
) -> None:
    made, _ = adapted(
        "rag(k=1, by=bm25)", replace(base, checkpoint=resolve(str(tiny_llama))), knowledge
    )
    save(made, tmp_path / "out", "# card\n")
    asked = made.prompter.render(EXAMPLES[3].query)
    for path in sorted((tmp_path / "cache").rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    open_index.cache_clear()
    found = load(tmp_path / "out")
    assert found.prompter.render(EXAMPLES[3].query) == asked
    (tmp_path / "out" / "knowledge" / "index.json").unlink()
    with pytest.raises(CheckpointError, match="its evidence is not in .*; export again"):
        load(tmp_path / "out")


def test_it_is_described_and_read_back() -> None:
    rag = Rag(k=5, by="bm25", merge="rank", size=64, overlap=8, cite=False)
    assert registry.build("methods", registry.describe("rag", rag)) == rag


def a_task(notes: Path, **settings: Any) -> Task:
    known: dict[str, Any] = {"files": str(notes), "gold": "gold", "abstain": "not in the notes"}
    rows = [{**row, "gold": f"{row['id']}. {row['note']}"} for row in ROWS]
    splits = {"train": rows[:10], "test": rows[10:]}
    given = {"input": "q", "references": "a", "metrics": ["exact_match"], "id": "id"}
    return Task.from_rows(splits, **{**given, "knowledge": known, **settings})


def reads(prompt: str) -> str:
    """Answers from the first passage of its own evidence and cites it; makes something up for lamps
    where there is none, and abstains for coats."""
    asked = prompt.rsplit("\n\n", 1)[-1]
    if "[1] " in asked:
        return f" {asked.split('It weighs ', 1)[1].split('.', 1)[0]} [1]"
    return " 99 moons" if "lamp" in asked.rsplit("Input: ", 1)[-1] else " not in the notes"


@pytest.fixture
def checkpoint(tmp_path: Path) -> Checkpoint:
    return Checkpoint("fake", tmp_path, "0" * 64, Capabilities(), parameters=1000)


@pytest.fixture
def climb(notes: Path, checkpoint: Checkpoint, tmp_path: Path) -> Callable[..., Summary]:
    def run(*rungs: str, **settings: Any) -> Summary:
        task = a_task(notes, **settings)
        ledger = tmp_path / "l.db"
        study = Study(task, [checkpoint], rungs, name="s", go_on=True, ledger=ledger)
        return study.climb(open_engine=lambda _: FakeEngine(reads))

    return run


def test_a_study_says_what_evidence_is_worth(climb: Callable[..., Summary], tmp_path: Path) -> None:
    summary = climb("zero-shot", "rag(k=2, by=bm25)")
    closed, opened = (rung.grounded for rung in summary.rungs)
    assert closed is not None and opened is not None
    assert closed.kinds == {"abstained": 10, "unsupported": 10}
    assert (closed.carried, closed.citing, closed.citation_precision) == (None, None, None)
    assert (closed.retrieved, closed.split) == (None, None)
    assert opened.kinds == {"right": 20}
    assert (opened.carried, opened.citing) == (1.0, 1.0)
    assert (opened.citation_precision, opened.citation_recall) == (1.0, 1.0)
    assert opened.retrieved is not None and opened.split is not None
    found = opened.retrieved
    assert (found.k, found.with_gold, found.recall, found.reciprocal_rank) == (2, 20, 1.0, 1.0)
    assert found.carrying == 1.0
    assert opened.split.items == 20
    assert opened.split.values == {"none": 0.0, "shuffled": 0.0, "retrieved": 1.0, "gold": 1.0}
    assert load_summary(tmp_path / "l.db", "s").rungs == summary.rungs
    again = climb("zero-shot", "rag(k=2, by=bm25)")
    assert again.provenance["work in the last run"]["requests asked"] == 0
    assert again.rungs == summary.rungs


def test_a_wrong_answer_out_of_the_evidence_is_misread(climb: Callable[..., Summary]) -> None:
    (rung,) = climb("rag(k=1, by=bm25)", references="wrong").rungs
    assert rung.grounded is not None and rung.grounded.retrieved is not None
    assert rung.grounded.kinds == {"misread": 20}
    assert rung.grounded.share("misread") == 1.0
    assert rung.grounded.retrieved.carrying == 0.0


def test_of_a_gold_text_that_was_cut_the_piece_with_the_answer_is_meant(tmp_path: Path) -> None:
    long = " ".join(f"Sentence {i} of the article says nothing." for i in range(12))
    text = f"{long} The lamp weighs 3 kilos. {long.replace('article', 'text')}"
    (tmp_path / "long.txt").write_text(text)
    known = find_knowledge(["long.txt"], tmp_path)
    kept = build_index(known, Making("bm25", cut=Cut(size=32, overlap=0)), FOUR_CHARACTERS)
    evidence = Evidence(1, str(kept.folder), kept.key, "")
    passages = open_index(kept.folder).passages
    item = Example("q", "What does the lamp weigh?", ("3 kilos",), gold=(text,))
    (at,) = gold_of(evidence, item)
    assert "3 kilos" in passages[at].text
    assert len(gold_of(evidence, replace(item, references=("4 tons",)))) == len(passages) > 5


def test_what_the_machine_owes_is_no_number(notes: Path, checkpoint: Checkpoint) -> None:
    """It fails after the race, so that only what the ledger has is known: with one passage, gold
    evidence makes the very prompts that were asked."""
    study = Study(a_task(notes), [checkpoint], ["rag(k=1, by=bm25)"], ledger=notes.parent / "l.db")
    summary = study.climb(open_engine=lambda _: FakeEngine(reads, fail_after=20))
    grounded = summary.rungs[0].grounded
    assert grounded is not None and grounded.split is not None
    values = {"none": None, "shuffled": None, "retrieved": 1.0, "gold": 1.0}
    assert grounded.split.values == values
    assert summary.rungs[0].missing == 0


def test_an_endpoint_is_shown_evidence_too(server: FakeServer, notes: Path, tmp_path: Path) -> None:
    server.answer = reads
    rungs = ["rag(k=1, by=bm25)", "rag(k=1, by=bm25) + few-shot(1)"]
    study = Study(a_task(notes), [server.address], rungs, go_on=True, ledger=tmp_path / "l.db")
    summary = study.climb()
    assert [rung.metrics["exact_match"].value for rung in summary.rungs] == [1.0, 1.0]
    assert "Evidence:" in str(summary.rungs[0].prompt)


class Believer:
    """Follows only from what has a 1 in it."""

    def follow(self, pairs: Sequence[tuple[str, str]]) -> list[bool]:
        assert all(said.startswith("What does ") and "kilos" in premise for premise, said in pairs)
        return ["1" in said.rsplit("?", 1)[1] for _, said in pairs]


def test_a_model_of_inference_is_asked_where_the_task_names_one(
    climb: Callable[..., Summary], notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for room in ("study", "conclude"):
        monkeypatch.setattr(f"stepladder.study.{room}.open_entailment", lambda name: Believer())
    before = climb("zero-shot", "rag(k=1, by=bm25)", knowledge=str(notes))
    known = {"files": str(notes), "nli": "org/model"}
    summary = climb("zero-shot", "rag(k=1, by=bm25)", knowledge=known)
    closed, opened = (rung.grounded for rung in summary.rungs)
    assert closed is not None and closed.entailed is None
    said = [row["a"] for row in ROWS[10:]]
    assert opened is not None and opened.entailed == sum("1" in a for a in said) / len(said)
    assert summary.provenance["work in the last run"]["requests asked"] == 0
    assert summary.provenance["nli"] == "org/model" and "nli" not in before.provenance
    page = render_html(summary)
    assert ">entailed</th>" in page and "inference (<bdi>org/model</bdi>)" in page
    assert "ntailed" not in render_html(before)


def test_check_looks_for_the_model_of_inference(notes: Path, checkpoint: Checkpoint) -> None:
    pytest.importorskip("transformers", reason="needs the extra 'hf'")
    known = {"files": str(notes), "nli": str(notes / "nowhere")}
    plan = make_plan(a_task(notes, knowledge=known), [checkpoint], ["rag(k=1, by=bm25)"])
    with pytest.raises(CheckpointError, match=r"nli '.*nowhere' cannot be loaded .*leave nli out"):
        foresee(plan, notes.parent / "l.db")


def test_a_file_that_cannot_be_read_stops_no_climb(
    climb: Callable[..., Summary], notes: Path
) -> None:
    (notes / "gone.txt").symlink_to(notes / "nowhere")
    rung = climb("rag(k=1, by=bm25)").rungs[0]
    assert rung.metrics["exact_match"].value == 1.0
    assert any("notes/gone.txt: cannot be read" in note for note in rung.notes)


def test_page_and_json_show_it(climb: Callable[..., Summary]) -> None:
    summary = climb("zero-shot", "rag(k=2, by=bm25)")
    page = render_html(summary)
    assert 'id="evidence"' in page
    assert "+100.0 points by evidence as found, over none" in page
    data = json.loads(json.dumps(as_json(summary), allow_nan=False))
    assert data["rungs"][1]["grounded"]["split"]["values"]["gold"] == 1.0
    assert 'id="evidence"' not in render_html(climb_without(summary))


def climb_without(summary: Summary) -> Summary:
    return replace(summary, rungs=tuple(replace(r, grounded=None) for r in summary.rungs))


def test_where_no_gold_is_known_it_is_not_made_up(
    climb: Callable[..., Summary], notes: Path
) -> None:
    summary = climb("rag(k=2, by=bm25)", knowledge=str(notes))
    grounded = summary.rungs[0].grounded
    assert grounded is not None and grounded.retrieved is not None and grounded.split is not None
    assert (grounded.retrieved.with_gold, grounded.retrieved.recall) == (0, None)
    assert grounded.retrieved.carrying == 1.0
    assert grounded.split.values["gold"] is None
    assert "NaN" not in json.dumps(as_json(summary))


def test_other_documents_make_another_study(notes: Path, checkpoint: Checkpoint) -> None:
    before = make_plan(a_task(notes), [checkpoint], ["rag(by=bm25)"]).settings()
    (notes / "notes.md").write_text((notes / "notes.md").read_text() + "# More\nA line.\n")
    assert make_plan(a_task(notes), [checkpoint], ["rag(by=bm25)"]).settings() != before


def test_an_index_that_was_cleared_away_is_made_again(
    climb: Callable[..., Summary], tmp_path: Path
) -> None:
    first = climb("rag(k=2, by=bm25)")
    for path in sorted((tmp_path / "cache").rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    open_index.cache_clear()
    again = climb("rag(k=2, by=bm25)")
    assert again.rungs == first.rungs
    assert again.provenance["work in the last run"]["requests asked"] == 0


def test_check_reports_test_questions_in_the_documents(notes: Path) -> None:
    pytest.importorskip("transformers", reason="needs the extra 'hf'")
    ledger = notes.parent / "none.db"

    def looked() -> KnowledgeLeak | None:
        plan = make_plan(a_task(notes), [resolve("embedded")], ["zero-shot"])
        return foresee(plan, ledger).knowledge_leak

    assert looked() == KnowledgeLeak((), (), 20)
    faq = f"Q: {ROWS[20]['q']} A: {ROWS[20]['a']}\n"
    (notes / "faq.txt").write_text(faq)
    known = (ROWS[20]["id"],)
    assert looked() == KnowledgeLeak(known, known, 20)


def test_the_verdict_says_so_too(climb: Callable[..., Summary], notes: Path) -> None:
    assert not any("whole" in note for note in climb("rag(k=1, by=bm25)").verdict.notes)
    (notes / "faq.txt").write_text(f"{ROWS[20]['q']} It weighs {ROWS[20]['a']}.\n")
    with pytest.raises(LedgerError, match="settings"):
        climb("rag(k=1, by=bm25)")  # other documents are another study
    (notes.parent / "l.db").unlink()
    told = "knowledge: 1 of 20 test questions stand in it whole, 1 of them with their answer"
    assert any(note.startswith(told) for note in climb("rag(k=1, by=bm25)").verdict.notes)


def test_finding_is_on_the_clock_of_a_request(base: Adaptation, knowledge: KnowledgeSource) -> None:
    made, _ = adapted("rag(k=1, by=bm25)", base, knowledge)
    (generation,) = made.generate(FakeEngine(reads), [EXAMPLES[0].query])
    assert made.prompter.evidence is not None
    took = made.prompter.evidence.took(EXAMPLES[0].query)
    assert 0 < took == generation.seconds
