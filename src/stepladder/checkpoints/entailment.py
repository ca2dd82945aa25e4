"""A model of natural-language inference: does a text follow from another?

    nli = open_entailment("org/some-nli-model")
    nli.follow([("It weighs 3 kilos.", "How heavy is it? 3 kilos")])      # [True]

Any sequence classifier whose labels have one that begins with "entail" will do. A premise that is
too long for the model is cut at its end. Weights are read from safetensors alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from stepladder.checkpoints.loading import quiet
from stepladder.errors import CheckpointError, MissingExtraError

_AT_ONCE = 16


class Entailment:
    """An opened model."""

    def __init__(self, name: str, model: Any, tokenizer: Any) -> None:
        """Raises CheckpointError where no label says that a text follows."""
        self.name = name
        self._model = model.eval()
        self._tokenizer = tokenizer
        self._follows = _entails(name, model.config)

    def follow(self, pairs: Sequence[tuple[str, str]]) -> list[bool]:
        """For each premise and hypothesis, whether entailment is the most probable label."""
        import torch

        verdicts: list[bool] = []
        for start in range(0, len(pairs), _AT_ONCE):
            premises, hypotheses = zip(*pairs[start : start + _AT_ONCE], strict=True)
            encoded = self._tokenizer(
                list(premises),
                list(hypotheses),
                truncation="only_first",
                padding=True,
                return_tensors="pt",
            )
            with torch.inference_mode():
                best = self._model(**encoded).logits.argmax(dim=-1)
            verdicts += [int(at) == self._follows for at in best]
        return verdicts


@lru_cache(maxsize=1)
def open_entailment(name: str) -> Entailment:
    """Opens a model by its hub id or folder. Raises CheckpointError or MissingExtraError."""
    with _loading(name):
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(_place(name))
        model = AutoModelForSequenceClassification.from_pretrained(
            _place(name),
            use_safetensors=True,  # pickles run code
        )
    return Entailment(name, model, tokenizer)


def check_entailment(name: str) -> None:
    """What its configuration alone tells: raises as `open_entailment` where it is not there, or no
    model of inference."""
    with _loading(name):
        from transformers import AutoConfig

        config = AutoConfig.from_pretrained(_place(name))
    _entails(name, config)


def _entails(name: str, config: Any) -> int:
    """Which label says that a text follows."""
    labels = {int(at): str(label) for at, label in config.id2label.items()}
    found = [at for at, label in labels.items() if label.lower().startswith("entail")]
    if len(found) != 1:
        raise CheckpointError(
            f"nli '{name}': one label that begins with 'entail' is expected, "
            f"{', '.join(labels.values())} came; give a model of natural-language inference"
        )
    return found[0]


def _place(name: str) -> str:
    """The folder, or the hub id."""
    folder = Path(name).expanduser()
    return str(folder) if folder.exists() else name


@contextmanager
def _loading(name: str) -> Iterator[None]:
    """Quietly, with what goes wrong told in a line."""
    try:
        with quiet():
            yield
    except ModuleNotFoundError as error:
        raise MissingExtraError("hf", "a model of natural-language inference") from error
    except (OSError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise CheckpointError(
            f"nli '{name}' cannot be loaded ({reason}); give the hub id or the folder of a model "
            "of natural-language inference, or leave nli out"
        ) from error
