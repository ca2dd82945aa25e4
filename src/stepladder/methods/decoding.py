"""Decoding: how tokens are drawn is chosen on dev, by trying.

    Decoding(temperature="0|0.7", n="1|5").adapt(base, train, dev, bench).sampling

Every combination of the values that are given is tried on all dev rows and graded by the measure
that decides the study; the best is kept, of equals the cheapest. Several answers a query are voted
over (Wang et al., "Self-Consistency", arXiv 2203.11171). The best of many on few rows looks better
than it is: the figure on dev says why it was chosen, and the test items how good it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, ClassVar

from stepladder.adaptation import Adaptation
from stepladder.contracts import Workbench
from stepladder.errors import RungError, SamplingError
from stepladder.records import Capabilities, Endpoint, Example, Sampling, Trial

USUAL = {"temperature": "0|0.7", "top_p": "0.9|1", "n": "1|5"}
"""Tried where no setting is given: greedy, and four ways to draw."""


@dataclass(frozen=True)
class _Setting:
    """One way to draw; the sampling's stop strings and length are the rung's own."""

    sampling: Sampling
    n: int

    @property
    def name(self) -> str:
        drawing = self.sampling
        if drawing.beams > 1:
            return f"beams={drawing.beams}"
        if drawing.temperature == 0:
            return "greedy"
        parts = {"temperature": drawing.temperature, "top_p": drawing.top_p}
        parts |= {"top_k": drawing.top_k} if drawing.top_k else {}
        return ", ".join(f"{key}={value:g}" for key, value in {**parts, "n": self.n}.items())


@dataclass(frozen=True)
class Decoding:
    """Sampling settings chosen on dev; several values of one stand between bars."""

    temperature: str | None = None
    """`0|0.7`. What is not given is as the task has it; without any setting `temperature=0|0.7,
    top_p=0.9|1, n=1|5` are tried."""
    top_p: str | None = None
    """`0.9|1`: draw from the smallest set of tokens whose probabilities reach this sum."""
    top_k: str | None = None
    """`0|40`: draw from this many most probable tokens; 0 means all."""
    n: str | None = None
    """`1|5`: answers a query, of which the most frequent is taken."""
    beams: str | None = None
    """`1|4`: answers followed at once, of which the most probable is taken; greedy with 1."""

    fills: ClassVar[str | None] = "sampling"
    requires: ClassVar[Capabilities] = Capabilities()

    def __post_init__(self) -> None:
        """Refuses what cannot be read, before there is a task to try it on."""
        self._settings(Sampling(temperature=0.7 if self.beams is None else 0.0), 1)

    def adapt(
        self,
        base: Adaptation,
        train: Sequence[Example],
        dev: Sequence[Example],
        bench: Workbench,
    ) -> Adaptation:
        """Raises RungError without dev rows, and for beams behind an endpoint."""
        settings = self._settings(base.sampling, base.samples)
        if isinstance(base.checkpoint, Endpoint) and any(s.sampling.beams > 1 for s in settings):
            raise RungError(
                f"decoding: {base.checkpoint.name} is an endpoint, which searches no beams; leave "
                "beams out"
            )
        adapted = [replace(base, sampling=s.sampling, samples=s.n) for s in settings]
        if len(settings) == 1:
            return adapted[0]
        if not dev:
            raise RungError(
                f"decoding chooses among {len(settings)} settings on dev rows, and the task has "
                "none; give data.dev, or one value a setting"
            )
        trials = [
            bench.score_dev(setting.name, adaptation, dev)
            for setting, adaptation in zip(settings, adapted, strict=True)
        ]
        best = chosen(trials)
        bench.record_trials([replace(t, chosen=i == best) for i, t in enumerate(trials)])
        return adapted[best]

    def _settings(self, own: Sampling, samples: int) -> list[_Setting]:
        """Every combination once, the cheapest first. Raises RungError."""
        given = {f: v for f in ("temperature", "top_p", "n") if (v := getattr(self, f)) is not None}
        bare = not given and self.top_k is None and self.beams is None
        given = dict(USUAL) if bare else given
        values = [
            _values("temperature", given.get("temperature"), float, own.temperature),
            _values("top_p", given.get("top_p"), float, own.top_p),
            _values("top_k", self.top_k, int, own.top_k),
            _values("n", given.get("n"), int, samples),
            _values("beams", self.beams, int, own.beams),
        ]
        found: dict[_Setting, None] = {}
        for temperature, top_p, top_k, n, beams in product(*values):
            if n < 1:
                raise RungError(f"decoding: n is {n}; give 1 or more")
            if temperature > 0 and beams > 1:
                continue  # beams are searched without drawing
            try:
                wanted = replace(
                    own, temperature=temperature, top_p=top_p, top_k=top_k, beams=beams
                )
            except SamplingError as error:
                raise RungError(f"decoding: {error}") from None
            if temperature == 0:  # nothing is drawn, so these change nothing
                wanted, n = replace(wanted, top_p=own.top_p, top_k=own.top_k), 1
            found[_Setting(wanted, n)] = None
        if not found:
            raise RungError("decoding: beams are searched at temperature 0; add it to temperature")
        idle = [f for f in ("top_p", "top_k", "n") if getattr(self, f) is not None]
        if idle and all(setting.sampling.temperature == 0 for setting in found):
            raise RungError(
                f"decoding: at temperature 0 nothing is drawn, and {idle[0]} changes nothing; give "
                "a temperature above 0 too"
            )
        return sorted(found, key=lambda s: s.n * s.sampling.beams)


def chosen(trials: Sequence[Trial]) -> int:
    """The place of the best trial, of equals the first; the first where none has a value."""
    known = [(i, t.score.value) for i, t in enumerate(trials) if t.score.value is not None]
    if not known:
        return 0
    sign = 1 if trials[known[0][0]].score.better == "higher" else -1
    return max(known, key=lambda pair: (sign * pair[1], -pair[0]))[0]


def _values(name: str, text: str | None, kind: Callable[[str], Any], own: Any) -> list[Any]:
    """The values between the bars, or the task's own."""
    if text is None:
        return [own]
    try:
        return [kind(part) for part in text.split("|")]
    except ValueError:
        raise RungError(
            f"decoding: {name} is '{text}'; give numbers between bars, such as "
            f"{USUAL.get(name, '1|4')}"
        ) from None
