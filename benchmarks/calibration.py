"""How often a study claims what is false, and how soon it claims anything.

    python benchmarks/calibration.py              # 2,000 studies a case; half an hour or more
    BENCH=quick python benchmarks/calibration.py  # 10
    python benchmarks/calibration.py --only power --studies 500

The same as `stepladder calibrate`, and with DialogSum's stored outputs of a BART-large, where a
folder of public data is named by STEPLADDER_SHARED, with BLEU on these. What is simulated, and
which claims are wrong, is told in `stepladder/study/calibration.py`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from stepladder.metrics import build_metrics
from stepladder.study.calibration import Case, cases, outcome, resampled, tally


def real_outputs() -> Iterator[Case]:
    data = Path(os.environ.get("STEPLADDER_SHARED", "../shared")) / "data/dialogsum"
    if not data.is_dir():
        print(f"no {data}: BLEU on real outputs is left out")
        return
    lines = (data / "baseline_bart_test_output.txt").read_text("utf-8").splitlines()
    rows = (data / "dialogsum.test.jsonl").read_text("utf-8").splitlines()
    references = [[json.loads(row)["summary1"]] for row in rows]
    (bleu,) = build_metrics(["bleu"], None, references)
    yield from resampled(bleu, bleu.statistics(lines, references))


def main() -> int:
    default = 10 if os.environ.get("BENCH") == "quick" else 2000
    parser = argparse.ArgumentParser(description="Simulates studies and counts wrong claims.")
    parser.add_argument("--studies", type=int, default=default, help="simulated studies a case")
    parser.add_argument("--only", default="", help="cases whose name contains this")
    arguments = parser.parse_args()
    failed = 0
    for case in (c for c in (*cases(), *real_outputs()) if arguments.only in c.name):
        begin = time.perf_counter()
        found = tally(case, arguments.studies)
        came_out = outcome(case, found)
        seconds = time.perf_counter() - begin
        shown = f"{case.name}: {found.describe(case.power)} ({seconds:.0f} s)"
        print(f"{came_out:4} {shown}", flush=True)
        failed += came_out == "FAIL"
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
