"""Rows out of a data set on the Hugging Face hub, by way of the library `datasets`.

    read_hub(HubData("knkarthick/dialogsum"))    # {"train": Source, "dev": Source, "test": Source}

The library honours HF_TOKEN, the hub's own login, its cache and HF_HUB_OFFLINE by itself. No code
of a data set is run: the library has given that up.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from stepladder.errors import MissingExtraError, TaskError
from stepladder.tasks.files import Row, Source

SPLIT_NAMES: Mapping[str, tuple[str, ...]] = {
    "train": ("train", "training"),
    "dev": ("dev", "validation", "valid", "val", "eval"),
    "test": ("test", "testing"),
}
"""What data sets call the splits; the first match is taken."""


@dataclass(frozen=True)
class HubData:
    """A data set on the hub."""

    name: str
    config: str | None = None
    revision: str | None = None
    splits: Mapping[str, str] = field(default_factory=dict)
    """Ours to the data set's own, where the usual names do not fit; then only these are read."""


def read_hub(data: HubData) -> dict[str, Source]:
    """The data set's splits under our names (train, dev, test), as far as it has them.

    Raises TaskError where it cannot be reached or found, or has none of these splits, and
    MissingExtraError without `datasets`.
    """
    try:
        import datasets
    except ImportError:
        raise MissingExtraError("hf", f"reading {data.name} from the hub") from None
    # Its warnings tell each failed try with its address; the one line below says what to do.
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    try:
        loaded = datasets.load_dataset(data.name, data.config, revision=data.revision)
    except datasets.exceptions.DatasetNotFoundError:
        raise TaskError(
            f"{data.name}: no such data set on the hub, or not one that you may read; check the "
            "name and the revision, or log in with: hf auth login (or set HF_TOKEN)"
        ) from None
    except ConnectionError:
        raise TaskError(
            f"{data.name}: the hub cannot be reached and the data set is not in its cache; "
            "download its files where there is a network and name them under data: "
            "{train: ..., dev: ..., test: ...}"
        ) from None
    except (datasets.exceptions.DatasetsError, ValueError, OSError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise TaskError(f"{data.name}: cannot be loaded from the hub ({reason})") from None
    return {
        split: Source(
            f"{data.name} {theirs}",
            [Row(number, fields) for number, fields in enumerate(loaded[theirs], start=1)],
        )
        for split, theirs in _chosen(data, list(loaded)).items()
    }


def _chosen(data: HubData, available: list[str]) -> dict[str, str]:
    """Our split names to those of the data set."""
    for split, theirs in data.splits.items():
        if theirs not in available:
            raise TaskError(
                f"{data.name}: {split}: no split '{theirs}'; it has {', '.join(available)}"
            )
    if data.splits:
        return dict(data.splits)
    chosen = {
        split: next(name for name in names if name in available)
        for split, names in SPLIT_NAMES.items()
        if any(name in available for name in names)
    }
    if not chosen:
        raise TaskError(
            f"{data.name}: has no split named train, validation or test but "
            f"{', '.join(available)}; say which is which: "
            "data: {hub: ..., train: NAME, test: NAME}"
        )
    return chosen
