"""What to call models in tables and pictures: a folder by its own name, whatever leads to it.

    short_names(["/data/nets/width-64", "embedded"])    # {"/data/nets/width-64": "width-64", ...}

Hub ids, addresses of endpoints and `embedded` are short already, and say more than a part of them.
Only the names are looked at, so a report reads alike where the folders are not.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from stepladder.checkpoints.endpoints import is_address
from stepladder.checkpoints.hub import may_be_on_hub


def short_names(names: Sequence[str]) -> dict[str, str]:
    """Each name with what to call it: of a folder's path the last part, and as many before it as
    tell it from the others."""
    return {name: short_name(name, [each for each in names if each != name]) for name in names}


def short_name(name: str, others: Sequence[str] = ()) -> str:
    """What to call one model beside others."""
    if is_address(name) or may_be_on_hub(name.partition("@")[0]):
        return name
    parts, rivals = PurePath(name).parts, [PurePath(other).parts for other in others]
    for n in range(1, len(parts)):
        end = parts[-n:]
        if end[0] != ".." and not any(rival[-n:] == end for rival in rivals):
            return str(PurePath(*end))
    return name
