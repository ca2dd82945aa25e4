"""Bounds on a corpus measure (BLEU, macro-F1), which is no mean of its examples.

Leaving out one unit at a time gives the measure's standard error (Efron & Stein 1981, "The
Jackknife Estimate of Variance", Annals of Statistics 9), and the normal approximation the bound.
Unlike `betting` this is right in large samples only, and at planned looks only: at a quarter, half
and all of the units, with alpha spent as O'Brien & Fleming's boundary does (Lan & DeMets 1983,
"Discrete Sequential Boundaries for Clinical Trials", Biometrika 70). What a look spends is the
increase since the look before, so that no joint distribution of the looks is needed. Of alpha =
0.025 the last look keeps 0.0235.

    corpus_bound(metric.aggregate, statistics, alpha=0.025)   # 31.4: BLEU is at least that
"""

from __future__ import annotations

from math import inf, isclose, sqrt
from statistics import NormalDist

from stepladder.contracts import Floats
from stepladder.statistics.betting import Side
from stepladder.statistics.units import Aggregate, Groups, units, without_each

LOOKS = (0.25, 0.5, 1.0)
"""Shares of the planned units at which a corpus measure may be looked at."""

_ENOUGH = 20.0
"""So many units, equally influential, are taken to be enough for a normal approximation."""
_NORMAL = NormalDist()


def alpha_at(look: float, alpha: float) -> float:
    """The error probability that the look at this share of the units may spend, one-sided.

    >>> [round(alpha_at(look, 0.025), 5) for look in LOOKS]
    [1e-05, 0.00152, 0.02347]
    """
    if look not in LOOKS:
        raise ValueError(f"look is {look}; planned are {', '.join(map(str, LOOKS))}")

    def spent(share: float) -> float:
        return 2 * (1 - _NORMAL.cdf(_NORMAL.inv_cdf(1 - alpha / 2) / sqrt(share)))

    earlier = LOOKS.index(look) - 1
    return spent(look) - (spent(LOOKS[earlier]) if earlier >= 0 else 0.0)


def standard_error(
    aggregate: Aggregate, statistics: Floats, groups: Groups | None = None
) -> float | None:
    """The jackknife's, over rows or groups; None from fewer than two, or without a score."""
    members = units(len(statistics), groups)
    left_out = without_each(aggregate, statistics, members) if len(members) > 1 else None
    if left_out is None:
        return None
    influence = left_out - left_out.mean()
    return sqrt(float((influence**2).sum()) * (1 - 1 / len(left_out)))


def corpus_bound(
    aggregate: Aggregate,
    statistics: Floats,
    groups: Groups | None = None,
    *,
    alpha: float,
    side: Side = "lower",
    look: float = 1.0,
    span: float = 1.0,
) -> float:
    """A one-sided bound on the score that more rows of the same population would have.

    `statistics` has the shape (examples, columns); for a paired difference, put the columns of both
    side by side. `alpha` is for all looks together and `span` the width of the measure's scale.

    Where the score hangs on few units (all answers right, two systems that differ on three rows,
    or simply few rows), the spread seen says little about the spread there is: one more unit is
    then imagined that moves the score by `span` / units the wrong way. Infinite where nothing can
    be said: no score, or fewer than two units.
    """
    nothing = -inf if side == "lower" else inf
    value = aggregate(statistics)
    members = units(len(statistics), groups)
    if value is None or len(members) < 2:
        return nothing
    left_out = without_each(aggregate, statistics, members)
    if left_out is None:
        return nothing
    from scipy.special import stdtrit

    n = len(members)
    # Each unit's pull on the score, times n: for a mean, the unit's distance from it.
    pull = (n - 1) * (left_out.mean() - left_out)
    squares = float((pull**2).sum())
    fourths = float((pull**4).sum())
    shift = 0.0
    if isclose(fourths, 0.0, abs_tol=1e-24 * span**4) or squares**2 / fourths < _ENOUGH:
        squares += span**2
        shift = span / n
    error = sqrt(squares / (n * (n - 1)))
    quantile = float(stdtrit(n - 1, 1 - alpha_at(look, alpha)))
    distance = shift + quantile * error
    return float(value - distance if side == "lower" else value + distance)
