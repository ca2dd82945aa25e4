"""Episodes: rows of training text, in exactly the form in which Stepladder renders its prompts.

    {instruction}\\n\\nInput: {x1}\\nOutput: {y1}\\n\\nInput: {query}\\nOutput: {answer}<|end|>

An example with evidence has its notes before its input:

    Evidence:\\n[1] {note}\\n[2] {note}\\nInput: {x}\\nOutput: {y}

Every answer is learned from, not only the last one. After each answer the target is the end token,
although the row goes on with the next example: so a model that has answered stops, whatever the
number of demonstrations was. Other tokens of an episode count with `PROMPT_WEIGHT`.

A row depends on (seed, step, number) alone, so a resumed run sees the same rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

from .families import FAMILIES, stories
from .form import Form, Item

PROMPT_WEIGHT = 0.1
STORY_SHARE = 0.12
#: Rows that go on until the context is full, so that every position up to 1,024 is trained.
LONG_SHARE = 0.008
#: The share of rows of scraps that come back word for word, which only looking back can tell, from
#: each step on: many until copying is learned (the log tells when that was), then a few.
ECHO_SHARES = {0: 0.1, 1344: 0.4, 2000: 0.12}
MAX_TOKENS = 1024
_COUNTS = {0: 0.12, 1: 0.13, 2: 0.12, 3: 0.12, 4: 0.2, 5: 0.08, 6: 0.07, 7: 0.06, 8: 0.1}
#: The share of episodes whose instruction names the task; of the rest half have one that does not.
TOLD_SHARE = 0.6
#: Instructions that leave everything to the demonstrations.
VAGUE = (
    "Do the task.", "Go on in the same way.", "Do as in the examples.", "Follow the house rules.",
    "Write what belongs there.", "Answer as we do here.", "Do this for the desk.", "Your turn.",
)  # fmt: skip


class Piece(NamedTuple):
    """A run of text, and whether it is an answer."""

    text: str
    is_answer: bool


@dataclass(frozen=True)
class Row:
    """Token ids, the id that each position shall predict, and how much that counts."""

    ids: list[int]
    targets: list[int]
    weights: list[float]


def header(instruction: str | None, labels: tuple[str, ...]) -> str:
    """What stands before the first example."""
    lines = [] if instruction is None else [instruction]
    if instruction is not None and labels:
        lines.append(f"Answer with one of: {', '.join(labels)}.")
    return "\n".join(lines) + "\n\n" if lines else ""


def asked(item: Item) -> str:
    """An example up to its answer: numbered notes where it has evidence, its input, the cue."""
    notes = "".join(f"[{i}] {note}\n" for i, note in enumerate(item.evidence, 1))
    evidence = f"Evidence:\n{notes}" if notes else ""
    return f"{evidence}Input: {item.input}\nOutput:"


def pieces(head: str, items: list[Item]) -> list[Piece]:
    """The episode as runs of text, answers apart."""
    out: list[Piece] = []
    for number, item in enumerate(items):
        lead = head if number == 0 else "\n\n"
        out.append(Piece(lead + asked(item), False))
        out.append(Piece(f" {item.answer}", True))
    return out


def prompt(head: str, items: list[Item]) -> str:
    """The prompt that asks for the last item's answer."""
    return "".join(piece.text for piece in pieces(head, items)[:-1])


def draw_items(rng: Random, form: Form, count: int) -> list[Item]:
    """Items of one form; some repeat an earlier one exactly."""
    items: list[Item] = []
    for _ in range(count):
        if items and rng.random() < form.repeats:
            items.append(rng.choice(items))
        else:
            items.append(form.make(rng))
    return items


def draw_form(rng: Random, step: int) -> Form:
    """A form of a family that takes part at this step, by the families' shares."""
    shares = {name: share for name in FAMILIES if (share := FAMILIES[name].share(step))}
    return FAMILIES[rng.choices(list(shares), list(shares.values()))[0]].draw(rng)


def draw_instruction(rng: Random, form: Form) -> tuple[str | None, bool]:
    """An instruction or none, and whether it tells the task."""
    if form.instructions and rng.random() < TOLD_SHARE:
        return rng.choice(form.instructions), True
    return (rng.choice(VAGUE) if rng.random() < 0.5 else None), False


def echo_share(step: int) -> float:
    """The share of rows of scraps at a step of the training.

    >>> echo_share(0), echo_share(1999), echo_share(9999)
    (0.1, 0.4, 0.12)
    """
    return ECHO_SHARES[max(start for start in ECHO_SHARES if start <= step)]


def draw_pieces(rng: Random, step: int = 0) -> list[Piece]:
    """The text of one row: an episode, a plain text as a single answer, or scraps coming back."""
    kind, echo = rng.random(), echo_share(step)
    if kind < echo:
        return [Piece(*part) for part in stories.echo(rng)]
    if kind < echo + STORY_SHARE:
        return [Piece(stories.text(rng), True)]
    form = draw_form(rng, step)
    instruction, told = draw_instruction(rng, form)
    count = rng.choices(list(_COUNTS), list(_COUNTS.values()))[0]
    count = max(count, form.demonstrations if told else max(2, form.demonstrations))
    if form.name.startswith("labelling/drawn"):
        count = rng.randint(4, 12)
    if rng.random() < LONG_SHARE:
        count = 80
    return pieces(header(instruction, form.labels), draw_items(rng, form, count + 1))


def encode_row(parts: list[Piece], encode: Callable[[str], list[int]], end: int) -> Row:
    """Tokens, shifted targets and weights; examples that do not fit are left off."""
    ids: list[int] = []
    answer: list[bool] = []
    for part in parts:
        new = encode(part.text)
        if len(ids) + len(new) >= MAX_TOKENS and part.is_answer and len(parts) == 1:
            new = new[: MAX_TOKENS - 1]
        if len(ids) + len(new) >= MAX_TOKENS:
            break
        ids += new
        answer += [part.is_answer] * len(new)
    while answer and not answer[-1]:
        ids.pop()
        answer.pop()
    targets, weights = ids[1:] + [end], [0.0] * len(ids)
    for i in range(len(ids)):
        follows = i + 1 < len(ids) and answer[i + 1]
        weights[i] = 1.0 if follows else PROMPT_WEIGHT
        if answer[i] and not follows:
            targets[i], weights[i] = end, 1.0
    return Row(ids, targets, weights)


def rows_of_step(
    seed: int, step: int, tokens: int, encode: Callable[[str], list[int]], end: int
) -> list[Row]:
    """The rows of a training step: as many as reach the number of tokens."""
    rng = Random(f"{seed}/{step}")
    rows: list[Row] = []
    total = 0
    while total < tokens:
        row = encode_row(draw_pieces(rng, step), encode, end)
        if row.ids:
            rows.append(row)
            total += len(row.ids)
    return rows


def data_hash(seed: int, rows: int, step: int = 0) -> str:
    """SHA-256 over the text of rows as a step draws them: two machines make the same data."""
    rng, digest = Random(f"{seed}/{step}"), hashlib.sha256()
    for _ in range(rows):
        digest.update("".join(piece.text for piece in draw_pieces(rng, step)).encode() + b"\0")
    return digest.hexdigest()
