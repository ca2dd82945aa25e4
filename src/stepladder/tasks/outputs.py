"""Anyone's outputs for the test ids: another system's, an API's, people's.

read_outputs(Path("bart.jsonl"))    # {"test_0": "Ms. Dawson takes a dictation.", ...}
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stepladder.errors import TaskError
from stepladder.tasks.fields import check_columns, required_text, text_of
from stepladder.tasks.files import read_source

_MARK = "outputs:"


@dataclass(frozen=True, slots=True)
class OutputsRung:
    """A rung whose answers stand in a file. What it costs is unknown unless the user says so."""

    path: Path
    name: str
    seconds: float | None = None
    """Mean per request."""
    tokens_in: float | None = None
    """Mean per request."""
    tokens_out: float | None = None
    """Mean per request."""

    @classmethod
    def at(cls, path: Path) -> OutputsRung:
        """A file of outputs of unknown cost, named after itself."""
        return cls(path, path.name.split(".")[0])


def outputs_file(rung: str) -> str | None:
    """The file that a rung written as one text (`outputs: FILE`) names; None for methods."""
    text = rung.strip()
    return text.removeprefix(_MARK).strip() if text.startswith(_MARK) else None


def read_outputs(path: Path) -> dict[str, str]:
    """Outputs by id, in the file's order, from rows `{"id": ..., "output": ...}`.

    An output may be empty or null (the system had no answer), an id may not. Further fields are
    not read. Raises TaskError naming the rows for what cannot be read and for an id given twice.
    """
    source = read_source(path, str(path))
    if "id" not in source.columns:
        raise TaskError(
            f"{source.name}: no field 'id' to say which test row an output answers, only "
            f"{', '.join(source.columns)}; give each the id of its row: what stands in the field "
            "that 'id: FIELD' names in the task file, and is made from the content without one"
        )
    check_columns(("output",), source, "outputs")
    rows: dict[str, int] = {}
    outputs: dict[str, str] = {}
    for row in source.rows:
        name = required_text("id", row, source)
        if name in rows:
            raise TaskError(
                f"{source.name}: row {row.number}: id '{name}' was given in row {rows[name]} "
                "already; keep one"
            )
        if "output" not in row.fields:
            raise TaskError(f"{source.name}: row {row.number}: field 'output' is missing")
        rows[name] = row.number
        outputs[name] = text_of(row.fields["output"], "output", row, source) or ""
    return outputs
