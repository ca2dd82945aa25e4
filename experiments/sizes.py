"""Do larger models gain more from prompt tuning? Soft prompt beside LoRA, over sizes of one family.

    python -m recipes.embedded.train --run RUN-64 --hidden 64 --heads 2 --feed_forward 176 ...
    python -m recipes.embedded.export --run RUN-64 --weights model --to width-64
    python experiments/sizes.py width-64 width-128 width-224 --picture sizes.svg

Lester et al. (arXiv 2104.08691, figure 1) find that a soft prompt comes up to full tuning as models
grow. Here each folder's model is climbed on bundled samples, several seeds; the table has both ways
and the gap, the picture a line each over the number of parameters. Without folders nothing is done.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from html import escape
from math import log10
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

import yaml

from stepladder import Study, Task
from stepladder.checkpoints import resolve
from stepladder.tasks.samples import samples

WAYS = ("zero-shot", "prompt-tuning(20)", "lora", "full")
COLOURS = ("#777777", "#b3560f", "#1f6f8b", "#3d7a37")
WIDTH, HEIGHT, EDGE = 560, 320, 48


class Found(NamedTuple):
    """One way on one model: the deciding metric, 0 to 100, a value a seed."""

    parameters: int
    values: tuple[float, ...]


def task_of(name: str, folder: Path, seed: int, items: int, rows: int) -> Task:
    """A bundled sample with so many rows, no target."""
    (sample,) = (sample for sample in samples() if sample.name == name)
    settings = yaml.safe_load((sample.folder / "task.yaml").read_text("utf-8"))
    settings["data"] = {k: str(sample.folder / file) for k, file in settings["data"].items()}
    settings |= {"seed": seed, "sample": {"train": rows, "test": items}}
    del settings["target"]
    path = folder / f"{name}-{seed}.yaml"
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return Task.load(path)


def parameters(folder: str) -> int:
    """Of a checkpoint in safetensors."""
    from safetensors import safe_open

    count = 0
    for file in resolve(folder).folder.glob("*.safetensors"):
        with safe_open(file, "pt") as tensors:
            for name in tensors.keys():  # noqa: SIM118 (no mapping)
                size = 1
                for side in tensors.get_slice(name).get_shape():
                    size *= side
                count += size
    return count


def climbed(sample: str, folder: str, given: argparse.Namespace) -> list[Found]:
    """All ways on one model, over the seeds."""
    values: list[list[float]] = [[] for _ in WAYS]
    for seed in range(given.seeds):
        task = task_of(sample, given.ledger.parent, seed, given.tests, given.rows)
        name = f"sizes-{sample}-{Path(folder).name}-{seed}"
        study = Study(task, [folder], list(WAYS), name=name, go_on=True, ledger=given.ledger)
        summary = study.climb()
        for rung, kept in zip(summary.rungs, values, strict=True):
            score = rung.metrics[summary.deciding]
            assert score.value is not None, rung.error
            kept.append(score.value * score.times)
    size = parameters(folder)
    return [Found(size, tuple(kept)) for kept in values]


def picture(title: str, found: Sequence[Sequence[Found]]) -> str:
    """An SVG: a line a way through the means, whiskers from the lowest to the highest seed."""
    sizes = [log10(row[0].parameters) for row in found]
    low, high = min(sizes), max(sizes)

    def x(size: int) -> float:
        return EDGE + (log10(size) - low) / ((high - low) or 1) * (WIDTH - 4 * EDGE)

    def y(value: float) -> float:
        return HEIGHT - EDGE - value / 100 * (HEIGHT - 2 * EDGE)

    parts = [f'<text x="{EDGE}" y="24" font-weight="bold">{escape(title)}</text>']
    for level in (0, 25, 50, 75, 100):
        parts.append(
            f'<path d="M{EDGE} {y(level):.1f}H{WIDTH - 3 * EDGE}" stroke="#dddddd"/>'
            f'<text x="{EDGE - 8}" y="{y(level) + 4:.1f}" text-anchor="end">{level}</text>'
        )
    for row in found:
        parts.append(
            f'<text x="{x(row[0].parameters):.1f}" y="{HEIGHT - EDGE + 20}" text-anchor="middle">'
            f"{row[0].parameters / 1e6:.2f} M</text>"
        )
    for number, (way, colour) in enumerate(zip(WAYS, COLOURS, strict=True)):
        ways = [row[number] for row in found]
        points = [(x(one.parameters), y(fmean(one.values))) for one in ways]
        path = "L".join(f"{a:.1f} {b:.1f}" for a, b in points)
        parts.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for one, (a, b) in zip(ways, points, strict=True):
            parts.append(
                f'<path d="M{a:.1f} {y(min(one.values)):.1f}V{y(max(one.values)):.1f}" '
                f'stroke="{colour}"/><circle cx="{a:.1f}" cy="{b:.1f}" r="3.5" fill="{colour}"/>'
            )
        a, b = points[-1]
        parts.append(
            f'<text x="{a + 10:.1f}" y="{b + 4 + _apart(number, found):.1f}" fill="{colour}">'
            f"{escape(way)}</text>"
        )
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'font-family="sans-serif" font-size="12" fill="#222222">\n'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>\n{body}\n</svg>\n'
    )


def _apart(number: int, found: Sequence[Sequence[Found]]) -> float:
    """How far a name moves down or up, so that names of lines that end alike do not meet."""
    ends = [fmean(one.values) for one in found[-1]]
    order = sorted(range(len(ends)), key=lambda i: -ends[i])
    scale = (HEIGHT - 2 * EDGE) / 100
    at = -1e9
    for one in order:
        wished = -ends[one] * scale
        at = max(wished, at + 14)
        if one == number:
            return at - wished
    raise LookupError(number)


def main() -> int:
    parser = argparse.ArgumentParser(description="Soft prompt beside LoRA, over sizes.")
    parser.add_argument("models", nargs="*", help="folders of one family")
    parser.add_argument("--samples", nargs="+", default=["inbox-labels", "support-notes"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--tests", type=int, default=150)
    parser.add_argument("--ledger", type=Path, default=Path("runs/sizes.db"))
    parser.add_argument("--picture", type=Path, help="SVG; the sample's name is put before it")
    given = parser.parse_args()
    if not given.models:
        print("no models: left out; give folders of one family, as the first lines here say")
        return 0
    given.ledger.parent.mkdir(parents=True, exist_ok=True)
    models = sorted(given.models, key=parameters)
    for sample in given.samples:
        found = [climbed(sample, folder, given) for folder in models]
        print(f"| {sample} | {' | '.join(WAYS)} | lora less prompt-tuning |")
        print("|---" * (len(WAYS) + 2) + "|")
        for row in found:
            cells = [
                f"{fmean(f.values):.1f} ({min(f.values):.1f} to {max(f.values):.1f})" for f in row
            ]
            gap = fmean(row[2].values) - fmean(row[1].values)
            print(f"| {row[0].parameters / 1e6:.2f} M | {' | '.join(cells)} | {gap:+.1f} |")
        if given.picture is not None:
            path = given.picture.with_name(f"{sample}-{given.picture.name}")
            path.write_text(picture(f"{sample}, test score", found), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
