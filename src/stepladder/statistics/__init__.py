"""Arrays in, numbers out: intervals, tests, and bounds that hold whenever they are looked at.

Nothing here knows what a rung, a metric or a prompt is.

- `mean_bound` (betting) and `corpus_bound` (jackknife) carry the verdict;
- `target_level`, `margin_level` and `guard_level` share one error probability among a study's
  claims;
- `detectable_difference` and `items_needed` predict what so many items can show;
- `confidence_interval`, `approximate_randomisation` and `holm` describe.
"""

from stepladder.statistics.betting import Side, mean_bound
from stepladder.statistics.intervals import Interval, confidence_interval
from stepladder.statistics.jackknife import LOOKS, Jackknife, corpus_bound, jackknife
from stepladder.statistics.levels import (
    WORST_PAIR_SD,
    WORST_SD,
    Bound,
    detectable_difference,
    guard_level,
    items_needed,
    margin_level,
    share_limit,
    target_level,
)
from stepladder.statistics.randomisation import approximate_randomisation, holm
from stepladder.statistics.units import Aggregate, Groups

__all__ = [
    "LOOKS",
    "WORST_PAIR_SD",
    "WORST_SD",
    "Aggregate",
    "Bound",
    "Groups",
    "Interval",
    "Jackknife",
    "Side",
    "approximate_randomisation",
    "confidence_interval",
    "corpus_bound",
    "detectable_difference",
    "guard_level",
    "holm",
    "items_needed",
    "jackknife",
    "margin_level",
    "mean_bound",
    "share_limit",
    "target_level",
]
