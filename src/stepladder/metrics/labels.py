"""Measures of answers that are one of a task's labels.

Answers and labels are compared in the form of `words.same_form`, so that "Positive." is `positive`.
An answer that is no label, such as the empty one after a failure, misses its true label and counts
for no other.

    accuracy = Accuracy(labels=("positive", "negative"))
    accuracy.aggregate(accuracy.statistics(["Positive."], [["positive"]]))      # 1.0
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from stepladder.contracts import Floats
from stepladder.errors import MetricError
from stepladder.metrics.measures import MeanMeasure, Measure, SumMeasure, signature, table
from stepladder.metrics.words import same_form


@dataclass(frozen=True)
class LabelMeasure(Measure):
    """Reads labels; what is counted is up to the measure."""

    labels: tuple[str, ...] | None = field(default=None, metadata={"context": True})
    """The task's; without them no measure of labels fits."""

    def __post_init__(self) -> None:
        if not self.labels:
            raise MetricError(
                f"{self.base} does not fit: the task has no labels; "
                "list them as 'labels: [...]' in the task file, or take exact_match"
            )
        if len(self._position) < len(self.labels):
            raise MetricError(
                f"{self.base} does not fit: two of the labels are the same but for case, space or "
                f"final punctuation ({', '.join(self.labels)}); rename one"
            )

    @cached_property
    def _position(self) -> dict[str, int]:
        return {same_form(label): i for i, label in enumerate(self.labels or ())}

    def _true(self, accepted: Sequence[str], at: int) -> list[int]:
        """Positions of the accepted labels; `at` counts examples from 1, for the message."""
        positions: list[int] = []
        for reference in accepted:
            position = self._position.get(same_form(reference))
            if position is None:
                raise MetricError(
                    f"{self.base} does not fit: the reference of example {at} is "
                    f"{reference[:60]!r}, not one of {', '.join(self.labels or ())}; "
                    "correct it or the labels"
                )
            positions.append(position)
        return positions

    def check(self, references: Sequence[Sequence[str]]) -> None:
        """Raises MetricError where a reference is no label."""
        for at, accepted in enumerate(references, start=1):
            self._true(accepted, at)


@dataclass(frozen=True)
class Accuracy(LabelMeasure, MeanMeasure):
    """The share of answers that are the right label; with several references, one of them."""

    base = "accuracy"
    parts = ("a label",)

    @property
    def signature(self) -> str:
        labels = len(self.labels or ())
        return signature(
            self.base, labels=labels, form="folded", references="any", scale="0-1", version=1
        )

    def statistics(self, answers: Sequence[str], references: Sequence[Sequence[str]]) -> Floats:
        """Right or not, and whether it was a label at all; shape (examples, 2)."""
        rows: list[tuple[float, float]] = []
        pairs = zip(answers, references, strict=True)
        for at, (answer, accepted) in enumerate(pairs, start=1):
            given = self._position.get(same_form(answer))
            rows.append((float(given in self._true(accepted, at)), float(given is not None)))
        return table(rows, 2)


@dataclass(frozen=True)
class MacroF1(LabelMeasure, SumMeasure):
    """The mean of each label's F, over the labels that occur as a reference or as an answer.

    With several references an answer's true label is the one it equals, else the first.
    """

    base = "macro_f1"
    times = 100.0

    @property
    def signature(self) -> str:
        labels = len(self.labels or ())
        return signature(
            self.base,
            labels=labels,
            average="labels-seen",
            form="folded",
            references="any",
            scale="0-1",
            version=1,
        )

    def statistics(self, answers: Sequence[str], references: Sequence[Sequence[str]]) -> Floats:
        """Right, wrongly given and missed for each label in turn, shape (examples, 3 * labels)."""
        counts = np.zeros((len(answers), len(self._position), 3))
        pairs = zip(answers, references, strict=True)
        for row, (answer, accepted) in enumerate(pairs):
            given = self._position.get(same_form(answer))
            true = self._true(accepted, row + 1)
            if given is not None and given in true:
                counts[row, given, 0] = 1
                continue
            counts[row, true[0], 2] = 1
            if given is not None:
                counts[row, given, 1] = 1
        return counts.reshape(len(answers), 3 * len(self._position))

    def from_sums(self, sums: Floats) -> float:
        values, seen = _label_f1(sums)
        return float(values[seen].mean())

    def details(self, statistics: Floats) -> dict[str, float]:
        """F of each label that occurs."""
        values, seen = _label_f1(statistics.sum(axis=0))
        names = self.labels or ()
        return {f"F of {names[i]}": float(values[i]) for i in np.flatnonzero(seen)}


def no_labels(answers: Sequence[str], labels: Sequence[str]) -> list[str]:
    """The answers that are none of the labels, which every measure of labels counts as wrong.

    >>> no_labels(["Positive.", "It is positive"], ["positive", "negative"])
    ['It is positive']
    """
    known = {same_form(label) for label in labels}
    return [answer for answer in answers if same_form(answer) not in known]


def _label_f1(sums: Floats) -> tuple[Floats, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    """F of each label, and which labels occur at all."""
    right, extra, missed = sums.reshape(-1, 3).T
    weight = 2 * right + extra + missed
    return 2 * right / np.maximum(weight, 1), weight > 0
