"""StepladderError and one class for each boundary.

A message says what is wrong, what came instead, and what to do next, in one line. The command line
prints it without a traceback and exits with `exit_code`.

    raise TaskError("task.yaml: unknown key 'metric'; did you mean 'metrics'?")
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class StepladderError(Exception):
    """Whatever Stepladder refuses; the user's mistake unless a subclass says otherwise."""

    exit_code = 2


class TaskError(StepladderError):
    """A task file or its data cannot be used as it stands."""


class KnowledgeError(StepladderError):
    """Documents that are not there, or that hold nothing to be found."""


class CheckpointError(StepladderError):
    """A model cannot be found, or is not what its folder promises."""


class RungError(StepladderError):
    """A list of methods that cannot be, or that this model cannot do."""


class MetricError(StepladderError):
    """An unknown metric, or one that does not fit the task."""


class SamplingError(StepladderError):
    """A sampling value out of its range."""


class LedgerError(StepladderError):
    """The ledger cannot be opened, is of a newer schema, or refuses a study."""


class OutputError(StepladderError):
    """Something cannot be written where the user wants it."""


class MissingExtraError(StepladderError):
    """A library of an optional extra is not installed."""

    def __init__(self, extra: str, what: str) -> None:
        super().__init__(
            f"{what} needs the extra '{extra}', which is not installed; "
            f"install it with: pip install 'stepladder[{extra}]'"
        )


class EngineError(StepladderError):
    """A model or an endpoint did not answer: the machine's fault, not the user's."""

    exit_code = 1


class TrainingError(StepladderError):
    """A training did not end with usable weights."""

    exit_code = 1


def meant(name: str, known: Iterable[str]) -> str:
    """A question for the nearest known name; empty where none is near.

    >>> meant("few-shots", ["few-shot", "lora"]), meant("x", ["lora"])
    ("did you mean 'few-shot'?", '')
    """
    close = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.6)
    return f"did you mean '{close[0]}'?" if close else ""


def nearest_name(name: str, known: Iterable[str]) -> str:
    """A hint for an unknown name: the nearest known one, or all of them.

    >>> nearest_name("x", ["few-shot", "lora"])
    'known are: few-shot, lora'
    """
    names = sorted(known)
    return meant(name, names) or "known are: " + ", ".join(names)
