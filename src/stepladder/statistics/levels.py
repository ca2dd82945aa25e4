"""How one error probability is shared by all claims of a study, and what so many items can show.

A study of K rungs errs with probability at most alpha in all.

    detectable_difference(200, level=margin_level(2), sd=WORST_PAIR_SD)   # 0.18: 18 points of 100
"""

from __future__ import annotations

from functools import cache
from math import ceil, exp, log, sqrt
from statistics import NormalDist
from typing import Literal

WORST_SD = 0.5
"""The largest standard deviation of values in [0, 1]: half of all answers right."""
WORST_PAIR_SD = sqrt(0.5)
"""Of the difference of two such rungs that err independently; rungs of one model agree more."""
MOST_ITEMS = 1_000_000
"""Beyond that, saying how many items are needed is of no use."""

Bound = Literal["betting", "jackknife"]
"""How the claim will be made: of a mean, or of a corpus measure."""

_NORMAL = NormalDist()


def target_level(rungs: int, alpha: float = 0.05) -> float:
    """The level of each rung's bounds: alpha / K. A rung's truth lies on one side of the target, so
    that only one of its two bounds can lead to a wrong claim, and K rungs err with probability at
    most K * alpha / K."""
    return alpha / max(rungs, 1)


def margin_level(rungs: int, alpha: float = 0.05) -> float:
    """The level of each paired difference: alpha / (K (K - 1)), for as many ordered pairs."""
    return alpha / max(rungs * (rungs - 1), 1)


def guard_level(rungs: int, guards: int, alpha: float = 0.05) -> float:
    """The level of the bound on one rung's drop on one guard task: alpha / (K G). That a rung is
    good enough and forgets nothing is claimed only where every part of it is shown, so it is wrong
    with probability at most the largest level of a part (Berger 1982, "Multiparameter Hypothesis
    Testing and Acceptance Sampling", Technometrics 24), alpha / K, and K rungs with alpha. G makes
    all the bounds in the table hold together."""
    return alpha / max(rungs * guards, 1)


def detectable_difference(
    n: int,
    *,
    level: float,
    sd: float = WORST_PAIR_SD,
    power: float = 0.8,
    span: float = 2.0,
    bound: Bound = "betting",
) -> float:
    """How far from a line the truth must be for `n` items to show on which side it lies.

    The line is a target (`sd` of the values, `span` 1) or a margin (`sd` of the paired differences,
    `span` 2); the bound clears it with probability `power`. In closed form, from the stakes in
    `betting`: sqrt(2 log(1/level) sd^2 / n) for the bound, the sampling error of the mean, and
    half of span log(1/level) / n for learning the spread (fitted to simulations, which agree
    within a third from 50 items on, mostly within a tenth; of values that are all but equal the
    bound is three times as far as that). For a corpus measure, whose `sd` is the
    jackknife's error times sqrt(n), two normal quantiles. A prediction, never a claim.
    """
    if n < 1:
        return span
    if bound == "jackknife":
        quantiles = _NORMAL.inv_cdf(1 - level) + _NORMAL.inv_cdf(power)
        return min((quantiles * sd + span / sqrt(n)) / sqrt(n), span)
    stakes = log(1 / level)
    per_error = sqrt(2 * stakes) + _surplus(stakes, power)
    return min(per_error * sd / sqrt(n) + span * stakes / (2 * n), span)


@cache
def _surplus(stakes: float, power: float) -> float:
    """How many standard errors beyond the bound's own width give that power.

    Log-capital is a Brownian motion with variance 2 * stakes by the last item; the probability
    that its highest point reaches `stakes` is in Siegmund 1985, "Sequential Analysis", chapter 3.
    """
    scale = sqrt(2 * stakes)

    def reached(surplus: float) -> float:
        drift = stakes + surplus * scale
        return _NORMAL.cdf(surplus) + exp(drift) * _NORMAL.cdf(-(drift + stakes) / scale)

    low, high = -scale / 2, 8.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (low, middle) if reached(middle) > power else (middle, high)
    return high


def items_needed(
    difference: float,
    *,
    level: float,
    sd: float,
    power: float = 0.8,
    span: float = 2.0,
    bound: Bound = "betting",
) -> int | None:
    """The fewest items that tell this difference apart; None if more than `MOST_ITEMS`."""

    def enough(n: int) -> bool:
        found = detectable_difference(n, level=level, sd=sd, power=power, span=span, bound=bound)
        return found <= difference

    if not enough(MOST_ITEMS):
        return None
    few, many = 0, MOST_ITEMS
    while many - few > 1:
        middle = ceil((few + many) / 2)
        few, many = (few, middle) if enough(middle) else (middle, many)
    return many


def share_limit(counted: int, of: int, level: float = 0.05) -> float:
    """A one-sided upper limit on a probability of which `counted` in `of` were seen (Clopper &
    Pearson 1934), wrong with probability at most `level`.

    >>> round(share_limit(0, 59), 3)
    0.05
    """
    from scipy.stats import beta

    return 1.0 if counted == of else float(beta.ppf(1 - level, counted + 1, of - counted))
