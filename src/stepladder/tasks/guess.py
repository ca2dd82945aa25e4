"""A first task file, guessed from the columns of some data: `stepladder init`.

    text = guess_task(Path("dialogsum/"), Path("task.yaml"))

Known names come first (dialogue, question, en; summary, answer, sv), shapes second (the longest
text is the input, few distinct values are labels). Every guess is written with its reason as a
comment, since the user, not this module, knows what the task is.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stepladder.errors import TaskError
from stepladder.tasks.files import SUFFIXES, Source, read_source
from stepladder.tasks.hub import SPLIT_NAMES
from stepladder.tasks.splits import SPLITS

_INPUTS = (
    "dialogue dialog conversation question problem source src document article text sentence "
    "passage review content body prompt input query title"
).split()
_REFERENCES = (
    "summary highlights abstract answer answers target targets tgt translation reference "
    "references output outputs response completion solution label labels category class "
    "sentiment intent"
).split()
_CONTEXTS = ("context", "passage", "paragraph")
_IDS = ("id", "fname", "guid", "uid", "uuid", "qid", "key", "idx")
_LANGUAGES = {
    "ar": "Arabic", "cs": "Czech", "da": "Danish", "de": "German", "el": "Greek", "en": "English",
    "es": "Spanish", "fi": "Finnish", "fr": "French", "hi": "Hindi", "hu": "Hungarian",
    "is": "Icelandic", "it": "Italian", "ja": "Japanese", "ko": "Korean", "nl": "Dutch",
    "no": "Norwegian", "pl": "Polish", "pt": "Portuguese", "ro": "Romanian", "ru": "Russian",
    "sv": "Swedish", "tr": "Turkish", "uk": "Ukrainian", "vi": "Vietnamese", "zh": "Chinese",
}  # fmt: skip
_MOST_LABELS = 20
_ROWS_A_LABEL = 5
_LONGEST_LABEL = 40
_NUMBER = re.compile(r"[-+]?\d[\d,]*(?:\.\d+)?")


@dataclass(frozen=True)
class _Guess:
    """A value and why it was chosen."""

    value: str
    reason: str


@dataclass(frozen=True)
class _Grading:
    """What the shape of the references says."""

    metrics: tuple[str, ...]
    reason: str
    labels: tuple[str, ...] = ()


def find_files(data: Path) -> dict[str, Path]:
    """The files of a folder by split, or one file as `all`.

    Raises TaskError where a folder's files do not say which split they are.
    """
    if not data.is_dir():
        return {"all": data}
    files = sorted(
        f for f in data.iterdir() if f.name.lower().removesuffix(".gz").endswith(SUFFIXES)
    )
    found: dict[str, Path] = {}
    for split in SPLITS:
        named = [
            f for f in files if set(re.split(r"[\W_]+", f.stem.lower())) & set(SPLIT_NAMES[split])
        ]
        if len(named) > 1:
            raise TaskError(
                f"{data}: {named[0].name} and {named[1].name} both look like {split}; name one file"
            )
        if named:
            found[split] = named[0]
    if found:
        return found
    if len(files) == 1:
        return {"all": files[0]}
    raise TaskError(
        f"{data}: no file is named train, dev (valid, validation) or test; name one file"
        if files
        else f"{data}: holds no file that ends in {', '.join(SUFFIXES)} (.gz may follow)"
    )


def guess_task(data: Path, out: Path | None) -> str:
    """The text of a commented task file for `data`, with paths relative to where `out` will be
    (the working directory without one). Raises TaskError where the data cannot be read."""
    files = find_files(data)
    sources = {split: read_source(file, str(file)) for split, file in files.items()}
    folder = (out.parent if out else Path()).resolve()
    paths = {s: Path(os.path.relpath(f.resolve(), folder)).as_posix() for s, f in files.items()}
    first = sources.get("train") or next(iter(sources.values()))
    references, input_ = _guess_fields(first)
    by_split = {
        split: _reference_fields(source, references.value) for split, source in sources.items()
    }
    answers = [
        answer
        for split, source in sources.items()
        for row in source.rows
        for name in by_split[split]
        for answer in _texts(row.fields.get(name))
    ]
    several = any(len(_texts(row.fields.get(references.value))) > 1 for row in first.rows)
    grading = _grading(answers, _languages(first), several)
    lines = [
        "# Written by `stepladder init` from the columns of the data. What is marked as a guess is",
        "# one: read it, and change what is wrong. Try it with: stepladder check TASK",
        f"name: {_scalar(_name(data))}",
        f"data: {_data(paths)}",
        *_id_line(sources, {references.value}),
        f"input: {_scalar(input_.value)}  # a guess: {input_.reason}",
        f"references: {_references(by_split)}  # a guess: {references.reason}",
        f"instruction: {_scalar(_instruction(first, references, grading))}  # a guess",
    ]
    if grading.labels:
        lines.append(f"labels: {_list(grading.labels)}  # a guess: every value that the data have")
    lines += [
        f"metrics: {_list(grading.metrics)}  # a guess: {grading.reason}; the first one decides",
        "# What is good enough, where that is known:",
        f"# target: {{metric: {grading.metrics[0]}, at_least: ...}}",
        f"sampling: {{max_new_tokens: {_max_new_tokens(answers)}}}  # a guess: from references",
        "# sample: {train: 1000, test: 200}  # for a quick first look",
        "# group: FIELD  # rows of one group (a document, a person) are not independent",
        "seed: 0",
        'rungs: [zero-shot, one-shot, "few-shot(3, nearest=bm25)", lora, full]',
    ]
    return "\n".join(lines) + "\n"


def _guess_fields(source: Source) -> tuple[_Guess, _Guess]:
    """The references' field and the input."""
    columns = [c for c in source.columns if _mean_length(source, c) > 0]
    pair = _languages(source)
    if pair is not None:
        reason = "the columns {} and {} are named after languages".format(*pair)
        return _Guess(pair[1], reason), _Guess(pair[0], reason)
    if len(columns) < 2:
        raise TaskError(
            f"{source.name}: an input and a reference need two fields, it has "
            f"{', '.join(source.columns)}"
        )
    reference = _known(columns, _REFERENCES) or _known([_stem(c) for c in columns], _REFERENCES)
    rest = [c for c in columns if c != reference and _stem(c) != reference]
    context = next((c for c in rest if c.lower() in _CONTEXTS), None)
    question = next((c for c in rest if c.lower() == "question"), None)
    if context and question:
        chosen = _Guess(f"{{{context}}}\n\n{{{question}}}", "a text and a question about it")
    elif known := _known(rest, _INPUTS):
        chosen = _Guess(known, "by its name")
    else:
        longest = max(_varied(source, rest), key=lambda c: _mean_length(source, c))
        chosen = _Guess(longest, "the longest text")
    if reference is not None:
        return _Guess(reference, "by its name"), chosen
    left = [c for c in rest if c != chosen.value and c.lower() not in _IDS] or rest
    left = _varied(source, left)
    few = min(left, key=lambda c: len(_distinct(source, c)))
    if len(_distinct(source, few)) <= min(_MOST_LABELS, len(source.rows) // 2):
        return _Guess(few, "it has the fewest different values"), chosen
    longest = max(left, key=lambda c: _mean_length(source, c))
    return _Guess(longest, "the longest text besides the input"), chosen


def _varied(source: Source, columns: Sequence[str]) -> list[str]:
    """The columns with more than one value, where there are any: one alone teaches nothing."""
    return [c for c in columns if len(_distinct(source, c)) > 1] or list(columns)


def _known(columns: Sequence[str], names: Sequence[str]) -> str | None:
    """The column whose name stands first among `names`."""
    lower = {column.lower(): column for column in reversed(columns)}
    return next((lower[name] for name in names if name in lower), None)


def _stem(column: str) -> str:
    """`summary` for `summary1` and `summary_2`."""
    return re.sub(r"[_-]?\d+$", "", column)


def _reference_fields(source: Source, reference: str) -> tuple[str, ...]:
    """The field itself, or its numbered forms where the source has those instead."""
    numbered = tuple(c for c in source.columns if c != reference and _stem(c) == reference)
    return (reference,) if reference in source.columns or not numbered else numbered


def _languages(source: Source) -> tuple[str, str] | None:
    coded = [c for c in source.columns if c.lower().split("_")[0].split("-")[0] in _LANGUAGES]
    return (coded[0], coded[1]) if len(coded) == 2 else None


def _grading(answers: Sequence[str], languages: tuple[str, str] | None, several: bool) -> _Grading:
    if languages:
        return _Grading(("bleu", "chrf"), "a translation")
    distinct = sorted(set(answers))
    numeric = all(_NUMBER.fullmatch(a) for a in distinct)
    few = len(distinct) <= (3 if numeric else _MOST_LABELS)
    if (
        1 < len(distinct)
        and few
        and not several
        and len(answers) >= _ROWS_A_LABEL * len(distinct)
        and max(map(len, distinct)) <= _LONGEST_LABEL
    ):
        reason = f"{len(distinct)} different references"
        return _Grading(("accuracy", "macro_f1"), reason, tuple(distinct))
    ending = sum(bool(re.search(rf"(?:^|\s){_NUMBER.pattern}\.?$", a)) for a in answers)
    if answers and ending >= 0.95 * len(answers):
        return _Grading(("number",), "references are numbers or end with one")
    words = sum(len(a.split()) for a in answers) / max(1, len(answers))
    if words <= 4:
        return _Grading(
            ("exact_match", "token_f1"), f"references have {words:.1f} words on average"
        )
    return _Grading(("rougeL", "rouge1", "rouge2"), f"references have {words:.0f} words on average")


def _id_line(sources: Mapping[str, Source], taken: set[str]) -> list[str]:
    """A field named like an id whose values differ over all rows of all splits."""
    first = next(iter(sources.values()))
    for column in first.columns:
        name = column.lower()
        if column in taken or not (name in _IDS or name.endswith(("_id", "-id"))):
            continue
        values = [row.fields.get(column) for source in sources.values() for row in source.rows]
        plain = all(isinstance(v, str | int) and str(v).strip() for v in values)
        if plain and len({str(v) for v in values}) == len(values):
            return [f"id: {_scalar(column)}  # a guess: its name, and its values all differ"]
    return ["# id: FIELD  # no field looks like one: ids are made from the content"]


def _instruction(source: Source, references: _Guess, grading: _Grading) -> str:
    written = _distinct(source, "instruction")
    if len(written) == 1:
        return next(iter(written))
    pair = _languages(source)
    if pair:
        first, second = (_LANGUAGES[c.lower().split("_")[0].split("-")[0]] for c in pair)
        return f"Translate from {first} to {second}."
    if grading.labels:
        return f"Give the {references.value} of the following text."
    if grading.metrics == ("number",):
        return "Solve the following problem and end with the number asked for."
    if _stem(references.value).lower() in ("summary", "highlights", "abstract"):
        return "Summarize the following text."
    return f"Give the {references.value} for the following input."


def _max_new_tokens(answers: Sequence[str]) -> int:
    """Tokens for 99 of 100 references: about three characters each, rounded up to eights."""
    lengths = sorted(len(a) for a in answers) or [0]
    longest = lengths[min(len(lengths) - 1, math.floor(0.99 * len(lengths)))]
    return max(8, 8 * math.ceil(longest / 3 / 8))


def _texts(value: object) -> list[str]:
    """A cell's texts: of a list each of its items, nothing for null."""
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    if value is None or isinstance(value, dict) or not str(value).strip():
        return []
    if isinstance(value, float) and value.is_integer():
        return [str(int(value))]
    return [str(value).lower() if isinstance(value, bool) else str(value).strip()]


def _distinct(source: Source, column: str) -> set[str]:
    return {text for row in source.rows for text in _texts(row.fields.get(column))}


def _mean_length(source: Source, column: str) -> float:
    lengths = [len(t) for row in source.rows for t in _texts(row.fields.get(column))]
    return sum(lengths) / len(source.rows)


def _name(data: Path) -> str:
    name = data.resolve().name
    return name if data.is_dir() else name.split(".")[0]


def _data(paths: Mapping[str, str]) -> str:
    if "all" in paths:
        return f"{_scalar(paths['all'])}  # one file: dev and test are made from it"
    return "{" + ", ".join(f"{split}: {_scalar(path)}" for split, path in paths.items()) + "}"


def _references(by_split: Mapping[str, tuple[str, ...]]) -> str:
    def shown(names: tuple[str, ...]) -> str:
        return _scalar(names[0]) if len(names) == 1 else _list(names)

    if len(set(by_split.values())) == 1:
        return shown(next(iter(by_split.values())))
    return "{" + ", ".join(f"{split}: {shown(names)}" for split, names in by_split.items()) + "}"


def _list(values: Sequence[str]) -> str:
    return "[" + ", ".join(map(_scalar, values)) + "]"


def _scalar(text: str) -> str:
    """A YAML scalar: bare where that is safe, else in JSON's quotes, which YAML reads alike."""
    bare = re.fullmatch(r"[A-Za-z_][\w./-]*", text, re.ASCII)
    reserved = text.lower() in ("true", "false", "null", "yes", "no", "on", "off", "y", "n")
    return text if bare and not reserved else json.dumps(text, ensure_ascii=False)
