"""An adaptation: a checkpoint, a prompter and a reader, ready to answer.

query --prompter--> prompt --engine--> completion --reader--> answer
"""

from stepladder.adaptation.adaptation import Adaptation
from stepladder.adaptation.evidence import Evidence
from stepladder.adaptation.prompter import Demonstration, Demonstrations, Prompter
from stepladder.adaptation.readers import (
    CitingReader,
    LabelReader,
    ProgramReader,
    Reader,
    Reading,
    TextReader,
)

__all__ = [
    "Adaptation",
    "CitingReader",
    "Demonstration",
    "Demonstrations",
    "Evidence",
    "LabelReader",
    "ProgramReader",
    "Prompter",
    "Reader",
    "Reading",
    "TextReader",
]
