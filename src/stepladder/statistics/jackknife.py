"""Bounds on a corpus measure (BLEU, macro-F1), which is no mean of its examples.

Leaving out one unit at a time gives the measure's standard error (Efron & Stein 1981, "The
Jackknife Estimate of Variance", Annals of Statistics 9), and the normal approximation the bound.
Unlike `betting` this is right in large samples only, and at planned looks only: at a quarter, half
and all of the units. By a share t of the units, alpha * t^2 is spent (Kim & DeMets 1987, "Design
and Analysis of Group Sequential Tests Based on the Type I Error Spending Rate Function", Biometrika
74). What a look spends is the increase since the look before, so that no joint distribution of the
looks is needed; the last one keeps three quarters of alpha.

    corpus_bound(metric.aggregate, statistics, alpha=0.025)   # 31.4: BLEU is at least that
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isclose, sqrt

from stepladder.contracts import Floats
from stepladder.statistics.betting import Side
from stepladder.statistics.units import Aggregate, Groups, units, without_each

LOOKS = (0.25, 0.5, 1.0)
"""Shares of the planned units at which a corpus measure may be looked at."""

_ENOUGH = 20.0
"""So many units, equally influential, are taken to be enough for a normal approximation."""


def alpha_at(look: float, alpha: float) -> float:
    """The error probability that the look at this share of the units may spend, one-sided.

    >>> [alpha_at(look, 0.016) for look in LOOKS]
    [0.001, 0.003, 0.012]
    """
    if look not in LOOKS:
        raise ValueError(f"look is {look}; planned are {', '.join(map(str, LOOKS))}")
    place = LOOKS.index(look)
    earlier = LOOKS[place - 1] if place else 0.0
    return alpha * (look**2 - earlier**2)


@dataclass(frozen=True, slots=True, eq=False)
class Jackknife:
    """A score, and the score with each unit left out. Those of two systems on the same units can be
    subtracted: `ours - theirs` is the jackknife of the paired difference."""

    value: float
    left_out: Floats
    """Shape (units,), two at least."""

    def __sub__(self, other: Jackknife) -> Jackknife:
        return Jackknife(self.value - other.value, self.left_out - other.left_out)

    @property
    def pull(self) -> Floats:
        """Each unit's pull on the score, times the units: for a mean, its distance from it."""
        pull: Floats = (len(self.left_out) - 1) * (self.left_out.mean() - self.left_out)
        return pull

    @property
    def standard_error(self) -> float:
        n = len(self.left_out)
        return sqrt(float((self.pull**2).sum()) / (n * (n - 1)))

    def bound(
        self, *, alpha: float, side: Side = "lower", look: float = 1.0, span: float = 1.0
    ) -> float:
        """A one-sided bound on the score that more rows of the same population would have.

        `alpha` is for all looks together and `span` the width of the measure's scale. Where the
        score hangs on few units (all answers right, two systems that differ on three rows, or
        simply few rows), the spread seen says little about the spread there is: one more unit is
        then imagined that moves the score by `span` / units the wrong way.
        """
        from scipy.special import stdtrit

        n = len(self.left_out)
        squares, fourths = float((self.pull**2).sum()), float((self.pull**4).sum())
        shift = 0.0
        if isclose(fourths, 0.0, abs_tol=1e-24 * span**4) or squares**2 / fourths < _ENOUGH:
            squares += span**2
            shift = span / n
        error = sqrt(squares / (n * (n - 1)))
        distance = shift + float(stdtrit(n - 1, 1 - alpha_at(look, alpha))) * error
        return self.value - distance if side == "lower" else self.value + distance


def jackknife(
    aggregate: Aggregate, statistics: Floats, groups: Groups | None = None
) -> Jackknife | None:
    """Leaves out each row (or group) of statistics, shape (examples, columns), in turn; None from
    fewer than two, or where a score is undefined."""
    members = units(len(statistics), groups)
    value = aggregate(statistics)
    if value is None or len(members) < 2:
        return None
    left_out = without_each(aggregate, statistics, members)
    return None if left_out is None else Jackknife(value, left_out)


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
    """`Jackknife.bound` of these rows; infinite where there is no jackknife."""
    found = jackknife(aggregate, statistics, groups)
    if found is None:
        return -inf if side == "lower" else inf
    return found.bound(alpha=alpha, side=side, look=look, span=span)
