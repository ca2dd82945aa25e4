"""The sample tasks that come with the package: folders with data, task files and a README.

    samples()          # [Sample(name="inbox-labels", about="Messages to ...", ...)]
    copy_sample("inbox-labels", Path("mine"))

How they were made, and what the embedded model was never shown, is in `recipes/embedded`.
"""

from __future__ import annotations

import shutil
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

from stepladder.errors import OutputError, TaskError

FOLDER = Path(__file__).resolve().parents[1] / "samples"


class Sample(NamedTuple):
    """A bundled task."""

    name: str
    about: str
    """The first sentence of its README."""
    folder: Path

    @property
    def tasks(self) -> list[str]:
        """Its task files, `task.yaml` first."""
        return sorted((file.name for file in self.folder.glob("*.yaml")), key=_main_first)


def _main_first(file: str) -> tuple[bool, str]:
    return file != "task.yaml", file


def samples() -> list[Sample]:
    """The bundled tasks, by name."""
    folders = sorted(file.parent for file in FOLDER.glob("*/task.yaml"))
    return [Sample(folder.name, _about(folder / "README.md"), folder) for folder in folders]


def _about(readme: Path) -> str:
    _, _, text = readme.read_text(encoding="utf-8").partition("\n\n")
    sentence, _, _ = " ".join(text.split()).partition(". ")
    return sentence.partition(":")[0].removesuffix(".") + "."


def copy_sample(name: str, folder: Path) -> Sample:
    """Copies a bundled task into a folder that is not there yet.

    Raises TaskError for a name that is not bundled, OutputError where it cannot be written.
    """
    known = {sample.name: sample for sample in samples()}
    if name not in known:
        near = get_close_matches(name, known, 1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise TaskError(f"there is no sample '{name}'; {hint}there are {', '.join(known)}")
    if folder.exists():
        raise OutputError(f"{folder}: exists already; name another folder, or remove it")
    try:
        shutil.copytree(known[name].folder, folder)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise OutputError(f"{folder}: cannot be written ({error.strerror or error})") from None
    return known[name]._replace(folder=folder)
