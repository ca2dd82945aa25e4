"""In which order the test items are asked, and in what portions.

The order is that of a hash of their ids and the task's seed, never that of a file, so every
beginning of it is a random draw of the items. Groups are kept whole.

    order = item_order(task.test, task.seed)
    shard_ends(Extent.of(200), corpus=False)     # (10, 20, ..., 90, 101, 113, ..., 200)
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stepladder.records import Example, content_hash
from stepladder.study.evidence import Extent

SHARD = 10
"""Items of the first shards: few, so that there is a table soon and a clear case ends soon."""
GROWTH = 8
"""Later shards are this part of what was asked before: a look comes at most an eighth too late,
while an engine gets batches worth its while."""


def item_order(items: Sequence[Example], seed: int) -> list[int]:
    """The places of the items in the order of asking; items of one group stand together."""

    def drawn(place: int) -> tuple[str, str]:
        item = items[place]
        own = content_hash(["item", seed, item.id])
        return (own if item.group is None else content_hash(["group", seed, item.group]), own)

    return sorted(range(len(items)), key=drawn)


def shard_ends(
    extent: Extent, *, corpus: bool, groups: NDArray[np.generic] | None = None
) -> list[int]:
    """After how many items each shard ends; the last one ends with the last item.

    `groups` names the group of each item in the order of asking. A corpus measure may be looked at
    only thrice, so its shards end at these looks, after a first small one.
    """
    if corpus:
        wanted = [SHARD, *extent.looks]
    else:
        wanted = [SHARD]
        while wanted[-1] < extent.items:
            wanted.append(wanted[-1] + max(SHARD, wanted[-1] // GROWTH))
    whole = _group_ends(extent.items, groups)
    ends = {int(whole[np.searchsorted(whole, min(end, extent.items))]) for end in wanted}
    return sorted(ends | {extent.items})


def _group_ends(items: int, groups: NDArray[np.generic] | None) -> NDArray[np.intp]:
    """After how many items a group ends."""
    if groups is None:
        return np.arange(1, items + 1)
    changes = np.flatnonzero(groups[1:] != groups[:-1]) + 1
    return np.append(changes, items)
