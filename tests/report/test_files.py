from __future__ import annotations

import json
import math
from pathlib import Path

from stepladder.report.files import write_json_file, write_pair


def test_what_json_does_not_have_is_null_and_half_a_pair_breaks_nothing(tmp_path: Path) -> None:
    data = {"most": math.inf, "rows": ({"loss": math.nan}, 1.5), "name": "half \ud83d of å"}
    for path in (tmp_path / "deep" / "alone.json", tmp_path / "beside.json"):
        if path.name == "alone.json":
            write_json_file(data, path)
        else:
            write_pair("<p>", tmp_path / "page.html", data, path)
        text = path.read_text("utf-8")
        assert "å" in text and "Infinity" not in text
        read = json.loads(text)
        assert read == {"most": None, "rows": [{"loss": None}, 1.5], "name": "half \ud83d of å"}
    assert (tmp_path / "page.html").read_text() == "<p>"
