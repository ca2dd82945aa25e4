"""Rows to examples: ids, inputs, references, labels and groups, each checked.

    found = read_examples({"train": source}, spec)
    found.examples["train"][0]

Ids are the user's, unique over the whole task, or a content hash where the task names no id field;
then rows that are equal in input and references are one example, and how many is noted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from stepladder.errors import TaskError, nearest_name
from stepladder.records import Example, content_hash
from stepladder.tasks.fields import check_columns, gold_texts, references, required_text
from stepladder.tasks.files import Row, Source
from stepladder.tasks.programs import program_of
from stepladder.tasks.spec import TaskSpec


class Examples(NamedTuple):
    """Examples by split, and what was decided about them."""

    examples: dict[str, list[Example]]
    notes: list[str]


class _Origin(NamedTuple):
    """Where an id was first seen."""

    source: str
    row: int


def read_examples(sources: Mapping[str, Source], spec: TaskSpec) -> Examples:
    """All rows of all sources as examples; TaskError names file and row of the first mistake."""
    origins: dict[str, _Origin] = {}
    examples: dict[str, list[Example]] = {}
    notes: list[str] = []
    for split, source in sources.items():
        names = _reference_fields(split, source, spec)
        _check_fields(split, source, names, spec)
        found: dict[str, Example] = {}
        for row in source.rows:
            example = _example(row, source, names, spec)
            if split != "test":
                example = replace(example, program=program_of(example, row, source, spec.programs))
            if spec.knowledge is not None and spec.knowledge.gold is not None:
                gold = gold_texts(spec.knowledge.gold, row, source)
                example = replace(example, gold=gold)
            if spec.id is not None:
                _check_unique(example.id, row, source, origins)
            found.setdefault(example.id, example)
        copies = len(source.rows) - len(found)
        if copies:
            notes.append(
                f"{source.name}: rows that are exact copies of others, left out: {copies:,}"
            )
        examples[split] = list(found.values())
    return Examples(examples, notes)


def _reference_fields(split: str, source: Source, spec: TaskSpec) -> tuple[str, ...]:
    names = spec.references.get(split) or spec.references.get("all")
    if names is None:
        given = ", ".join(spec.references)
        wanted = "one field for all" if split == "all" else f"references: {{{split}: FIELD}}"
        raise TaskError(
            f"{spec.where}: references: given for {given} alone, but {source.name} is "
            f"{'the one file' if split == 'all' else f'the {split} split'}; write {wanted}"
        )
    return names


def _check_fields(
    split: str, source: Source, reference_fields: tuple[str, ...], spec: TaskSpec
) -> None:
    check_columns(spec.input.names, source, "input")
    check_columns(reference_fields, source, "references")
    if spec.id is not None:
        check_columns((spec.id,), source, "id")
    if spec.group is not None:
        check_columns((spec.group,), source, "group")
    if spec.programs is not None and split != "test":
        check_columns((spec.programs,), source, "programs")
    if spec.knowledge is not None and spec.knowledge.gold is not None and split in ("test", "all"):
        check_columns((spec.knowledge.gold,), source, "knowledge: gold")


def _example(
    row: Row, source: Source, reference_fields: tuple[str, ...], spec: TaskSpec
) -> Example:
    text = spec.input.fill(row, source)
    accepted = references(reference_fields, row, source)
    if spec.labels:
        for label in accepted:
            if label not in spec.labels:
                hint = nearest_name(label, spec.labels)
                raise TaskError(
                    f"{source.name}: row {row.number}: label '{label}' is not one of the task's "
                    f"labels; {hint}"
                )
    name = (
        required_text(spec.id, row, source)
        if spec.id is not None
        else content_hash([text, accepted])[:16]
    )
    group = required_text(spec.group, row, source) if spec.group is not None else None
    return Example(name, text, accepted, group)


def _check_unique(name: str, row: Row, source: Source, origins: dict[str, _Origin]) -> None:
    here = _Origin(source.name, row.number)
    first = origins.setdefault(name, here)
    if first is not here:
        same = first.source == source.name and first.row != row.number
        where = f"row {first.row}" if same else f"{first.source} row {first.row}"
        raise TaskError(
            f"{source.name}: row {row.number}: id '{name}' was given in {where} already; make ids "
            "unique, or leave out 'id' to have them made from the content"
        )
