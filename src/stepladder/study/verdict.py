"""Decides a study: which rung is the cheapest that is good enough, and how sure that is.

With a target (rule 1), a rung reaches it when its lower bound at alpha / K does; K counts the rungs
listed before the first answer. Where every rung's upper bound at alpha / K is below the target,
none reaches it. A rung's truth lies on one side of the target, so only one of its two bounds can
mislead, and a wrong claim of either kind has a probability of at most alpha.

Without a target (rule 2), a rung is good enough when for every other rung the upper bound of
`other - this`, paired, at alpha / (K (K - 1)), is below the margin. A rung that by the same bounds
is worse than another by more than the margin is out, and good rungs need no comparison with it:
who is within the margin of the better one is ahead of the worse one.

Rungs may have answered only the first of the items; bounds hold at any stop, and a difference is
taken over the items that both answered.

A rung that is not shown to stay within `max_drop` on every guard task is refused (rule 3): it is
out of the comparison, and the sentence says why. It still counts in K.

Of the rungs that pass, the cheapest at the user's traffic wins. Answers that the machine owes count
once at the metric's worst and once at its best; where that changes the outcome, nothing is decided.

    decide(rungs, metric, target=0.8, margin=None, requests=100_000, family=5).verdict.sentence
    # few-shot(4) is the cheapest rung shown to reach rougeL 80.0: 84.1, at least 81.2, with ...
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from stepladder.contracts import Floats, Metric
from stepladder.statistics import margin_level, target_level
from stepladder.study.evidence import Evidence, Extent, Measured
from stepladder.study.summary import Verdict, VerdictKind
from stepladder.study.wording import Wording, about, listed

View = Literal["worst", "best"]
"""How owed answers are counted, from the side of the rung in question."""


class Decision(NamedTuple):
    verdict: Verdict
    bounds: Mapping[str, tuple[float | None, float | None]]
    """By rung: one-sided lower and upper bounds on its score at alpha / K each, on the metric's own
    scale, owed answers counted against the claim; None where nothing can be said."""


class _Outcome(NamedTuple):
    kind: VerdictKind
    winner: Measured | None = None
    passed: tuple[Measured, ...] = ()

    def same(self, other: _Outcome) -> bool:
        return self.kind == other.kind and self.winner is other.winner


@dataclass(frozen=True)
class _Case:
    """What both rules share."""

    rungs: Sequence[Measured]
    evidence: Evidence
    wording: Wording
    family: int
    alpha: float
    ranges: Mapping[str, Mapping[View, tuple[float, float]]]
    """Lower and upper bound of each rung, turned so that more is better."""
    refused: Sequence[Measured] = ()
    """Rungs that were measured and may not be the answer."""

    @property
    def missing(self) -> int:
        return sum(rung.missing for rung in self.rungs)

    def others(self, rung: Measured) -> list[Measured]:
        return [other for other in self.rungs if other is not rung]

    def ranked(self) -> list[Measured]:
        """The best value first."""
        return sorted(self.rungs, key=lambda r: -self.evidence.value(r.statistics))

    def value(self, rung: Measured) -> str:
        """As shown; a range where answers are owed."""
        ends = [self.evidence.value(rows) for rows in (rung.worst, rung.best)]
        if rung.missing:
            return f"between {self.wording.score(min(ends))} and {self.wording.score(max(ends))}"
        return self.wording.score(self.evidence.value(rung.statistics))

    def size(self, items: int) -> str:
        """So many items, and of how many; groups are counted where all of them were asked."""
        extent = self.evidence.extent
        if items < extent.items:
            return f"{items:,} of {extent.items:,} items"
        units = extent.units
        grouped = f" in {units:,} group{'s' * (units > 1)}" if units != items else ""
        return f"{items:,} item{'s' * (items > 1)}{grouped}"

    def surety(self, items: int) -> str:
        return (
            f"with an error probability of at most {100 * self.alpha:g} % over the whole study "
            f"({self.size(items)})"
        )

    def with_refusals(self, sentence: str) -> str:
        """The sentence, and why rungs were refused."""
        return " ".join([sentence, *(f"{r.name} is refused: {r.refused}." for r in self.refused)])

    @property
    def most(self) -> int:
        """Items of the rung that answered most."""
        return max(len(rung.statistics) for rung in self.rungs)


def decide(
    rungs: Sequence[Measured],
    metric: Metric,
    *,
    target: float | None,
    margin: float | None,
    requests: int,
    family: int,
    alpha: float = 0.05,
    extent: Extent | None = None,
) -> Decision:
    """The verdict over the rungs that were measured.

    `target` and `margin` are on the metric's own scale; without either, the margin is one point of
    the shown scale. `family` counts the rungs listed, built or not; `extent` is that of all planned
    items, where rungs may have answered the first of them only. Raises ValueError for no rungs,
    more rungs than the family has, or rungs measured on different items; MetricError for a metric
    that is not what it says.
    """
    if not 1 <= len(rungs) <= family:
        raise ValueError(f"{len(rungs)} rungs were measured of {family} listed")
    evidence = Evidence(metric, rungs, extent)
    level = target_level(family, alpha)
    ranges = {rung.name: _ranges(evidence, rung, level) for rung in rungs}
    line = target if target is not None else margin if margin is not None else 1.0 / metric.times
    free = [rung for rung in rungs if rung.refused is None]
    refused = [rung for rung in rungs if rung.refused is not None]
    case = _Case(free, evidence, Wording(metric, line), family, alpha, ranges, refused)
    bounds = {name: _own_scale(case, name) for name in ranges}
    if not free:
        return Decision(Verdict("refused", None, _none_left(case), alpha), bounds)
    rule: _Target | _Margin = _Target(case, line) if target is not None else _Margin(case, line)
    worst = rule.outcome("worst")
    best = rule.outcome("best") if case.missing else worst
    notes = [f"Costs are compared at {requests:,} requests."] if len(free) > 1 else []
    if not metric.mean:
        notes.append(
            f"{metric.name} is no mean of its items: its bounds rest on a normal approximation."
        )
    if not worst.same(best):
        sentence = case.with_refusals(_owed(case, worst, best))
        verdict = Verdict("undecided", None, sentence, alpha, None, tuple(notes))
    else:
        sentence, more = rule.say(worst)
        name = worst.winner.name if worst.winner else None
        notes += _about_costs(worst)
        sentence = case.with_refusals(sentence)
        verdict = Verdict(worst.kind, name, sentence, alpha, more, tuple(notes))
    return Decision(verdict, bounds)


class _Target:
    """Rule 1."""

    def __init__(self, case: _Case, target: float) -> None:
        self._case = case
        self._line = case.evidence.sign * target
        self._named = case.wording.named(target)

    def outcome(self, view: View) -> _Outcome:
        case = self._case
        passed = tuple(r for r in case.rungs if case.ranges[r.name][view][0] >= self._line)
        if passed:
            return _Outcome("reached", self._cheapest(passed), passed)
        missed = all(case.ranges[r.name][view][1] < self._line for r in case.rungs)
        return _Outcome("not-reached" if missed else "undecided")

    def _cheapest(self, passed: Sequence[Measured]) -> Measured:
        return _cheapest(passed, self._case.evidence)

    def say(self, outcome: _Outcome) -> tuple[str, int | None]:
        """The sentence, and how many more items would settle an undecided one."""
        case, best = self._case, self._case.ranked()[0]
        if outcome.winner is not None:
            rung = outcome.winner
            role = "is shown" if rung.cost is None else "is the cheapest rung shown"
            lower = case.wording.at_least(case.ranges[rung.name]["worst"][0])
            values = f"{case.value(rung)}, {lower}, {case.surety(len(rung.statistics))}"
            return f"{rung.name} {role} to reach {self._named}: {values}.", None
        if outcome.kind == "not-reached":
            whole = len(case.rungs) + len(case.refused) == case.family
            other = "other " if case.refused else ""
            whom = f"No {other}rung" if whole else f"None of the {other}rungs measured"
            upper = case.wording.at_most(max(case.ranges[r.name]["best"][1] for r in case.rungs))
            values = f"the best, {best.name}, is at {case.value(best)}; all are {upper}"
            return f"{whom} reaches {self._named}: {values}, {case.surety(case.most)}.", None
        more = self._more()
        return (
            f"Undecided: with {case.size(case.most)} it stays open whether {self._named} is "
            f"reached; the best rung, {best.name}, is at {case.value(best)}. {about(more)}",
            more,
        )

    def _more(self) -> int | None:
        """Until the first rung is shown to reach the target, or the last one to miss it."""
        case, evidence = self._case, self._case.evidence
        level = target_level(case.family, case.alpha)
        above: list[int | None] = []
        below: list[int | None] = []
        for rung in case.rungs:
            if case.ranges[rung.name]["best"][1] < self._line:
                continue  # shown to miss it already
            distance = evidence.value(rung.statistics) - self._line
            needed = evidence.needed(rung.statistics, distance, level=level)
            (above if distance >= 0 else below).append(needed)
        known = [n for n in above if n is not None]
        if above:
            return _beyond(min(known), case) if known else None
        known = [n for n in below if n is not None]
        return _beyond(max(known), case) if known and None not in below else None


class _Margin:
    """Rule 2."""

    def __init__(self, case: _Case, margin: float) -> None:
        self._case = case
        self._margin = margin
        self._level = margin_level(case.family, case.alpha)
        self._points = case.wording.points(margin)

    def outcome(self, view: View) -> _Outcome:
        case = self._case
        contenders = self._contenders()
        passed = tuple(
            rung
            for rung in contenders
            if all(
                self._lead(other, rung, view) < self._margin
                for other in contenders
                if other is not rung
            )
        )
        if not passed:
            return _Outcome("undecided")
        return _Outcome("good-enough", _cheapest(passed, case.evidence), passed)

    def _contenders(self) -> list[Measured]:
        """Those not shown to be worse than another by more than the margin, whatever answers they
        are owed: what is missing puts nobody out."""
        case = self._case
        return [
            rung
            for rung in case.rungs
            if not any(self._lead(rung, by, "worst") < -self._margin for by in case.others(rung))
        ]

    def _lead(self, other: Measured, this: Measured, view: View) -> float:
        """At most so much is `other` better; at this rung's worst the other one is at its best."""
        rows: tuple[Floats, Floats] = (
            (other.best, this.worst) if view == "worst" else (other.worst, this.best)
        )
        return self._case.evidence.lead_bound(*rows, level=self._level)

    def say(self, outcome: _Outcome) -> tuple[str, int | None]:
        """The sentence, and how many more items would settle an undecided one."""
        case, best = self._case, self._case.ranked()[0]
        metric = case.evidence.metric.name
        if outcome.winner is not None:
            rung, others = outcome.winner, case.others(outcome.winner)
            value = f"{metric} {case.value(rung)}"
            if not others:
                which = "only rung" if case.family == 1 else "only rung that could be measured"
                which = "only rung that is not refused" if case.refused else which
                lower = case.wording.at_least(case.ranges[rung.name]["worst"][0])
                surety = case.surety(len(rung.statistics))
                return f"{rung.name} is the {which}: {value}, {lower}, {surety}.", None
            leads = {other.name: self._lead(other, rung, "worst") for other in others}
            rival = max(leads, key=leads.__getitem__)
            common = min(len(r.statistics) for r in (rung, *others) if r.name in (rung.name, rival))
            role = "is shown" if rung.cost is None else "is the cheapest rung shown"
            return (
                f"{rung.name} {role} to be within {self._points} of every other: {value}; "
                f"{rival} is {case.wording.lead(leads[rival])}, {case.surety(common)}.",
                None,
            )
        more = self._more()
        return (
            f"Undecided: with {case.size(case.most)} no rung is shown to be within {self._points} "
            f"of every other; the best so far, {best.name}, is at {metric} {case.value(best)}. "
            f"{about(more)}",
            more,
        )

    def _more(self) -> int | None:
        """Until the best rung is shown to be within the margin of every other."""
        case, contenders = self._case, self._contenders()
        if not contenders:
            return None
        this = max(contenders, key=lambda r: case.evidence.value(r.statistics))
        needs = []
        for other in contenders:
            if other is this:
                continue
            rows = (other.statistics, this.statistics)
            both = min(len(part) for part in rows)
            first, second = (case.evidence.value(part[:both]) for part in rows)
            behind = second - first
            needs.append(case.evidence.lead_needed(*rows, self._margin + behind, level=self._level))
        known = [n for n in needs if n is not None]
        return _beyond(max(known), case) if known and len(known) == len(needs) else None


