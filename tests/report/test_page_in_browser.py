"""What only a browser can tell: no sideways scrolling of the page, labels that do not touch."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import escape, unescape
from itertools import combinations
from pathlib import Path

import pytest
import replayed
import summaries

from stepladder.report import render_html
from stepladder.report.shares import render_shares

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")
WIDTHS = (360, 768, 1440)
PROBE = """
<!doctype html><meta charset="utf-8"><body><script>
addEventListener("load", () => {
  const found = [...document.querySelectorAll("iframe")].map(frame => {
    const page = frame.contentDocument;
    page.querySelectorAll("details").forEach(fold => fold.open = true);
    const boxes = [...page.querySelectorAll("svg.ladder")].map(picture =>
      [...picture.querySelectorAll(".label")].map(label => label.getBoundingClientRect())
        .filter(box => box.width).map(box => [box.left, box.top, box.right, box.bottom]));
    const costs = page.querySelector(".scroll[aria-labelledby=costs]");
    return {width: frame.clientWidth, costs: costs ? costs.scrollWidth - costs.clientWidth : 0,
            scroll: page.documentElement.scrollWidth,
            boxes, styled: frame.contentWindow.getComputedStyle(page.body).maxWidth};
  });
  document.body.setAttribute("data-found", JSON.stringify(found));
});
</script>
"""
"""Holds the page in frames (a headless window is never narrower than 500 pixels), as it is, with
its content security policy: the script that looks is outside."""


PAGES = {name: (lambda name=name: render_html(summaries.ALL[name]())) for name in summaries.ALL}
PAGES["replay"] = lambda: render_shares(replayed.found())


@pytest.mark.browser
@pytest.mark.parametrize("name", sorted(PAGES))
def test_no_sideways_scrolling_and_no_touching_labels(name: str, tmp_path: Path) -> None:
    if CHROMIUM is None:
        pytest.skip("no chromium here")
    page = escape(PAGES[name]())
    frames = [
        f'<iframe style="border: 0; width: {width}px; height: 900px" srcdoc="{page}"></iframe>'
        for width in WIDTHS
    ]
    (tmp_path / "probe.html").write_text(PROBE + "".join(frames), "utf-8")
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    command += ["--disable-background-networking", "--no-first-run", "--dump-dom"]
    command += ["--window-size=1600,1000", f"--user-data-dir={tmp_path / 'profile'}"]
    command.append((tmp_path / "probe.html").as_uri())
    shown = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    raw = re.search(r'data-found="([^"]*)"', shown.stdout)
    assert raw, shown.stderr
    for width, found in zip(WIDTHS, json.loads(unescape(raw[1])), strict=True):
        assert found["width"] == width
        assert found["scroll"] <= width
        assert found["styled"].endswith("px"), "the policy refused the page's own style"
        for boxes in found["boxes"]:
            assert not [pair for pair in combinations(boxes, 2) if touching(*pair)]
    assert found["costs"] == 0, "the widest of the tables is cut on a wide page"


def touching(one: list[float], other: list[float]) -> bool:
    """Whether two boxes (left, top, right, bottom) share more than a pixel's height."""
    beside = one[0] >= other[2] or other[0] >= one[2]
    return not beside and one[1] < other[3] - 1 and other[1] < one[3] - 1
