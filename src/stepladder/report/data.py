"""The summary as JSON: all of it as plain data, and each rung's costs at the stated traffic.

write_json(summary, Path("runs/demo/summary.json"))
"""

from __future__ import annotations

from pathlib import Path

from stepladder.records import Json
from stepladder.report.costs import known_cost, money
from stepladder.report.files import plain, write_json_file
from stepladder.study.summary import Summary


def as_json(summary: Summary) -> Json:
    """The summary as `json.dumps` takes it. Metrics are on their own scale (`times` brings them to
    0 to 100), times are seconds, sizes bytes; what is not known is None.

    A rung's `costs` hold `total_seconds` at the summary's `requests`, and `money` where the user
    gave prices; `race` has the sentence of what was `saved`.
    """
    data: Json = plain(summary.as_json())
    if summary.race is not None:
        data["race"]["saved"] = summary.race.saved
    for rung, row in zip(summary.rungs, data["rungs"], strict=True):
        del row["cost"]
        costs = known_cost(rung.cost)
        costs["total_seconds"] = rung.cost.total_seconds(summary.requests)
        if summary.prices:
            costs["money"] = money(rung.cost, summary.requests, summary.prices)
        row["costs"] = plain(costs)
    return data


def write_json(summary: Summary, path: Path) -> None:
    """Writes `as_json(summary)`, whole or not at all. Raises OutputError."""
    write_json_file(as_json(summary), path)
