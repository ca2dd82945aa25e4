"""The frozen records that cross rooms: data only, behaviour lives in the rooms.

Query --prompter--> Prompt --engine--> Completion --reader--> Generation --metric--> Score
"""

from stepladder.records.answers import Fate, Generation, ProgramRun
from stepladder.records.asking import (
    Completion,
    Failure,
    Finish,
    LogLikelihood,
    Prompt,
    Sampling,
    Turn,
    prompt_from_json,
)
from stepladder.records.examples import Example, Query
from stepladder.records.hashing import Json, content_hash
from stepladder.records.models import Adapter, Capabilities, Checkpoint, Endpoint, Head, Model
from stepladder.records.results import DEV_LOSS, Cost, Score, Trial, trial_from_json
from stepladder.records.training import (
    Build,
    FitSettings,
    HeadJob,
    HeadKind,
    OtherRow,
    Pooling,
    TrainingJob,
)

__all__ = [
    "Adapter",
    "Build",
    "Capabilities",
    "Checkpoint",
    "Completion",
    "Cost",
    "DEV_LOSS",
    "Endpoint",
    "Example",
    "Failure",
    "Fate",
    "Finish",
    "FitSettings",
    "Generation",
    "Head",
    "HeadJob",
    "HeadKind",
    "Json",
    "LogLikelihood",
    "Model",
    "OtherRow",
    "Pooling",
    "ProgramRun",
    "Prompt",
    "Query",
    "Sampling",
    "Score",
    "TrainingJob",
    "Trial",
    "Turn",
    "content_hash",
    "prompt_from_json",
    "trial_from_json",
]
