"""Sums and word problems, answered by a number or by a short Python program.

One to four steps, small numbers. A model of this size learns to reckon only in part, and that is
useful: it leaves something for a program to do better. A program says how the numbers go together
and leaves the reckoning to Python; it puts its outcome into ``answer``.

Held out for the bundled sample ``till-sums``: anything paid at a till (change, coupons, deposits).
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable
from random import Random
from typing import NamedTuple

from ..form import Form, Item
from ..world import KINDS, NOUNS, PLACES, WARES, WORDS, article, two_names
from .questions import strange_word

_SUM_INSTRUCTIONS = ("Work out the sum.", "Calculate.", "What is the result?")
_NUMBER_INSTRUCTIONS = (
    "Solve the problem. Answer with a number.",
    "Work out the answer and write only the number.",
    "How many? Answer with a number.",
)
_PROGRAM_INSTRUCTIONS = (
    "Write a Python program that sets answer.",
    "Solve the problem by a short Python program.",
    "Write Python for it.",
)


class Problem(NamedTuple):
    """A text, and how its answer comes about: the first number, then an operation a step."""

    text: str
    start: int
    steps: tuple[tuple[str, int], ...]
    """Operator (+ - * //) and right-hand number."""

    @property
    def answer(self) -> int:
        value = self.start
        for operator, number in self.steps:
            value = _APPLY[operator](value, number)
        return value


_APPLY: dict[str, Callable[[int, int], int]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "//": lambda a, b: a // b,
}


class _Told(NamedTuple):
    """The people and things of a problem."""

    who: str
    other: str
    things: str
    place: str


def _begin(rng: Random, told: _Told) -> tuple[str, int, tuple[tuple[str, int], ...]]:
    """The first sentence: a number, or two numbers with a step between them."""
    a, b = rng.randint(2, 40), rng.randint(2, 9)
    kind = rng.random()
    if kind < 0.45:
        text = rng.choice(
            [f"{told.who} has {a} {told.things}.", f"{told.who} had {a} {told.things}.",
             f"There are {a} {told.things} in the {told.place}.",
             f"{told.who} found {a} {told.things} in the {told.place}."]
        )  # fmt: skip
        return text, a, ()
    if kind < 0.75:
        a = rng.randint(2, 12)
        text = rng.choice(
            [f"There are {a} boxes with {b} {told.things} each.",
             f"{told.who} has {a} bags of {b} {told.things}.",
             f"{told.who} fills {a} shelves with {b} {told.things} each.",
             f"For {a} days {told.who} makes {b} {told.things} a day."]
        )  # fmt: skip
        return text, a, (("*", b),)
    c = rng.randint(2, 30)
    text = rng.choice(
        [f"{told.who} has {a} {told.things} and {told.other} has {c}. They put them together.",
         f"{told.who} takes {a} {told.things} and {c} more to the {told.place}."]
    )  # fmt: skip
    return text, a, (("+", c),)


def _go_on(rng: Random, told: _Told, value: int) -> tuple[str, tuple[str, int]]:
    """A further sentence, and its step."""
    kind, b = rng.random(), rng.randint(2, 20)
    if kind < 0.4 or value < 3:
        text = rng.choice(
            [f"{told.other} gives {told.who} {b} more.", f"Then {b} more come.",
             f"{told.who} gets {b} from {told.other}.", f"{told.who} makes {b} more."]
        )  # fmt: skip
        return text, ("+", b)
    if kind < 0.8:
        b = rng.randint(1, min(value - 1, 25))
        text = rng.choice(
            [f"{told.who} gives {b} to {told.other}.", f"{told.who} loses {b}.",
             f"Then {b} of them break.", f"{told.other} takes {b} away.",
             f"{b} of them are too old."]
        )  # fmt: skip
        return text, ("-", b)
    b = rng.randint(2, 3)
    times = {2: "twice", 3: "three times"}[b]
    return f"Later there are {times} as many.", ("*", b)


def _finish(rng: Random, told: _Told, value: int) -> tuple[str, tuple[tuple[str, int], ...]]:
    """The question, with a last step or without."""
    parts = [k for k in range(2, 10) if value % k == 0 and value > k]
    kind = rng.random()
    if parts and kind < 0.25:
        k = rng.choice(parts)
        text = rng.choice(
            [f"They are shared by {k} children. How many does each get?",
             f"{told.who} puts them into {k} boxes. How many are in each?"]
        )  # fmt: skip
        return text, (("//", k),)
    if kind < 0.4:
        p = rng.randint(2, 9)
        return f"Each weighs {p} kilos. How many kilos is that together?", (("*", p),)
    text = rng.choice(
        [f"How many {told.things} are there now?", f"How many {told.things} are that?",
         "How many are left in the end?", f"How many {told.things} are there?"]
    )  # fmt: skip
    return text, ()


def problem(rng: Random, between: int) -> Problem:
    """A word problem with so many sentences between the first one and the question."""
    who, other = two_names(rng)
    kind = rng.choice([WARES, KINDS["fruit"], KINDS["animal"]])
    told = _Told(who, other, NOUNS[rng.choice(kind)].plural, rng.choice(PLACES))
    text, start, steps = _begin(rng, told)
    sentences = [text]
    for _ in range(between):
        text, step = _go_on(rng, told, Problem("", start, steps).answer)
        sentences.append(text)
        steps += (step,)
    text, last = _finish(rng, told, Problem("", start, steps).answer)
    return Problem(" ".join([*sentences, text]), start, steps + last)


def in_one_line(p: Problem) -> str:
    """``answer = (12 + 5) * 3``"""
    text = str(p.start)
    for i, (operator, number) in enumerate(p.steps):
        weak = operator in ("*", "//") and any(o in ("+", "-") for o, _ in p.steps[:i])
        text = f"({text}) {operator} {number}" if weak else f"{text} {operator} {number}"
    return f"answer = {text}"


def _step_by_step(names: list[str]) -> Callable[[Problem], str]:
    """A line a step; the value of the last step is the answer."""

    def write(p: Problem) -> str:
        left, lines = str(p.start), []
        for i, (operator, number) in enumerate(p.steps):
            name = "answer" if i == len(p.steps) - 1 else names[i % len(names)]
            lines.append(f"{name} = {left} {operator} {number}")
            left = name
        return "\n".join(lines) if lines else f"answer = {p.start}"

    return write


def _over_and_over(name: str) -> Callable[[Problem], str]:
    """One variable that each step changes."""

    def write(p: Problem) -> str:
        lines = [f"{name} = {p.start}"]
        lines += [f"{name} = {name} {operator} {number}" for operator, number in p.steps]
        return "\n".join([*lines, f"answer = {name}"])

    return write


def _style(rng: Random) -> Callable[[Problem], str]:
    """How programs of an episode are written."""
    kind = rng.random()
    if kind < 0.45:
        return in_one_line
    if kind < 0.75:
        names = rng.choice([list("abc"), list("xyz"), ["first", "then", "last"], ["n", "m", "k"]])
        return _step_by_step(names)
    return _over_and_over(rng.choice(["x", "n", "total", "count", "left"]))


class Bill(NamedTuple):
    """A text on prices, and the parts of its answer: so many times a price, added or taken."""

    text: str
    expression: str
    parts: tuple[str, ...]
    """The expression in steps; ``{0}``, ``{1}`` stand for the names of earlier ones."""


def bill(rng: Random) -> Bill:
    """Prices added up, and what is left of a sum of money; nobody pays at a till here."""
    who, other = two_names(rng)
    first, second = rng.sample(WARES, 2)
    n, p, m, q = (rng.randint(2, 9), rng.randint(2, 20), rng.randint(2, 9), rng.randint(2, 20))
    one, two = NOUNS[first].plural, NOUNS[second].plural
    kind = rng.randrange(5)
    if kind == 0:
        text = rng.choice(
            [f"{n} {one} cost {p} euros each. What is the price of all of them?",
             f"{who} orders {n} {one} at {p} euros. How many euros is that?"]
        )  # fmt: skip
        return Bill(text, f"{n} * {p}", (f"{n} * {p}",))
    if kind == 1:
        text = rng.choice(
            [f"{article(first).capitalize()} costs {p} euros and {article(second)} {q} euros more. "
             f"What does the {second} cost?",
             f"{who} spends {p} euros on {article(first)} and {q} euros on {article(second)}. How "
             "many euros is that?"]
        )  # fmt: skip
        return Bill(text, f"{p} + {q}", (f"{p} + {q}",))
    if kind == 2:
        text = rng.choice(
            [f"{who} wants {n} {one} for {p} euros each and {m} {two} for {q} euros each. How many "
             "euros does it make?",
             f"The list of {who}: {n} {one} at {p} euros, {m} {two} at {q} euros. What is the sum?"]
        )  # fmt: skip
        return Bill(text, f"{n} * {p} + {m} * {q}", (f"{n} * {p}", f"{m} * {q}", "{0} + {1}"))
    purse = n * p + rng.randint(1, 60)
    if kind == 3:
        text = rng.choice(
            [f"{who} has {purse} euros. {n} {one} for {p} euros each go to {other}. How many euros "
             "are left?",
             f"Of {purse} euros {who} spends {p} euros on each of {n} {one}. What remains?"]
        )  # fmt: skip
        return Bill(text, f"{purse} - {n} * {p}", (f"{n} * {p}", f"{purse} - {{0}}"))
    text = (
        f"{who} earned {purse} euros and then {n} times {p} euros, and lent {other} {q}. How many "
        f"euros has {who}?"
    )
    return Bill(text, f"{purse} + {n} * {p} - {q}", (f"{n} * {p}", f"{purse} + {{0}} - {q}"))


def _bill_style(rng: Random) -> Callable[[Bill], str]:
    """How programs on prices are written in an episode: in one line, or in named steps."""
    if rng.random() < 0.35:
        return lambda b: f"answer = {b.expression}"
    names = rng.choice([("a", "b"), ("x", "y"), ("first", "second"), ("sum1", "sum2"),
                        ("things", "others"), ("price", "rest"), ("cost", "more")])  # fmt: skip

    def write(b: Bill) -> str:
        lines = [f"{name} = {part}" for name, part in zip(names, b.parts[:-1], strict=False)]
        return "\n".join([*lines, f"answer = {b.parts[-1].format(*names)}"])

    return write


def draw_prices(rng: Random) -> Form:
    """Problems on prices, a third by number and the rest by program."""
    if rng.random() < 0.3:

        def by_number(item_rng: Random) -> Item:
            drawn = bill(item_rng)
            plain = "answer = " + drawn.expression
            return Item(drawn.text, str(_worked_out(plain)))

        return Form("numbers/prices", _NUMBER_INSTRUCTIONS, by_number)
    write = _bill_style(rng)

    def by_program(item_rng: Random) -> Item:
        drawn = bill(item_rng)
        return Item(drawn.text, write(drawn))

    return Form("numbers/prices-program", _PROGRAM_INSTRUCTIONS, by_program)


#: Texts, the whole expression, and its steps, of which {s} is the first one's outcome. Of the
#: numbers, b + c and k * e are multiples of k, and w is more than n * p + q.
_PARTS: tuple[tuple[tuple[str, ...], str, tuple[str, str]], ...] = (
    (
        (
            "{who} has {b} {one} and {other} has {c}. {k} children share them all. How many does "
            "each get?",
            "{b} {one} and {c} {two} go into {k} boxes. How many things are in each?",
            "In the {place} there are {b} {one}, and {c} more come. {k} people take the same "
            "number. How many has each of them?",
        ),
        "({b} + {c}) // {k}",
        ("{b} + {c}", "{s} // {k}"),
    ),
    (
        (
            "{who} makes {n} {one}. Each needs {p} nails and {q} screws. How many pieces does "
            "{who} need?",
            "{n} guests come. Each gets {p} cakes and {q} pies. How many things is that?",
            "Each of the {n} {one} weighs {p} kilos, and its box {q} kilos. What do they weigh?",
        ),
        "{n} * ({p} + {q})",
        ("{p} + {q}", "{n} * {s}"),
    ),
    (
        (
            "There were {a} {one} in the {place}. {n} people brought {p} each. {who} took away "
            "{q}. How many are there?",
            "{who} had {a} {one}. On {n} days {who} made {p} a day. {q} broke. How many are left?",
        ),
        "{a} + {n} * {p} - {q}",
        ("{n} * {p}", "{a} + {s} - {q}"),
    ),
    (
        (
            "{who} packs {n} boxes of {p} {one} and {q} boxes of {k} {two}. {other} takes {k} of "
            "them out. How many are left?",
            "{n} bags hold {p} {one} each, {q} bags {k} {two} each. {k} fall out. How many stay?",
        ),
        "{n} * {p} + {q} * {k} - {k}",
        ("{n} * {p} + {q} * {k}", "{s} - {k}"),
    ),
    (
        (
            "Of {w} {one} {who} gives {p} to each of {n} friends and {q} to {other}. How many has "
            "{who} left?",
            "A rope is {w} metres long. {who} cuts off {n} pieces of {p} metres and one of {q} "
            "metres. How much remains?",
        ),
        "{w} - ({n} * {p} + {q})",
        ("{n} * {p} + {q}", "{w} - {s}"),
    ),
    (
        (
            "{m} {one} lie in {k} rows of the same length. {who} takes {n} rows. How many {one} is "
            "that?",
            "{k} {one} weigh {m} kilos together. How many kilos do {n} of them weigh?",
        ),
        "{m} // {k} * {n}",
        ("{m} // {k}", "{s} * {n}"),
    ),
)


def part(rng: Random) -> Bill:
    """Shares, and things that go together: what many have in common, what comes on top for each."""
    who, other = two_names(rng)
    first, second = rng.sample(WARES, 2)
    k, n, p, q = rng.randint(2, 6), rng.randint(2, 9), rng.randint(2, 15), rng.randint(2, 9)
    m = k * rng.randint(5, 20)
    b = rng.randint(2, m - 2)
    numbers = {"k": k, "n": n, "p": p, "q": q, "m": m, "b": b, "c": m - b}
    numbers |= {"a": rng.randint(20, 90), "w": n * p + q + rng.randint(1, 60)}
    texts, whole, steps = rng.choice(_PARTS)
    text = rng.choice(texts).format(
        who=who,
        other=other,
        one=NOUNS[first].plural,
        two=NOUNS[second].plural,
        place=rng.choice(PLACES),
        **numbers,
    )
    return Bill(
        text, whole.format(**numbers), tuple(step.format(s="{0}", **numbers) for step in steps)
    )


def draw_parts(rng: Random) -> Form:
    """Problems on shares and sums of parts, by program."""
    write = _bill_style(rng)

    def by_program(item_rng: Random) -> Item:
        drawn = (part if item_rng.random() < 0.75 else bill)(item_rng)
        return Item(drawn.text, write(drawn))

    return Form("numbers/parts", _PROGRAM_INSTRUCTIONS, by_program)


#: Never drawn as a name: the outcome's own, and those of the bundled sample.
_TAKEN = ("answer", "goods", "each", "paid")


def variable(rng: Random) -> str:
    """A name for a variable, of any word known or strange: only copying it from what is shown, or
    from the line above, gets it right."""
    while True:
        kind = rng.random()
        if kind < 0.45:
            name = rng.choice(WORDS)
        elif kind < 0.8:
            name = strange_word(rng) + rng.choice(["", "", "s"])
        elif kind < 0.9:
            name = f"{rng.choice(WORDS)}_{rng.choice(WORDS)}"
        else:
            name = rng.choice("abcdefghkmnpqrstuvwxyz") + rng.choice(["", "1", "2"])
        if name not in _TAKEN and not keyword.iskeyword(name):
            return name


def _own_names(rng: Random) -> Callable[[str], list[str]]:
    """The names of a program by the shape of its problem: its own, or the same for all."""
    common, seed = [variable(rng) for _ in range(3)], rng.random()
    if rng.random() < 0.5:
        return lambda _: common

    def names(shape: str) -> list[str]:
        own = Random(f"{seed}/{shape}")
        return [variable(own) for _ in range(3)]

    return names


def in_steps(parts: tuple[str, ...], names: list[str]) -> str:
    """A line a part; ``{0}`` and ``{1}`` in a part are the names of the lines above."""
    lines = [
        f"{name} = {part.format(*names)}" for name, part in zip(names, parts[:-1], strict=False)
    ]
    return "\n".join([*lines, f"answer = {parts[-1].format(*names)}"])


def draw_named(rng: Random) -> Form:
    """Problems on shares and prices by programs whose names are drawn from all words."""
    names, in_parts = _own_names(rng), rng.choice((0.3, 0.6, 0.9))

    def by_program(item_rng: Random) -> Item:
        drawn = (part if item_rng.random() < in_parts else bill)(item_rng)
        shape = re.sub(r"\d+", "#", drawn.expression)
        return Item(drawn.text, in_steps(drawn.parts, names(shape)))

    return Form("numbers/named", _PROGRAM_INSTRUCTIONS, by_program)


#: How the numbers of a text may go together: how many there are, and the steps.
_SHAPES: tuple[tuple[int, tuple[str, ...]], ...] = (
    (2, ("[a] * [b]",)),
    (2, ("[a] + [b]",)),
    (2, ("[a] - [b]",)),
    (3, ("[a] + [b]", "{0} // [c]")),
    (3, ("[a] + [b]", "[c] * {0}")),
    (3, ("[a] * [b]", "[c] - {0}")),
    (3, ("[a] * [b]", "{0} + [c]")),
    (3, ("[a] - [b]", "{0} * [c]")),
    (3, ("[a] * [b]", "{0} // [c]")),
    (4, ("[a] * [b]", "[c] + {0} - [d]")),
    (4, ("[a] * [b] + [c]", "[d] - {0}")),
    (4, ("[a] * [b]", "[c] * [d]", "{0} + {1}")),
    (4, ("[a] + [b] + [c]", "{0} // [d]")),
    (4, ("[a] * [b] + [c] * [d]",)),
    (5, ("[a] * [b] + [c] * [d]", "{0} - [e]")),
    (5, ("[a] * [b]", "[c] * [d]", "{0} + {1} - [e]")),
)
#: Parts of a text with their numbers as ``#``: what is in capitals stays as the pattern has drawn
#: it, what is in small letters is drawn for each text.
_CLAUSES = (
    (1, ("{who} {V}s # {one}", "{other} {V}s #", "the {N} {V}s # {U}", "# {one} {V} the {N}",
         "the {N} {V}s {who} # {U}", "a {N} of {who} has # {U}")),
    (2, ("# {one} {V} # {U} each", "{who} {V}s # {one} at # {U}", "# {U} {V} # {one}",
         "a {one_of} {V}s # {U} and a {N} # {U}", "{who} has # {one} and {V}s #")),
)  # fmt: skip
_ASKED = (
    "What does {who} {V}?", "How many {U} is that?", "How much {V}s the {N}?", "What is the {N}?",
    "What {V}s {other} then?", "How many {U} are {V}ed?", "What is to {V}?",
)  # fmt: skip
_SIZES = (
    lambda rng: rng.randint(2, 9),
    lambda rng: rng.randint(2, 30),
    lambda rng: rng.randint(10, 99),
    lambda rng: rng.choice((10, 20, 50, 100, 200)),
)


class Pattern(NamedTuple):
    """A kind of problem whose words tell nothing by themselves: its programs must be shown."""

    texts: tuple[str, ...]
    """One or two ways to tell it, with ``[a]``, ``[b]`` for its numbers."""
    steps: tuple[str, ...]
    sizes: dict[str, Callable[[Random], int]]
    """How each number is drawn."""

    def make(self, rng: Random) -> tuple[str, tuple[str, ...]]:
        """A text, and the steps of its program."""
        who, other = two_names(rng)
        one, other_one = rng.sample(WARES, 2)
        text = rng.choice(self.texts).format(
            who=who, other=other, one=NOUNS[one].plural, one_of=other_one
        )
        steps = self.steps
        for slot, size in self.sizes.items():
            number = str(size(rng))
            text = text.replace(slot, number)
            steps = tuple(step.replace(slot, number) for step in steps)
        return re.sub(r"^[a-z]|(?<=\. )[a-z]", lambda found: found[0].upper(), text), steps


def pattern(rng: Random) -> Pattern:
    """A kind of problem: a sentence or three of drawn words, and how its numbers go together."""
    count, steps = rng.choice(_SHAPES)
    slots = [f"[{letter}]" for letter in "abcde"[:count]]
    if rng.random() < 0.4:
        rng.shuffle(slots)

    def text() -> str:
        left, clauses = list(slots), []
        while left:
            takes, choices = rng.choice([c for c in _CLAUSES if c[0] <= len(left)])
            clause = rng.choice(choices)
            for _ in range(takes):
                clause = clause.replace("#", left.pop(0), 1)
            clauses.append(_dressed(rng, clause))
        asked = _dressed(rng, rng.choice(_ASKED))
        return rng.choice([". ", ". ", ", and "]).join(clauses) + ". " + asked

    texts = (text(), text()) if rng.random() < 0.4 else (text(),)
    return Pattern(texts, steps, {slot: rng.choice(_SIZES) for slot in slots})


def _dressed(rng: Random, clause: str) -> str:
    """A clause with the words that stay put in."""
    words = {
        letter: strange_word(rng) if rng.random() < 0.4 else rng.choice(WORDS) for letter in "VNU"
    }
    for letter, word in words.items():
        clause = clause.replace("{" + letter + "}", word)
    return clause


def draw_patterns(rng: Random) -> Form:
    """Kinds of problem that only demonstrations tell, by programs with drawn names."""
    kinds = [pattern(rng) for _ in range(rng.choice((1, 2, 2, 3, 3, 4, 5)))]
    own = [[variable(rng) for _ in range(3)] for _ in kinds]
    names = own if rng.random() < 0.5 else [own[0]] * len(kinds)

    def by_program(item_rng: Random) -> Item:
        at = item_rng.randrange(len(kinds))
        text, steps = kinds[at].make(item_rng)
        return Item(text, in_steps(steps, names[at]))

    return Form("numbers/patterns", _PROGRAM_INSTRUCTIONS, by_program, demonstrations=2)


def _worked_out(line: str) -> int:
    """Sums of products, as ``bill`` writes them: ``answer = 3 * 4 + 5 - 2``."""
    total, sign = 0, 1
    for word in line.removeprefix("answer = ").replace(" * ", "*").split():
        if word in "+-":
            sign = 1 if word == "+" else -1
            continue
        value = 1
        for factor in word.split("*"):
            value *= int(factor)
        total += sign * value
    return total


def _sum(rng: Random) -> Item:
    a, b = rng.randint(1, 60), rng.randint(1, 39)
    kind = rng.random()
    if kind < 0.45:
        return Item(f"{a} + {b}", str(a + b))
    if kind < 0.8:
        a, b = max(a, b), min(a, b)
        return Item(f"{a} - {b}", str(a - b))
    a, b = rng.randint(2, 10), rng.randint(2, 10)
    return Item(f"{a} * {b}", str(a * b))


def draw(rng: Random) -> Form:
    """Bare sums, problems answered by a number, or problems answered by a program."""
    kind = rng.random()
    if kind < 0.2:
        return Form("numbers/sum", _SUM_INSTRUCTIONS, _sum)
    between = rng.choice((None, 0, 1, 2))

    def drawn(item_rng: Random) -> Problem:
        return problem(item_rng, item_rng.randint(0, 2) if between is None else between)

    if kind < 0.45:

        def by_number(item_rng: Random) -> Item:
            p = drawn(item_rng)
            return Item(p.text, str(p.answer))

        return Form("numbers/problem", _NUMBER_INSTRUCTIONS, by_number)
    write = _style(rng)

    def by_program(item_rng: Random) -> Item:
        p = drawn(item_rng)
        return Item(p.text, write(p))

    return Form("numbers/program", _PROGRAM_INSTRUCTIONS, by_program)
