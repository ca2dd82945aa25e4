"""A bound on a mean that holds whenever it is looked at, without a normal distribution.

A gambler starts with 1 and bets, example after example, that the mean is above m. Where it is not,
no strategy makes the capital reach 1/alpha with a probability over alpha, however long one plays
and whenever one stops (Ville 1939). The lower bound is the least m that the gambler has not ruined
in this sense; the upper bound is the same game played with the values mirrored.

The game is the hedged-capital one of Waudby-Smith & Ramdas 2024, "Estimating means of bounded
random variables by betting", JRSS B 86 (sections 4.1 to 4.3, one side of it), with their
predictable plug-in stakes: stake t knows examples 1 to t-1 alone. Capital is split among gamblers
whose stakes are sized for an early, a middle or the last look; their sum is a fair game as well.

    mean_bound(right, alpha=0.025)          # 0.74: the mean is at least that

Draws are with replacement from a population: the bound is about new examples, not about these.
"""

from __future__ import annotations

from math import log
from typing import Literal

import numpy as np

from stepladder.contracts import Floats
from stepladder.statistics.units import Groups, units

Side = Literal["lower", "upper"]

_BOLDEST = 0.65
"""Share of the capital that one example may cost at most; chosen by power in simulations."""
_EARLIER = 8.0
"""Ratio of one gambler's horizon to the next earlier one's."""
_EARLIEST = 16.0
"""No gambler sizes stakes for fewer examples: nothing is decided by then."""
_HALVINGS = 30
_ROUNDING = 1e-9
"""So far outside of its range a value may lie for its last bits alone."""


def mean_bound(
    values: Floats,
    *,
    alpha: float,
    side: Side = "lower",
    low: float = 0.0,
    high: float = 1.0,
    groups: Groups | None = None,
    horizon: int | None = None,
    largest: int | None = None,
) -> float:
    """A one-sided bound on the mean of values in [low, high], wrong with probability <= alpha.

    `values` has the shape (examples,) and is taken in its order, which must not depend on the
    values. `horizon` is the number of examples (groups, where there are groups) that stakes are
    sized for, by default all that came; who looks before the last one must give the planned
    number, the same at every look.

    With `groups` the unit is the group and the mean that of all examples, E[sum] / E[size]: the
    gambler bets on the sum of (value - m) over a group, divided by `largest`, the size of the
    largest group that there is, by default of those given; who looks before the last example must
    give the same at every look.

    Raises ValueError for a value outside of [low, high] or an alpha outside of (0, 1).
    """
    values = np.asarray(values, dtype=np.float64)
    if not 0 < alpha < 1:
        raise ValueError(f"alpha is {alpha}; give a probability between 0 and 1")
    slack = _ROUNDING * (high - low)
    if values.size and not (values.min() >= low - slack and values.max() <= high + slack):
        raise ValueError(f"values reach from {values.min()} to {values.max()}, not {low} to {high}")
    scaled = np.clip((values - low) / (high - low), 0.0, 1.0)
    if side == "upper":
        scaled = 1 - scaled
    sums, sizes = _per_unit(scaled, groups, largest)
    bound = _lower(sums, sizes, alpha, horizon or len(sums))
    return low + (high - low) * (1 - bound if side == "upper" else bound)


def _per_unit(scaled: Floats, groups: Groups | None, largest: int | None) -> tuple[Floats, Floats]:
    """Sum and size of each unit, both divided by the largest size."""
    if groups is None:
        return scaled, np.ones(len(scaled))
    members = units(len(scaled), groups)
    sizes = np.array([len(rows) for rows in members], dtype=np.float64)
    sums = np.array([scaled[rows].sum() for rows in members])
    whole = float(largest or sizes.max(initial=1.0))
    if sizes.max(initial=1.0) > whole:
        raise ValueError(f"a group has {sizes.max():.0f} examples, more than the largest, {whole}")
    return sums / whole, sizes / whole


def horizons(planned: int) -> tuple[float, ...]:
    """The looks that stakes are sized for, in units: the last one, and earlier ones where there is
    room. One horizon alone would be slow to see a large difference among many units.

    >>> horizons(1000)
    (1000.0, 125.0)
    """
    found = [float(planned)]
    while found[-1] / _EARLIER >= _EARLIEST:
        found.append(found[-1] / _EARLIER)
    return tuple(found)


def _stakes(sums: Floats, sizes: Floats, alpha: float, horizon: int) -> Floats:
    """How much each gambler bets on each unit, from the units before it, shape (gamblers, units):
    sqrt(2 log(1/alpha) / (n variance)), the stake that is best for a look after n units."""
    means = (0.5 + np.cumsum(sums)) / (1 + np.cumsum(sizes))
    squares = (sums - means * sizes) ** 2
    variances = (0.25 + np.cumsum(squares)) / (1 + np.arange(1, len(sums) + 1))
    known = np.concatenate([[0.25], variances[:-1]])
    looks = np.array(horizons(horizon))[:, None]
    stakes: Floats = np.sqrt(2 * log(1 / alpha) / (looks * known))
    return stakes


def _lower(sums: Floats, sizes: Floats, alpha: float, horizon: int) -> float:
    """The least mean in [0, 1] that is not ruled out, by halving.

    The stakes do not depend on m but for their ceiling (`_BOLDEST` / m), so capital falls as m
    rises and the means that are ruled out are an interval from 0: halving misses none. Capital
    counts at its highest, which can rule out the very mean that was seen (a good start, then a bad
    run); a bound on the far side of its own estimate would puzzle more than it tells.
    """
    seen = float(sums.sum() / sizes.sum()) if len(sums) else 0.0
    if seen < 2.0**-_HALVINGS:
        return 0.0
    stakes = _stakes(sums, sizes, alpha, horizon)
    enough = log(len(stakes) / alpha)  # gamblers begin with equal shares of 1

    def ruled_out(mean: float) -> bool:
        gains = np.minimum(stakes, _BOLDEST / mean) * (sums - mean * sizes)
        capital = np.logaddexp.reduce(np.cumsum(np.log1p(gains), axis=1), axis=0)
        return bool(capital.max() >= enough)

    below, above = 0.0, seen
    for _ in range(_HALVINGS):
        middle = (below + above) / 2
        if ruled_out(middle):
            below = middle
        else:
            above = middle
    return below
