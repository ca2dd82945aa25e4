"""Where a task's knowledge lies: documents in files and folders, found and hashed, not yet read.

    source = find_knowledge(["notes", "faq.csv"], Path("."))
    source.files[0].name      # notes/shelf-01.md
    source.fingerprint        # changes with every byte of every document

What stands in them is read by `stepladder.retrieval`. A file of another kind inside a folder is
passed over and counted; named by itself it is refused.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from errno import EINVAL
from functools import cached_property
from pathlib import Path
from stat import S_ISREG
from typing import NamedTuple

from stepladder.errors import KnowledgeError
from stepladder.plurals import counted
from stepladder.records import content_hash

DOCUMENTS = (".txt", ".md", ".html", ".htm", ".pdf", ".docx", ".jsonl", ".csv")
"""Suffixes of what can be read."""
LARGEST = 100_000_000
"""Bytes of a document that is read; it takes some ten times as much memory."""


class KnowledgeFile(NamedTuple):
    """A document's file."""

    path: Path
    name: str
    """As sources are named: the path as given, and inside of a folder the way down from it."""

    @property
    def size(self) -> int:
        """In bytes. Raises OSError for a pipe or a device, whose reading might never end."""
        found = self.path.stat()
        if not S_ISREG(found.st_mode):
            raise OSError(EINVAL, "no regular file")
        return found.st_size

    def digest(self) -> str:
        """Of its bytes; of those that are too many to be read, their number. Raises OSError."""
        if self.size > LARGEST:
            return f"{self.size} bytes"
        with self.path.open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()


@dataclass(frozen=True)
class KnowledgeSource:
    """The documents that answers may rest on."""

    files: tuple[KnowledgeFile, ...]
    """In the order given, a folder's by name."""
    passed_over: int = 0
    """Files of other kinds inside of folders."""
    gold: str | None = None
    """The field of the rows with the text of the passage that holds the answer, or its source."""
    abstain: str | None = None
    """What an answer may say where the documents do not tell; None: the task allows no such one."""
    nli: str | None = None
    """A model of natural-language inference, which also says whether answers follow from their
    evidence; without it words alone are compared."""

    @property
    def note(self) -> str:
        """What was found, for people to read."""
        return f"knowledge: {counted(len(self.files), 'document')}{self.over}"

    @property
    def over(self) -> str:
        """How many files of other kinds there are, behind what else is said; empty without any."""
        over = f"; files of other kinds, passed over: {self.passed_over:,}"
        return over if self.passed_over else ""

    @cached_property
    def fingerprint(self) -> str:
        """Content hash of names and bytes, of gold and abstention. The model of inference decides
        nothing, and is left out."""
        hashes = [[file.name, _digest(file)] for file in self.files]
        return content_hash([hashes, self.gold, self.abstain])


def find_knowledge(
    paths: Sequence[str],
    folder: Path,
    *,
    gold: str | None = None,
    abstain: str | None = None,
    nli: str | None = None,
) -> KnowledgeSource:
    """Finds the documents at `paths`, which are relative to `folder`; the rest is what a task says
    about them.

    Raises KnowledgeError for a path that is not there or is no document, and where no document is
    found at all.
    """
    files: list[KnowledgeFile] = []
    passed_over = 0
    for text in paths:
        path = folder / Path(text).expanduser()
        if path.is_dir():
            found = [file for file in _below(path) if file.suffix.lower() in DOCUMENTS]
            passed_over += len(_below(path)) - len(found)
            top = Path(text).name
            inside = [file.relative_to(path).as_posix() for file in found]
            files += [
                KnowledgeFile(file, f"{top}/{name}" if top else name)
                for file, name in zip(found, inside, strict=True)
            ]
        elif not path.exists():
            raise KnowledgeError(
                f"knowledge: {text}: no such file or folder (looked for {path}); name one that "
                "holds documents"
            )
        elif path.suffix.lower() not in DOCUMENTS:
            raise KnowledgeError(
                f"knowledge: {text}: the suffix '{path.suffix}' is no document's; give "
                f"{', '.join(DOCUMENTS)}, or a folder of these"
            )
        else:
            files.append(KnowledgeFile(path, Path(text).name))
    if not files:
        beside = f" (files of other kinds: {passed_over:,})" if passed_over else ""
        raise KnowledgeError(
            f"knowledge: {', '.join(paths)}: no document in it{beside}; put files of the kinds "
            f"{', '.join(DOCUMENTS)} there"
        )
    unique = {file.path.resolve(): file for file in reversed(files)}
    kept = tuple(file for file in files if unique[file.path.resolve()] is file)
    return KnowledgeSource(_told_apart(kept), passed_over, gold, abstain, nli)


def _told_apart(files: tuple[KnowledgeFile, ...]) -> tuple[KnowledgeFile, ...]:
    """Of two files under one name, both go by their whole path."""
    names = [file.name for file in files]
    return tuple(
        file._replace(name=file.path.as_posix()) if names.count(file.name) > 1 else file
        for file in files
    )


def _below(folder: Path) -> list[Path]:
    """All files below a folder but hidden ones, by name; links to folders are not followed."""
    found: list[Path] = []
    for top, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(top) / name for name in names if not name.startswith(".")]
    return sorted(found)


def _digest(file: KnowledgeFile) -> str:
    """Of the bytes; of a file that cannot be read, which is named where documents are read, why."""
    try:
        return file.digest()
    except OSError as error:
        return f"cannot be read ({error.strerror or error})"
