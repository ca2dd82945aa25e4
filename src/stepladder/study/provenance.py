"""Where a result comes from: versions, machine, git state, content hashes."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from stepladder.records import Json

_PACKAGES = (
    "stepladder",
    "torch",
    "transformers",
    "peft",
    "tokenizers",
    "accelerate",
    "numpy",
    "scipy",
    "sacrebleu",
    "rouge-score",
    "bm25s",
    "scikit-learn",
    "sentence-transformers",
    "pypdf",
    "python-docx",
    "beautifulsoup4",
    "pydantic-monty",
    "openai",
)


def origin(task_file: Path | None) -> Json:
    """Versions, machine, and the git state of the task file's folder."""
    return {
        "versions": versions(),
        "machine": machine(),
        "git": git_state(task_file.parent) if task_file else None,
    }


def versions() -> dict[str, str]:
    """Installed versions of everything that can move a number."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def machine() -> Json:
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
    }


def git_state(folder: Path) -> Json | None:
    """Commit and whether files differ from it; None outside a repository or without git."""
    try:
        commit = _git(folder, "rev-parse", "HEAD")
        changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return None
    return {"commit": commit, "dirty": bool(changed)}


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=10,
    )
    return done.stdout.strip()
