"""SHOW: what a study found, as a page, as JSON, and as a table in the terminal.

All three read one record, `study.summary.Summary`, and take their numbers from `view`, so they say
the same. No torch, no network, no script in the page; every text of a model's is escaped.

    from stepladder.report import print_table, write_html, write_json

    write_html(summary, Path("runs/demo/report.html"))
"""

from __future__ import annotations

from stepladder.report.data import as_json, write_json
from stepladder.report.page import render_html, write_html
from stepladder.report.terminal import print_table

__all__ = ["as_json", "print_table", "render_html", "write_html", "write_json"]
