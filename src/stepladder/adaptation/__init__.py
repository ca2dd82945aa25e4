"""An adaptation: a checkpoint, a prompter and a reader, ready to answer.

query --prompter--> prompt --engine--> completion --reader--> answer
"""

from stepladder.adaptation.adaptation import Adaptation
from stepladder.adaptation.prompter import Demonstration, Demonstrations, Prompter
from stepladder.adaptation.readers import (
    LabelReader,
    ProgramReader,
    Reader,
    Reading,
    TextReader,
)

__all__ = [
    "Adaptation",
    "Demonstration",
    "Demonstrations",
    "LabelReader",
    "ProgramReader",
    "Prompter",
    "Reader",
    "Reading",
    "TextReader",
]
