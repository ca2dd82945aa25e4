"""The recipe of the embedded model, the weights that it made, and the sample tasks beside them."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from random import Random

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

tokenizers = pytest.importorskip("tokenizers")
pytest.importorskip("torch")

from recipes.embedded import general, samples  # noqa: E402
from recipes.embedded.episodes import (  # noqa: E402
    MAX_TOKENS,
    data_hash,
    draw_pieces,
    encode_row,
    header,
    pieces,
    prompt,
    rows_of_step,
)
from recipes.embedded.families import LAST, LATER, LATER_STILL, LATEST, numbers  # noqa: E402
from recipes.embedded.families.numbers import bill, in_one_line, part, problem  # noqa: E402
from recipes.embedded.form import Item  # noqa: E402
from recipes.embedded.samples import inbox_labels  # noqa: E402

from stepladder.sandbox import run  # noqa: E402

MODEL = ROOT / "src/stepladder/checkpoints/embedded"
SAMPLES = ROOT / "src/stepladder/samples"
#: What makes each sample's form its own; no training text may hold any of it.
HELD_OUT = {
    # number, "Surname, Name", and a fault in brackets
    "support-notes": r"#(\d{4}|\?) \w+, \w+ > .+ \(.+\) > |order number|number of the order",
    "till-sums": r"coupon|deposit|the till|pays with|hands over|share the bill|goods = |\beach = ",
    "inbox-labels": r"Output: (north|south|east|west)\b|hear more on|the sign beside|shown the",
    "phrasebook": r"[Cc]ould I have|Kan jag få|[Vv]ad kostar|letar efter|[Hh]ar ni"
    r"|I (morgon|dag|kväll)|Snart|handduk|frimärke|vykort|filt\b|kvitto|\bljus|plåst|resväsk",
    "shop-questions": r"guarantee|made of|make it of|workshop|deliver|in the store|\bon shelf\b"
    r"|How heavy|What does the \w+ \w+ weigh",
}


@pytest.fixture(scope="module")
def encoder() -> tokenizers.Tokenizer:
    """The tokenizer that is shipped."""
    return tokenizers.Tokenizer.from_file(str(MODEL / "tokenizer.json"))


@pytest.fixture(scope="module")
def training_texts() -> list[str]:
    """Some rows of training text, as the training draws them at its beginning and at its end."""
    rng = Random("1/0")
    steps = [step for step in (0, LATER, LATER_STILL, LATEST, LAST) for _ in range(1500)]
    return ["".join(piece.text for piece in draw_pieces(rng, step)) for step in steps]


def _sample(name: str, split: str) -> list[dict[str, str]]:
    lines = (SAMPLES / name / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize("name", samples.NAMES)
def test_training_text_holds_nothing_of_a_sample_s_form(
    name: str, training_texts: list[str]
) -> None:
    form = re.compile(HELD_OUT[name])
    found = [match[0] for text in training_texts if (match := form.search(text))]
    assert not found
    rows = [row for split in samples.SIZES for row in _sample(name, split)]
    shown = ["Input: {}\nOutput: {}".format(*list(row.values())[1:]) + str(row) for row in rows]
    of_the_form = sum(bool(form.search(text)) for text in shown)
    assert of_the_form > 0.95 * len(shown)  # the pattern does describe the sample


@pytest.mark.parametrize("name", samples.NAMES)
def test_training_text_holds_no_input_of_a_sample(name: str, training_texts: list[str]) -> None:
    everything = "\n".join(training_texts)
    for split in samples.SIZES:
        for row in _sample(name, split):
            assert list(row.values())[1] not in everything


def test_label_words_are_outputs_of_the_training_somewhere() -> None:
    """They are copied in rows of scraps and written in stories, as labels never."""
    rng = Random(8)
    written = [p.text for _ in range(6000) for p in draw_pieces(rng) if p.is_answer]
    for label in inbox_labels.LABELS:
        assert any(re.search(rf"\b{label}\b", text) for text in written)


def test_training_text_has_the_forms_that_are_promised(training_texts: list[str]) -> None:
    everything = "\n\n".join(training_texts)
    assert "Answer with one of: " in everything
    assert "Evidence:\n[1] " in everything
    assert "not in the text" in everything
    assert any(text.startswith("Input: ") for text in training_texts)
    assert any(text.count("\nOutput:") > 8 for text in training_texts)


@pytest.mark.parametrize("name", samples.NAMES)
def test_sample_files_are_what_the_generator_makes(name: str) -> None:
    inputs = []
    for split, rows in samples.rows(name).items():
        assert rows == _sample(name, split)
        assert len(rows) == samples.SIZES[split]
        inputs += [row for row in rows]
    assert len({tuple(row.values())[1] for row in inputs}) == len(inputs)


def test_the_guard_set_is_what_the_generator_makes(tmp_path: Path) -> None:
    general.write(tmp_path)
    shipped = ROOT / "src/stepladder/general"
    made = [file for file in sorted(tmp_path.rglob("*")) if file.is_file()]
    assert len(made) == 2 * len(general.NAMES) + 1
    for file in made:
        assert file.read_bytes() == (shipped / file.relative_to(tmp_path)).read_bytes()


@pytest.mark.parametrize("name", samples.NAMES)
def test_the_guard_set_holds_nothing_of_a_sample_s_form(name: str) -> None:
    rows = [row for task in general.NAMES for split in general.rows(task).values() for row in split]
    texts = ["Input: {}\nOutput: {}".format(*list(row.values())[1:]) for row in rows]
    assert not re.search(HELD_OUT[name], "\n\n".join([*texts, general.text()]))


def test_the_text_of_the_guard_set_is_held_out(training_texts: list[str]) -> None:
    """Lists of words may come again; no paragraph does."""
    everything = "\n".join(training_texts)
    paragraphs = [part for part in general.text().split("\n\n") if len(part) > 150]
    assert len(paragraphs) > 30
    assert not [part for part in paragraphs if part in everything]


def test_every_answer_of_the_shop_stands_in_its_notes() -> None:
    notes = {
        file.name: file.read_text(encoding="utf-8")
        for file in (SAMPLES / "shop-questions/notes").glob("*.md")
    }
    assert notes == samples.notes()
    shelves = "\n".join(notes.values())
    by_split = {}
    for split in samples.SIZES:
        rows = _sample("shop-questions", split)
        by_split[split] = {row["note"].partition(".")[0] for row in rows}
        for row in rows:
            heading, _, body = row["note"].partition(". ")
            assert f"## {heading}\n\n{body}\n" in shelves
            assert row["answer"] in body
    assert not by_split["test"] & (by_split["train"] | by_split["dev"])


def test_every_program_of_the_till_comes_to_its_answer() -> None:
    for split in samples.SIZES:
        for row in _sample("till-sums", split):
            assert run(row["program"]).answer == row["answer"]
            assert int(row["answer"]) >= 0


def test_programs_of_the_training_come_to_the_answers_of_the_training() -> None:
    rng = Random(4)
    for _ in range(300):
        drawn = problem(rng, 2)
        assert run(in_one_line(drawn)).answer == str(drawn.answer)
        for sum_ in (bill(rng), part(rng)):
            names = ("a", "b")
            steps = [f"{n} = {step}" for n, step in zip(names, sum_.parts[:-1], strict=False)]
            steps.append(f"answer = {sum_.parts[-1].format(*names)}")
            whole = run(f"answer = {sum_.expression}").answer
            assert run("\n".join(steps)).answer == whole != ""


def test_names_of_programs_are_drawn_and_the_programs_run() -> None:
    """No list of names can be learned, and a name of two lines is the same in both."""
    rng, first_names = Random(5), []
    for draw in (numbers.draw_named, numbers.draw_patterns):
        for _ in range(200):
            item = draw(rng).make(rng)
            first_names.append(item.answer.partition(" = ")[0])
            assert run(item.answer).answer.lstrip("-").isdigit()
    assert len(set(first_names)) > 150


def test_same_seed_same_data() -> None:
    assert data_hash(1, 200) == data_hash(1, 200)
    assert data_hash(1, 200) != data_hash(2, 200)


def test_prompt_is_the_prompter_s_form() -> None:
    items = [Item("a b", "a"), Item("c d", "c")]
    text = prompt(header("Write the first word.", ("a", "c")), items)
    assert text == (
        "Write the first word.\nAnswer with one of: a, c.\n\n"
        "Input: a b\nOutput: a\n\nInput: c d\nOutput:"
    )
    assert prompt(header(None, ()), items[:1]) == "Input: a b\nOutput:"
    noted = Item("a b", "a", ("note one", "note two"))
    assert prompt("", [noted]) == "Evidence:\n[1] note one\n[2] note two\nInput: a b\nOutput:"


def test_every_answer_is_learned_and_followed_by_the_end(encoder: tokenizers.Tokenizer) -> None:
    parts = pieces(header("Copy.", ()), [Item("lamp", "lamp"), Item("dog", "dog")])
    row = encode_row(parts, lambda text: encoder.encode(text).ids, 0)
    learned = [target for target, w in zip(row.targets, row.weights, strict=True) if w == 1.0]
    wanted = [*encoder.encode(" lamp").ids, 0, *encoder.encode(" dog").ids, 0]
    assert learned == wanted


def test_parts_encode_as_the_whole_does(
    encoder: tokenizers.Tokenizer, training_texts: list[str]
) -> None:
    rng = Random(3)
    for _ in range(200):
        parts = draw_pieces(rng)
        apart = [i for part in parts for i in encoder.encode(part.text).ids]
        assert apart == encoder.encode("".join(part.text for part in parts)).ids


def test_positions_up_to_the_context_s_end_are_trained(encoder: tokenizers.Tokenizer) -> None:
    lengths = [
        len(row.ids)
        for step in range(40)
        for row in rows_of_step(1, step, 4096, lambda text: encoder.encode(text).ids, 0)
    ]
    assert max(lengths) > 0.95 * MAX_TOKENS
    assert max(lengths) <= MAX_TOKENS


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "åäö ÅÄÖ",
        "\x00\x01\x7f",
        "日本語 🙂 e\u0301",
        "a\r\n\tb  c\u2028\u200d",
        "1234 5,6",
    ],
)
def test_tokenizer_round_trips(encoder: tokenizers.Tokenizer, text: str) -> None:
    assert encoder.decode(encoder.encode(text).ids) == text


def test_tokenizer_round_trips_any_text(encoder: tokenizers.Tokenizer) -> None:
    hypothesis = pytest.importorskip("hypothesis")

    @hypothesis.settings(max_examples=150, deadline=None)
    @hypothesis.given(hypothesis.strategies.text())
    def check(text: str) -> None:
        hypothesis.assume("<|" not in text)
        assert encoder.decode(encoder.encode(text).ids) == text

    check()


def test_digits_stand_alone(encoder: tokenizers.Tokenizer) -> None:
    assert not [token for token in encoder.get_vocab() if re.search(r"\d.|.\d", token)]


def test_weights_are_small_and_load() -> None:
    transformers = pytest.importorskip("transformers")
    assert (MODEL / "model.safetensors").stat().st_size <= 12_000_000
    model = transformers.AutoModelForCausalLM.from_pretrained(MODEL)
    tokenizer = transformers.AutoTokenizer.from_pretrained(MODEL)
    assert model.config.model_type == "llama"
    assert model.num_parameters() <= 5_000_000
    assert model.config.max_position_embeddings >= 1024
    assert tokenizer.model_max_length == 1024
    assert model.config.eos_token_id == tokenizer.eos_token_id
    assert model.config.pad_token_id == tokenizer.pad_token_id
    assert tokenizer.chat_template is None


def test_resume_is_exact(tmp_path: Path, encoder: tokenizers.Tokenizer) -> None:
    torch = pytest.importorskip("torch")
    from recipes.embedded.train import Run, Settings

    settings = Settings(hidden=32, layers=1, heads=1, feed_forward=32, tokens_per_step=64)
    for name in ("once", "twice"):
        (tmp_path / name).mkdir()
        encoder.save(str(tmp_path / name / "tokenizer.json"))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # a minute model only waits for a second thread
    once, twice = Run.open(tmp_path / "once", settings), Run.open(tmp_path / "twice", settings)
    for _ in range(3):
        once.advance()
    twice.advance()
    twice.save()
    resumed = Run.open(tmp_path / "twice", settings)
    for _ in range(2):
        resumed.advance()
    torch.set_num_threads(threads)
    assert (resumed.step, resumed.tokens) == (once.step, once.tokens)
    for name, weights in once.model.state_dict().items():
        assert torch.equal(weights, resumed.model.state_dict()[name]), name
    for name, weights in once.average.state_dict().items():
        assert torch.equal(weights, resumed.average.state_dict()[name]), name
