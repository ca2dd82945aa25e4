"""The last number in a text: what the answer to a word problem comes down to.

Read are `1,234.5`, `-7`, `-$3`, `.5`, `1.2e6`, `18%` (as 18) and `#### 18.`; with `fractions` also
`3/4` and `1 1/2`. A comma separates thousands, a point decimals. A hyphen is a sign only right
before its number and not behind a letter, a digit or a closing bracket (`10-12` ends in 12), and
digits right behind a letter are no number (`H2O`). Numbers in words are not read.

    >>> last_number("She sells 3 - 1 = 2 a day, so she makes $1,234.50.")
    1234.5
"""

from __future__ import annotations

import math
import re

_START = r"(?<![^\W_])"  # no letter and no digit before it
_PLAIN = rf"{_START}(?:\d{{1,3}}(?:,\d{{3}})+(?!\d)|\d+)(?:\.\d+)?(?:[eE][-+]?\d+(?!\w))?"
_POINT = rf"{_START}\.\d+"
_FRACTION = r"(?<![\w/.,])(?:(?P<whole>\d+)\s+)?(?P<over>\d+)\s?/\s?(?P<under>0*[1-9]\d*)(?![\d/])"
_NUMBER = re.compile(f"{_PLAIN}|{_POINT}")
_NUMBER_OR_FRACTION = re.compile(f"{_FRACTION}|{_PLAIN}|{_POINT}")
_MINUS = re.compile(r"(?<![\w)\]}-])[-\u2212](?:[$€£¥]\s?)?$")


def last_number(text: str, *, fractions: bool = False) -> float | None:
    """The last finite number in the text; None where there is none."""
    pattern = _NUMBER_OR_FRACTION if fractions else _NUMBER
    for match in reversed(list(pattern.finditer(text))):
        groups = match.groupdict()
        if groups.get("under"):
            value = int(groups["whole"] or 0) + int(groups["over"]) / int(groups["under"])
        else:
            value = float(match[0].replace(",", ""))
        if math.isfinite(value):
            # A sign is at most a hyphen, a currency and a space long.
            start = match.start()
            return -value if _MINUS.search(text, max(start - 3, 0), start) else value
    return None
