"""YAML as people mean it: the safe loader, without YAML 1.1's surprises.

Under YAML 1.1 `labels: [yes, no]` is two booleans, `2024-01-01` a date, `1e-4` a text, and the
second of two equal keys silently wins. Here only `true` and `false` are booleans, dates stay text,
`1e-4` is a number, and a key given twice is an error.

    read_yaml(Path("task.yaml"))    # {"name": "dialogsum", ...}
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from stepladder.errors import TaskError


class _Loader(yaml.SafeLoader):
    """The safe loader (no Python objects), with this module's resolvers."""


_DROPPED = {"tag:yaml.org,2002:bool", "tag:yaml.org,2002:timestamp"}
_Loader.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in resolvers if tag not in _DROPPED]
    for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?[0-9]+(?:\.[0-9]*)?[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        key = key_node.value
        if key in seen:
            raise yaml.MarkedYAMLError(
                problem=f"the key '{key}' is given twice", problem_mark=key_node.start_mark
            )
        seen.add(key)
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping that a YAML file holds.

    Raises TaskError where the file is missing, unreadable, not YAML (naming the line), or holds
    something else than a mapping.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise TaskError(f"{path}: no such file; write one with: stepladder init DATA") from None
    except UnicodeDecodeError as error:
        raise TaskError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start})") from None
    except OSError as error:
        raise TaskError(f"{path}: cannot be read ({error.strerror})") from None
    try:
        value = yaml.load(text, Loader=_Loader)  # noqa: S506 - a subclass of SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f"line {mark.line + 1}: " if mark else ""
        raise TaskError(f"{path}: {line}not YAML ({error.problem or error.context})") from None
    except yaml.YAMLError as error:
        raise TaskError(f"{path}: not YAML ({' '.join(str(error).split())})") from None
    if not isinstance(value, dict):
        came = "nothing" if value is None else f"a {type(value).__name__}"
        raise TaskError(f"{path}: a task file is a list of 'key: value' lines; {came} came")
    return value
