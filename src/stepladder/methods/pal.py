"""Programs for arithmetic: the model writes Python, a sandbox runs it, and its value is the answer.

    Pal(samples=5).adapt(base, train, dev, bench).reader      # a ProgramReader

Gao et al., "PAL: Program-aided Language Models" (arXiv 2211.10435); the vote over the answers that
sampled programs come to after Wang et al., "Self-Consistency" (arXiv 2203.11171). Demonstrations
beside it show programs, and a training behind it teaches them: those that the task file names, or
those that calculator marks in the references spell.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from stepladder import sandbox
from stepladder.adaptation import Adaptation, CitingReader, LabelReader, ProgramReader, TextReader
from stepladder.adaptation.prompter import STOP
from stepladder.contracts import Workbench
from stepladder.errors import RungError
from stepladder.records import Capabilities, Example

ASKED = "Write a Python program that sets answer."
WARM = 0.7
"""Temperature of samples where the task is greedy; that of the paper on self-consistency."""


@dataclass(frozen=True)
class Pal:
    """A program is asked for, run, and read."""

    samples: int = 1
    """Programs a query; with several, the answer that most of them come to is taken."""
    temperature: float | None = None
    """Of sampling; without it the task's own, or 0.7 for several samples of a greedy task."""
    max_new_tokens: int = 128
    """Tokens a program may have at least, where the task allows fewer for its answers."""
    timeout: float = 1.0
    """Seconds of computing that a program gets."""
    comments: bool = True
    """Whether the programs shown or learned keep their comments."""

    fills: ClassVar[str | None] = "reader"
    requires: ClassVar[Capabilities] = Capabilities()

    def __post_init__(self) -> None:
        if self.samples < 1:
            raise RungError(f"pal: samples is {self.samples}; give 1 or more")
        warmth = self.temperature
        if warmth is not None and not (math.isfinite(warmth) and warmth >= 0):
            raise RungError(f"pal: temperature is {warmth}; give 0 (greedy) or a number above")
        if self.samples > 1 and warmth == 0:
            raise RungError(
                f"pal: {self.samples} samples at temperature 0 are the same program "
                f"{self.samples} times; give a temperature above 0, or leave samples out"
            )
        if self.max_new_tokens < 1:
            raise RungError(f"pal: max_new_tokens is {self.max_new_tokens}; give 1 or more")
        if not (math.isfinite(self.timeout) and 0 < self.timeout <= 60):
            raise RungError(f"pal: timeout is {self.timeout}; give seconds above 0, at most 60")

    def adapt(
        self,
        base: Adaptation,
        train: Sequence[Example],
        dev: Sequence[Example],
        bench: Workbench,
    ) -> Adaptation:
        """Raises MissingExtraError without a sandbox, RungError behind demonstrations of answers.
        A training has been shown those, so they cannot be turned into programs afterwards."""
        sandbox.require()
        if base.prompter.demonstrations is not None:
            raise RungError(
                "pal asks for programs, but the demonstrations before the training to its left "
                "show answers; write pal or the demonstrations on the other side of the training"
            )
        then = base.reader.then if isinstance(base.reader, CitingReader) else base.reader
        assert isinstance(then, TextReader | LabelReader)
        limits = sandbox.Limits(seconds=self.timeout)
        prompter = replace(
            base.prompter,
            instruction="\n".join(filter(None, (base.prompter.instruction, ASKED))),
            stop=tuple(dict.fromkeys((*base.prompter.stop, *STOP))),
        )
        warmth = self.temperature
        if warmth is None:
            warmth = base.sampling.temperature or (WARM if self.samples > 1 else 0.0)
        sampling = replace(
            base.sampling,
            temperature=warmth,
            max_new_tokens=max(base.sampling.max_new_tokens, self.max_new_tokens),
        )
        reader = ProgramReader(then, limits, self.comments)
        return replace(
            base, prompter=prompter, reader=reader, sampling=sampling, samples=self.samples
        )