def _ranges(evidence: Evidence, rung: Measured, level: float) -> Mapping[View, tuple[float, float]]:
    def both(rows: Floats) -> tuple[float, float]:
        lower = evidence.bound(rows, level=level, side="lower")
        return lower, evidence.bound(rows, level=level, side="upper")

    worst = both(rung.worst)
    return {"worst": worst, "best": both(rung.best) if rung.missing else worst}


def _cheapest(passed: Sequence[Measured], evidence: Evidence) -> Measured:
    """The least known cost, then the best value; of unknown costs alone, the best value."""

    def rank(rung: Measured) -> tuple[bool, float, float]:
        return rung.cost is None, rung.cost or 0.0, -evidence.value(rung.statistics)

    return min(passed, key=rank)


def _about_costs(outcome: _Outcome) -> list[str]:
    """What unknown costs keep from being said."""
    unknown = [r.name for r in outcome.passed if r.cost is None]
    if outcome.winner is None or not unknown:
        return []
    if outcome.winner.cost is None:
        return [f"The cost of {listed(unknown)} is unknown, so none is called the cheapest."]
    return [f"{listed(unknown)} passed as well, at an unknown cost."]


def _none_left(case: _Case) -> str:
    which = "The rung" if case.family == 1 else "Every rung that was measured"
    return case.with_refusals(f"{which} is refused, so none is named.")


def _owed(case: _Case, worst: _Outcome, best: _Outcome) -> str:
    """Why owed answers leave a study undecided."""

    def said(outcome: _Outcome) -> str:
        if outcome.winner is not None:
            return f"{outcome.winner.name} wins"
        return "no rung reaches it" if outcome.kind == "not-reached" else "nothing is settled"

    answers = "1 answer is" if case.missing == 1 else f"{case.missing:,} answers are"
    return (
        f"Undecided: {answers} missing. Counted at the metric's worst, {said(worst)}; at its best, "
        f"{said(best)}. Run the same climb again to ask for what is missing."
    )


def _beyond(needed: int, case: _Case) -> int:
    """Items to add, in two digits: it is an estimate."""
    more = max(needed - case.evidence.extent.items, 1)
    step: int = 10 ** max(len(str(more)) - 2, 0)
    return -(-more // step) * step


def _own_scale(case: _Case, name: str) -> tuple[float | None, float | None]:
    """A rung's bounds as the metric counts, at its owed answers' worst and best."""
    views = case.ranges[name]
    ends = sorted(case.evidence.sign * end for end in (views["worst"][0], views["best"][1]))
    low, high = (end if abs(end) != float("inf") else None for end in ends)
    return low, high
