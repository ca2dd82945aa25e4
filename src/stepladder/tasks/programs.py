"""Programs that come to a row's answer: the user's, or made from a reference's calculator marks.

GSM8K's references carry marks such as `<<48/2=24>>` (Cobbe et al., "Training Verifiers to Solve
Math Word Problems", arXiv 2110.14168, section 4.1): a computation and its result, in the sentence
that explains it. The sentence becomes a comment and the computation a line:

    >>> print(from_marks("Of 48 half are <<48/2=24>>24.\\nThat is <<48+24=72>>72.\\n#### 72"))
    # Of 48 half are 24.
    step1 = 48 / 2
    # That is 72.
    step2 = 48 + step1
    answer = step2

A number that is the result of an earlier line is called by that line's name. What it does not
cover: references whose last mark is not their answer, or whose computations are not plain sums.
"""

from __future__ import annotations

import re

from stepladder.records import Example
from stepladder.tasks.fields import text_of
from stepladder.tasks.files import Row, Source

_MARK = re.compile(r"<<([^<>=]+)=([^<>=]+)>>")
_ANSWER = re.compile(r"####\s*(.+)\s*\Z")
_SUM = re.compile(r"[\d.+\-*/() ]+")
_NUMBER = re.compile(r"(?<![\w.])(?:\d+\.?\d*|\.\d+)(?![\w.])")
_OPERATOR = re.compile(r"\s*([-+*/]+)\s*")
_LEADING_ZEROS = re.compile(r"(?<![\d.])0+(?=\d)")


def program_of(example: Example, row: Row, source: Source, field: str | None) -> str | None:
    """The row's program; None where it has none. Raises TaskError for a field that is no text."""
    if field is not None:
        return text_of(row.fields.get(field), field, row, source)
    return from_marks(example.references[0])


def from_marks(reference: str) -> str | None:
    """The program that a reference's calculator marks spell; None where they do not come to its
    answer."""
    answer = _ANSWER.search(reference)
    if answer is None or "<<" not in reference:
        return None
    lines: list[str] = []
    names: dict[float, str] = {}
    last: float | None = None
    for sentence in reference[: answer.start()].splitlines():
        marks = _MARK.findall(sentence)
        if marks:
            lines.append(f"# {' '.join(_MARK.sub('', sentence).split())}")
        for expression, result in marks:
            line, last = _line(expression, names), _value(result)
            if line is None or last is None:
                return None
            names[last] = f"step{len(names) + 1}" if last not in names else names[last]
            lines.append(f"{names[last]} = {line}")
    if last is None or last != _value(answer[1]):
        return None
    return "\n".join([*lines, f"answer = {names[last]}"])


def _line(expression: str, names: dict[float, str]) -> str | None:
    """A computation as Python; None where it is none."""
    plain = expression.replace(",", "").replace("$", "")
    if not _SUM.fullmatch(plain) or not _NUMBER.search(plain):
        return None

    def named(number: re.Match[str]) -> str:
        return names.get(float(number[0]), _LEADING_ZEROS.sub("", number[0]))

    spaced = _OPERATOR.sub(r" \1 ", _NUMBER.sub(named, plain))
    return " ".join(spaced.split())


def _value(text: str) -> float | None:
    try:
        return float(text.replace(",", "").replace("$", ""))
    except ValueError:
        return None
