"""Verdicts: both rules, owed answers, costs, direction, sentences, and a small calibration."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from scipy.stats import binom

from stepladder.contracts import Floats
from stepladder.errors import MetricError
from stepladder.metrics import build_metrics
from stepladder.statistics import jackknife, mean_bound
from stepladder.study import calibration
from stepladder.study.comparisons import comparisons, crossover
from stepladder.study.conclude import _misses
from stepladder.study.evidence import Evidence, Extent, Measured
from stepladder.study.grade import Grader
from stepladder.study.repeats import chosen
from stepladder.study.summary import DepartureKind
from stepladder.study.verdict import Decision, decide
from stepladder.tasks import Task


@dataclass(frozen=True)
class Share:
    """A mean of column 0, or with `mean=False` 100 times a ratio of sums."""

    name: str = "accuracy"
    signature: str = "test"
    better: Literal["higher", "lower"] = "higher"
    times: float = 100.0
    mean: bool = True

    def statistics(self, answers: Any, references: Any) -> Floats:
        raise TypeError("rows are given here")

    def aggregate(self, rows: Floats) -> float | None:
        if not len(rows):
            return None
        if self.mean:
            return float(rows[:, 0].mean())
        return float(100 * rows[:, 0].sum() / rows[:, 1].sum())

    def details(self, rows: Floats) -> dict[str, float]:
        return {}


TER = Share("ter", better="lower", times=1.0, mean=False)


def rung(
    name: str, right: int, cost: float | None, n: int = 200, missing: int = 0, seed: int = 0
) -> Measured:
    """`right` of `n` items right, in an order of its own; the first `missing` answers are owed."""
    rows = np.random.default_rng([seed, len(name), right]).permutation(n)[:, None] < right
    worst, best = rows.astype(float), rows.astype(float)
    worst[:missing], best[:missing] = 0.0, 1.0
    return Measured(name, worst, worst, best, cost)


def ratio(name: str, share: float, cost: float) -> Measured:
    rng = np.random.default_rng(len(name))
    length = rng.integers(5, 30, 200)
    rows = np.c_[rng.binomial(length, share), length].astype(float)
    return Measured(name, rows, rows, rows, cost)


def judged(rungs: list[Measured], metric: Share | None = None, **settings: Any) -> Decision:
    values: dict[str, Any] = {"target": None, "margin": None, "requests": 1000, "family": 3}
    return decide(rungs, metric or Share(), **{**values, **settings})


ZERO, FEW, LORA = rung("zero-shot", 100, 1.0), rung("few-shot", 180, 5.0), rung("lora", 190, 9.0)


def test_the_cheapest_rung_that_reaches_the_target_wins() -> None:
    decision = judged([LORA, ZERO, FEW], target=0.7)
    verdict = decision.verdict
    assert (verdict.kind, verdict.rung, verdict.more_items) == ("reached", "few-shot", None)
    lower = decision.bounds["few-shot"][0]
    assert lower is not None and 0.7 <= lower < 0.9
    shown = np.floor(lower * 1000) / 10
    assert verdict.sentence == (
        f"few-shot is the cheapest rung shown to reach accuracy 70.0: 90.0, at least {shown:.1f}, "
        "with an error probability of at most 5 % over the whole study (200 items)."
    )
    assert "Costs are compared at 1,000 requests." in verdict.notes


def test_bounds_are_the_betting_ones_at_alpha_over_the_family() -> None:
    for family in (1, 4):
        lower, upper = judged([FEW], target=0.7, family=family).bounds["few-shot"]
        values = FEW.statistics[:, 0]
        assert lower == pytest.approx(mean_bound(values, alpha=0.05 / family))
        assert upper == pytest.approx(mean_bound(values, alpha=0.05 / family, side="upper"))


def test_a_rung_listed_but_not_built_still_counts() -> None:
    near = rung("near", 160, 1.0)
    assert judged([near], target=0.7, family=1).verdict.kind == "reached"
    assert judged([near], target=0.7, family=40).verdict.kind == "undecided"


def test_no_rung_reaches_it() -> None:
    verdict = judged([ZERO, FEW], target=0.99, family=2).verdict
    assert (verdict.kind, verdict.rung) == ("not-reached", None)
    assert verdict.sentence.startswith("No rung reaches accuracy 99.0: the best, few-shot, is at")
    partly = judged([ZERO, FEW], target=0.99, family=3).verdict
    assert partly.sentence.startswith("None of the rungs measured reaches")


def test_undecided_says_how_many_more() -> None:
    verdict = judged([ZERO, FEW], target=0.88).verdict
    assert verdict.kind == "undecided" and verdict.more_items is not None
    assert 500 < verdict.more_items < 20_000
    assert f"About {verdict.more_items:,} more examples would settle it." in verdict.sentence


def test_the_best_rung_is_good_enough_and_so_may_a_cheaper_one_be() -> None:
    assert judged([ZERO, FEW, LORA], margin=0.2).verdict.rung == "few-shot"
    apart = judged([ZERO, LORA]).verdict
    assert (apart.kind, apart.rung) == ("good-enough", "lora")
    assert (
        "within 1.0 points of every other: accuracy 95.0; zero-shot is worse by" in apart.sentence
    )
    close = judged([FEW, LORA]).verdict
    assert close.kind == "undecided" and close.more_items is not None


def test_a_single_rung_is_good_enough_for_want_of_others() -> None:
    assert "only rung:" in judged([ZERO], family=1).verdict.sentence
    assert "only rung that could be measured" in judged([ZERO]).verdict.sentence


@pytest.mark.parametrize("line", [{"target": 0.7}, {"margin": 0.2}])
def test_a_rung_of_unknown_cost_never_wins_by_cost(line: dict[str, float]) -> None:
    people = replace(LORA, name="people", cost=None)
    known = judged([ZERO, FEW, people], **line).verdict
    assert known.rung == "few-shot"
    assert "people passed as well, at an unknown cost." in known.notes
    alone = judged([ZERO, people], **line).verdict
    assert alone.rung == "people" and "cheapest" not in alone.sentence
    assert "The cost of people is unknown, so none is called the cheapest." in alone.notes


def test_missing_answers_that_change_the_outcome_leave_it_undecided() -> None:
    owed = rung("owed", 165, 1.0, missing=40)
    verdict = judged([owed], target=0.7, family=1).verdict
    assert verdict.kind == "undecided" and verdict.more_items is None
    assert verdict.sentence.startswith("Undecided: 40 answers are missing.")
    assert "at its best, owed wins" in verdict.sentence


@pytest.mark.parametrize("line", [{"target": 0.7}, {"margin": 0.01}])
def test_missing_answers_that_change_nothing_do_not_hinder(line: dict[str, float]) -> None:
    verdict = judged([ZERO, replace_missing(LORA, 3)], **line).verdict
    assert verdict.rung == "lora"
    assert " between 9" in verdict.sentence


def test_a_rung_is_not_put_out_by_the_answers_that_it_is_owed() -> None:
    """Right in 95 of 100 wherever it answered, as its dear rival is, and cheaper by far: a quarter
    of its answers is missing, and counted as wrong they would leave it far behind."""
    right = (np.random.default_rng(0).random((400, 1)) < 0.95).astype(float)
    worst, best = right.copy(), right.copy()
    worst[300:], best[300:] = 0.0, 1.0
    halted = Measured("halted", worst, worst, best, 1.0)
    dear = Measured("dear", right, right, right, 9.0)
    for margin in (0.05, 0.1, 0.2):
        verdict = judged([halted, dear], margin=margin, family=2).verdict
        assert verdict.kind == "undecided" and "100 answers are missing" in verdict.sentence
        assert "at its best, halted wins" in verdict.sentence


def replace_missing(measured: Measured, missing: int) -> Measured:
    worst, best = measured.worst.copy(), measured.best.copy()
    worst[:missing], best[:missing] = 0.0, 1.0
    return replace(measured, statistics=worst, worst=worst, best=best)


def test_where_lower_is_better() -> None:
    low, high = ratio("low", 0.45, 2.0), ratio("high-one", 0.55, 1.0)
    reached = judged([low, high], TER, target=50.0).verdict
    assert (reached.kind, reached.rung) == ("reached", "low")
    assert "to reach ter 50.0: 4" in reached.sentence and ", at most 4" in reached.sentence
    missed = judged([low, high], TER, target=30.0)
    assert missed.verdict.kind == "not-reached" and "all are at least 4" in missed.verdict.sentence
    assert judged([low, high], TER, margin=1.0).verdict.rung == "low"
    lower, upper = missed.bounds["low"]
    assert lower is not None and upper is not None and 40 < lower < 45 < upper < 50


def test_the_same_rungs_in_another_order_give_the_same_verdict() -> None:
    assert judged([ZERO, FEW, LORA], target=0.7) == judged([ZERO, FEW, LORA], target=0.7)
    one, other = (judged(r, margin=0.2).verdict for r in ([ZERO, FEW, LORA], [LORA, FEW, ZERO]))
    assert (one.kind, one.rung, one.more_items) == (other.kind, other.rung, other.more_items)


def test_groups_widen_the_bounds_and_are_named() -> None:
    groups = np.repeat(np.arange(20), 10)
    rows = np.repeat(np.arange(20) < 18, 10)[:, None].astype(float)
    grouped = judged([Measured("a", rows, rows, rows, 1.0, groups)], target=0.3)
    alone = judged([Measured("a", rows, rows, rows, 1.0)], target=0.3)
    assert (grouped.bounds["a"][0] or 0) < (alone.bounds["a"][0] or 0) - 0.1
    assert "(200 items in 20 groups)" in grouped.verdict.sentence


def test_at_an_early_look_a_corpus_measure_has_that_looks_share_of_alpha() -> None:
    """A quarter and 20 items more of those planned: the quarter is looked at, at its part."""
    rungs = [ratio("one", 0.5, 1.0), ratio("other", 0.6, 2.0)]
    one, other = (rung.statistics[:70] for rung in rungs)
    evidence = Evidence(TER, rungs, Extent.of(200))
    first, second = (jackknife(lambda r: -TER.aggregate(r), rows[:50]) for rows in (one, other))  # type: ignore[operator]
    assert first is not None and second is not None
    expected = (first - second).bound(alpha=0.05, side="upper", look=0.25, span=100.0)
    assert evidence.lead_bound(one, other, level=0.05) == pytest.approx(expected)
    alone = first.bound(alpha=0.05, look=0.25, span=100.0)
    assert evidence.bound(one, level=0.05, side="lower") == pytest.approx(alone)
    assert evidence.lead_bound(one[:49], other, level=0.05) == np.inf


@pytest.mark.parametrize(("lower", "upper", "misses"), [(30, 70, False), (55, 70, True)])
def test_of_a_measure_where_less_is_better_the_lower_bound_is_the_better_one(
    lower: float, upper: float, misses: bool
) -> None:
    assert _misses((lower, upper), 50.0, -1) is misses
    assert _misses((-upper, -lower), -50.0, 1) is misses


def test_one_item_decides_nothing() -> None:
    assert judged([rung("a", 1, 1.0, n=1)], target=0.3).verdict.kind == "undecided"
    one = np.array([[1.0, 4.0]])
    unknown = judged([Measured("a", one, one, one, 1.0)], TER, target=50.0)
    assert unknown.verdict.kind == "undecided" and unknown.bounds["a"] == (None, None)


def test_misuse_is_told() -> None:
    with pytest.raises(ValueError, match="0 rungs were measured of 3"):
        judged([])
    with pytest.raises(ValueError, match="measured on different items"):
        judged([ZERO, rung("b", 5, 1.0, n=10)])
    rows = np.full((20, 1), 37.0)
    with pytest.raises(MetricError, match="mean of values from 0 to 1"):
        judged([Measured("a", rows, rows, rows, 1.0)], target=0.5)


def test_comparisons_put_the_better_first() -> None:
    found = comparisons([ZERO, FEW, LORA], Share(), seed=0)
    assert [(c.better, c.worse) for c in found] == [
        ("lora", "few-shot"),
        ("lora", "zero-shot"),
        ("few-shot", "zero-shot"),
    ]
    assert found[0].difference == pytest.approx(0.05)
    for c in found:
        assert c.low is not None and c.high is not None and c.low < c.difference < c.high
        assert c.p <= c.p_holm
    ter = comparisons([ratio("low", 0.45, 2.0), ratio("high-one", 0.55, 1.0)], TER, seed=0)
    assert ter[0].better == "low" and ter[0].difference < 0
    assert comparisons([ZERO], Share(), seed=0) == ()


def test_pairs_are_compared_over_what_both_have_answered() -> None:
    """Owed answers are no wrong ones; two rungs that have answered nothing in common are no
    pair."""
    rows = (np.arange(40)[:, None] % 4 > 0).astype(float)

    def owed(name: str, items: slice) -> Measured:
        worst, best = rows.copy(), rows.copy()
        worst[items], best[items] = 0.0, 1.0
        return Measured(name, worst, worst, best, 1.0)

    whole, half = Measured("whole", rows, rows, rows, 1.0), owed("half", slice(20, 40))
    other_half = owed("other-half", slice(0, 20))
    (pair,) = comparisons([whole, half], Share(), seed=0)
    assert (pair.difference, pair.n, pair.p) == (0.0, 20, 1.0)
    pairs = comparisons([whole, half, other_half], Share(), seed=0)
    assert [{p.better, p.worse} for p in pairs] == [{"whole", "half"}, {"whole", "other-half"}]


def test_crossover() -> None:
    assert crossover(0.0, 2.0, 600.0, 0.5) == 401
    assert crossover(600.0, 0.5, 0.0, 2.0) == 401
    assert crossover(0.0, 1.0, 600.0, 1.0) is None
    assert crossover(0.0, 1.0, 600.0, 2.0) is None
    assert crossover(0.0, 2.0, 1.0, 0.5) is None  # from the first request on
    assert crossover(0.0, 2.0, 1.5, 0.5) == 2


def test_with_a_target_who_costs_more_than_the_winner_is_no_rival_to_repeat(
    make_task: Callable[..., Task],
) -> None:
    """Without one it is: it was out of the race before its end, and may be as good."""
    grader = Grader(make_task(), requests=1)
    left: dict[str, DepartureKind] = {"zero-shot": "missed", "few-shot": "won", "lora": "over"}
    with_target, without = (
        chosen(grader, [ZERO, FEW, LORA], left, FEW, with_target=target) for target in (True, False)
    )
    assert with_target == {"few-shot", "zero-shot"}
    assert without == {"few-shot", "lora"}


def test_small_calibration() -> None:
    """A right procedure fails this with a probability of about one in a thousand a case."""
    pairs, clustered = list(calibration.pairs(2, 0.5)), list(calibration.clustered())
    for case in [pairs[0], pairs[3], clustered[1], *list(calibration.corpus(2))[1:]]:
        found = calibration.tally(case, 100)
        assert found.counted <= binom.ppf(0.999, 100, 0.05), case.name


def test_small_power() -> None:
    """The medians that were set as goals, with room for 60 studies' own spread."""
    for case in list(calibration.powers())[:2]:
        found = calibration.tally(case, 60)
        assert found.items <= 1.2 * case.reach, case.name


