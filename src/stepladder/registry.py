"""Names to things, so that a third party adds a method, a metric or an engine without a fork.

A name maps to "module:attribute"; nothing is imported before it is asked for. Third parties
declare entry points in the groups `stepladder.methods`, `stepladder.metrics` and
`stepladder.engines`. Settings are written behind a name as in a call:

    build("methods", "few-shot(3, nearest=bm25)")   # FewShot(k=3, nearest="bm25")
"""

from __future__ import annotations

import dataclasses
import importlib
import re
from collections.abc import Mapping
from functools import cache
from importlib.metadata import entry_points
from typing import Any, Literal, NamedTuple, get_args, get_type_hints

from stepladder.errors import MetricError, RungError, StepladderError, nearest_name

Kind = Literal["methods", "metrics", "engines"]

BUILT_IN: Mapping[Kind, Mapping[str, str]] = {
    "methods": {
        "zero-shot": "stepladder.methods.prompting:ZeroShot",
        "one-shot": "stepladder.methods.prompting:OneShot",
        "few-shot": "stepladder.methods.prompting:FewShot",
        "rag": "stepladder.methods.rag:Rag",
        "pal": "stepladder.methods.pal:Pal",
        "features": "stepladder.methods.features:Features",
        "decoding": "stepladder.methods.decoding:Decoding",
        "lora": "stepladder.methods.lora:Lora",
        "full": "stepladder.methods.full:Full",
        "prompt-tuning": "stepladder.methods.prompt_tuning:PromptTuning",
    },
    "metrics": {
        "bleu": "stepladder.metrics.sacre:Bleu",
        "chrf": "stepladder.metrics.sacre:Chrf",
        "ter": "stepladder.metrics.sacre:Ter",
        "rouge1": "stepladder.metrics.rouge:Rouge1",
        "rouge2": "stepladder.metrics.rouge:Rouge2",
        "rougeL": "stepladder.metrics.rouge:RougeL",
        "rougeLsum": "stepladder.metrics.rouge:RougeLsum",
        "exact_match": "stepladder.metrics.text:ExactMatch",
        "token_f1": "stepladder.metrics.text:TokenF1",
        "number": "stepladder.metrics.text:Number",
        "accuracy": "stepladder.metrics.labels:Accuracy",
        "macro_f1": "stepladder.metrics.labels:MacroF1",
    },
    "engines": {
        "hf": "stepladder.engines.hf:HFEngine",
        "head": "stepladder.engines.head:HeadEngine",
        "endpoint": "stepladder.engines.endpoint:EndpointEngine",
        "fake": "stepladder.engines.fake:FakeEngine",
    },
}

_ERRORS: Mapping[Kind, type[StepladderError]] = {
    "methods": RungError,
    "metrics": MetricError,
    "engines": StepladderError,
}
_SPEC = re.compile(r"\s*([A-Za-z][\w.-]*)\s*(?:\((.*)\))?\s*", re.DOTALL)
_COMMA = re.compile(r",(?![^(]*\))")
_PLUS = re.compile(r"\+(?![^(]*\))")
"""Neither counts inside brackets."""


class Spec(NamedTuple):
    """A name with its settings, read but not checked."""

    name: str
    positional: tuple[str, ...]
    named: tuple[tuple[str, str], ...]


@cache
def names(kind: Kind) -> Mapping[str, str]:
    """Every known name of a kind, built in or installed, and where it is."""
    installed = {e.name: e.value for e in entry_points(group=f"stepladder.{kind}")}
    return {**installed, **BUILT_IN[kind]}


def load(kind: Kind, name: str) -> Any:
    """The class behind a name; an unknown one is refused with the nearest known name."""
    known = names(kind)
    if name not in known:
        raise _ERRORS[kind](f"unknown {kind[:-1]} '{name}'; {nearest_name(name, known)}")
    module, attribute = known[name].split(":")
    return getattr(importlib.import_module(module), attribute)


