"""FORESIGHT: the memory and the work of a training, before it starts and without its weights.

config = read_config("meta-llama/Llama-3.2-3B")
forecast = foretell(config, Lora(rank=32), Batch(rows=4, prompt=700, answer=68))
forecast.peak              # bytes of tensors at the fullest moment of an update
"""

from stepladder.forecast.configuration import read_config
from stepladder.forecast.products import kernel_bytes
from stepladder.forecast.rehearsal import (
    Batch,
    Beside,
    Forecast,
    empty_model,
    foretell,
    within,
)
from stepladder.forecast.speed import Speed, probe
from stepladder.forecast.work import Work, work_of

__all__ = [
    "Batch",
    "Beside",
    "Forecast",
    "Speed",
    "Work",
    "empty_model",
    "foretell",
    "kernel_bytes",
    "probe",
    "read_config",
    "within",
    "work_of",
]