def test_real_outputs_are_calibrated_by_their_own_bleu(shared_data: Path) -> None:
    """DialogSum's stored summaries of a BART-large, drawn with replacement."""
    lines = (
        (shared_data / "dialogsum/baseline_bart_test_output.txt").read_text("utf-8").splitlines()
    )
    rows = (shared_data / "dialogsum/dialogsum.test.jsonl").read_text("utf-8").splitlines()
    references = [[json.loads(row)["summary1"]] for row in rows]
    (bleu,) = build_metrics(["bleu"], None, references)
    for case in calibration.resampled(bleu, bleu.statistics(lines, references)):
        found = calibration.tally(case, 20)
        assert found.counted <= binom.ppf(0.999, 20, 0.05), case.name


def test_few_large_groups_are_told_to_want_more_than_their_spread_lets_expect() -> None:
    """120 groups, of which one has 30 items: its bounds are wide for the largest group's sake, and
    what is missing is told by them, not by the spread alone."""
    groups = np.array([f"g{i}" for i in range(119) for _ in range(4)] + ["big"] * 30)
    rng = np.random.default_rng(0)
    better = (rng.random((len(groups), 1)) < 0.5).astype(float)
    worse = (rng.random((len(groups), 1)) < 0.35).astype(float)
    rungs = [Measured(n, c, c, c, 1.0, groups) for n, c in (("a", better), ("b", worse))]
    evidence = Evidence(Share(), rungs)
    distance = 0.01 + float(better.mean() - worse.mean())
    bound = evidence.lead_bound(worse, better, level=0.025)
    assert bound > 0.01  # not shown yet
    needed = evidence.lead_needed(worse, better, distance, level=0.025)
    assert needed is not None and needed > len(groups)