def parse(text: str, kind: Kind) -> Spec:
    """Reads `name(value, key=value)`."""
    match = _SPEC.fullmatch(text)
    if match is None:
        raise _ERRORS[kind](
            f"cannot read '{text.strip()}' as one of the {kind}; write name or name(key=value, ...)"
        )
    positional: list[str] = []
    named: list[tuple[str, str]] = []
    for part in filter(None, (p.strip() for p in (match[2] or "").split(","))):
        key, equals, value = (p.strip() for p in part.partition("="))
        if equals:
            named.append((key, value))
        elif named:
            raise _ERRORS[kind](f"'{text.strip()}': '{part}' stands behind a named setting")
        else:
            positional.append(part)
    return Spec(match[1], tuple(positional), tuple(named))


def split(text: str) -> list[str]:
    """The parts of a list from a command line: separated by commas outside brackets.

    >>> split("rougeL(stem=no, references=mean), bleu")
    ['rougeL(stem=no, references=mean)', 'bleu']
    """
    return [part.strip() for part in _COMMA.split(text) if part.strip()]


def parts(text: str) -> list[str]:
    """What a list of methods names, read left to right; an empty part stands for one that lacks.

    >>> parts("few-shot(2) + lora(rank=4)")
    ['few-shot(2)', 'lora(rank=4)']
    """
    return [part.strip() for part in _PLUS.split(text)]


def build(kind: Kind, text: str, **context: Any) -> Any:
    """The object that `text` describes: its class is a frozen dataclass whose fields are the
    settings. `context` fills fields that the caller knows (a task's labels) where they exist."""
    spec = parse(text, kind)
    cls = load(kind, spec.name)
    error = _ERRORS[kind]
    fields = {
        f.name: f
        for f in _in_order(cls)
        if f.init and f.name not in context and not f.metadata.get("context")
    }
    if len(spec.positional) > len(fields):
        raise error(f"'{text.strip()}': {spec.name} takes at most {len(fields)} settings")
    given = dict(zip(fields, spec.positional, strict=False))
    for key, value in spec.named:
        if key not in fields:
            hint = nearest_name(key, fields) if fields else f"{spec.name} takes no settings"
            raise error(f"'{text.strip()}': unknown setting '{key}'; {hint}")
        if key in given:
            raise error(f"'{text.strip()}': '{key}' is given twice")
        given[key] = value
    for name, needed in fields.items():
        if name not in given and needed.default is needed.default_factory is dataclasses.MISSING:
            raise error(f"'{text.strip()}': '{name}' is needed; write {spec.name}({name}=...)")
    hints = get_type_hints(cls)
    settings = {key: _convert(hints[key], value, text, error) for key, value in given.items()}
    own = {f.name for f in dataclasses.fields(cls)}
    settings |= {key: value for key, value in context.items() if key in own}
    return cls(**settings)


def describe(name: str, config: Any) -> str:
    """The inverse of `build`: the name with the settings that differ from their defaults.

    A field with the metadata `{"context": True}` is filled by the caller and no setting.
    """
    changed = [
        f"{f.name}={getattr(config, f.name)}"
        for f in _in_order(config)
        if f.init and not f.metadata.get("context") and f.default != getattr(config, f.name)
    ]
    return f"{name}({', '.join(changed)})" if changed else name


def _in_order(config: Any) -> list[dataclasses.Field[Any]]:
    """A class's fields, or an object's, in the order of its own signature: those that it inherits
    as keywords behind its own."""
    return sorted(dataclasses.fields(config), key=lambda field: bool(field.kw_only))


def _convert(hint: Any, value: str, text: str, error: type[StepladderError]) -> Any:
    """A setting's text as its field's type: bool, int, float, str, Literal, or one of these or
    None."""
    options = [o for o in get_args(hint) if o is not type(None)] or [hint]
    words = [word for option in options for word in get_args(option)]
    if value in words:  # of a Literal beside other types
        return value
    options = [option for option in options if not get_args(option)] + words
    if value.lower() == "none" and type(None) in get_args(hint):
        return None
    if bool in options and value.lower() in ("true", "yes", "false", "no"):
        return value.lower() in ("true", "yes")
    if all(isinstance(o, str) for o in options):
        if value not in options:
            raise error(f"'{text.strip()}': '{value}' is not one of {', '.join(options)}")
        return value
    for kind in (int, float):
        if kind in options:
            try:
                return kind(value)
            except ValueError:
                continue
    if str in options:
        return value
    expected = " or ".join(getattr(o, "__name__", str(o)) for o in options)
    raise error(f"'{text.strip()}': '{value}' is not {expected}")
