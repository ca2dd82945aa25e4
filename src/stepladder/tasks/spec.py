"""The task file: its keys, checked, before any data is read.

    spec = read_spec(read_yaml(path), where="task.yaml", folder=path.parent)

A mistake here is one line that names the key. What needs the rows (a field that no row has, a
label outside the set) is told when they are read; what needs the metric itself (its settings, its
direction) when it is built.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from stepladder import registry
from stepladder.errors import MetricError, SamplingError, TaskError, nearest_name
from stepladder.records import Sampling
from stepladder.tasks.fields import Template
from stepladder.tasks.guard import GuardSpec, read_guard
from stepladder.tasks.hub import HubData
from stepladder.tasks.knowledge import KnowledgeSource, find_knowledge
from stepladder.tasks.outputs import OutputsRung, outputs_file
from stepladder.tasks.replayed import Replayed, read_replay
from stepladder.tasks.section import Section
from stepladder.tasks.splits import SPLITS

PRICES = ("per_million_tokens_in", "per_million_tokens_out", "per_hour")


@dataclass(frozen=True, slots=True)
class Target:
    """What is good enough, on the metric's own scale: `at_least`, or `at_most` where lower is
    better. One of the two is given."""

    metric: str
    at_least: float | None = None
    at_most: float | None = None

    @property
    def value(self) -> float | None:
        """The bound, whichever way it points; None only where neither was given."""
        return self.at_least if self.at_least is not None else self.at_most


@dataclass(frozen=True, slots=True)
class FilesData:
    """Files by split; the one key `all` where a single file holds every row."""

    files: Mapping[str, Path]
    names: Mapping[str, str]
    """As the user wrote them."""


@dataclass(frozen=True)
class TaskSpec:
    """A checked task file."""

    where: str
    """Opens every message."""
    name: str
    data: FilesData | HubData | None
    """None where rows are given in Python."""
    id: str | None
    input: Template
    references: Mapping[str, tuple[str, ...]]
    """Fields by split; the one key `all` where they are the same for each."""
    instruction: str | None
    group: str | None
    labels: tuple[str, ...]
    metrics: tuple[str, ...]
    target: Target | None
    margin: float | None
    sampling: Sampling
    sample: Mapping[str, int]
    seed: int
    seeds: int
    rungs: tuple[str | OutputsRung, ...]
    prices: Mapping[str, float] = field(default_factory=dict)
    programs: str | None = None
    """The field with a program that comes to the answer; without it they are made from the
    calculator marks of the references, where there are any."""
    guard: GuardSpec | None = None
    replay: tuple[Replayed, ...] = ()
    """Task files and plain texts."""
    knowledge: KnowledgeSource | None = None


def read_spec(
    values: Mapping[Any, Any], where: str, folder: Path, *, rows: bool = False
) -> TaskSpec:
    """Checks a task file's mapping. Paths are relative to `folder`; with `rows` the data are given
    elsewhere and the key `data` is none of the known ones.

    Raises TaskError, MetricError or SamplingError.
    """
    section = Section(values, where)
    metrics = _metrics(section)
    spec = TaskSpec(
        where=where,
        name=section.text("name") or Path(where).stem,
        data=None if rows else _data(section, folder),
        id=section.text("id"),
        input=_input(section),
        references=_references(section),
        instruction=section.text("instruction"),
        group=section.text("group"),
        labels=section.texts("labels"),
        metrics=metrics,
        target=_target(section, metrics),
        margin=section.number("margin", above=0),
        sampling=_sampling(section),
        sample=_sample(section),
        seed=section.integer("seed") or 0,
        seeds=section.integer("seeds", least=1) or 1,
        rungs=_rungs(section, folder),
        prices=_prices(section),
        programs=section.text("programs"),
        guard=read_guard(section, folder),
        replay=read_replay(section, folder),
        knowledge=_knowledge(section, folder),
    )
    section.finish()
    if spec.target is not None and spec.margin is not None:
        raise TaskError(f"{where}: target and margin are both given; keep one of them")
    if len(spec.labels) == 1:
        raise TaskError(f"{where}: labels: a choice needs two labels or more")
    return spec


def _data(section: Section, folder: Path) -> FilesData | HubData:
    value = section.get("data")
    if isinstance(value, str) and value.strip():
        return FilesData({"all": folder / Path(value).expanduser()}, {"all": value})
    if not isinstance(value, Mapping) or not value:
        raise section.error("data", "a file, or {train: FILE, dev: FILE, test: FILE}, or {hub: ID}")
    data = Section(value, f"{section.where}: data")
    hub, config, revision = data.text("hub"), data.text("config"), data.text("revision")
    named = {split: name for split in SPLITS if (name := data.text(split)) is not None}
    data.finish()
    if hub is not None:
        return HubData(hub, config, revision, named)
    if config or revision:
        raise TaskError(f"{data.where}: config and revision belong to hub: ID, which is missing")
    if not named:
        raise data.error("train", "a file")
    return FilesData({s: folder / Path(name).expanduser() for s, name in named.items()}, named)


def _input(section: Section) -> Template:
    text = section.text("input") if not isinstance(section.get("input"), Mapping) else None
    if text is None:
        raise section.error("input", 'a field, or a template in quotes such as "{question}",')
    return Template.parse(text, f"{section.where}: input")


def _references(section: Section) -> dict[str, tuple[str, ...]]:
    value = section.get("references")
    if not isinstance(value, Mapping):
        return {"all": _field_names(section, "references")}
    by_split = Section(value, f"{section.where}: references")
    found = {
        split: _field_names(by_split, split) for split in SPLITS if by_split.get(split) is not None
    }
    by_split.finish()
    if not found:
        raise section.error("references", "a field, a list of fields, or one of these a split")
    return found


def _knowledge(section: Section, folder: Path) -> KnowledgeSource | None:
    value, expected = section.get("knowledge"), "a folder, a document, or a list of these"
    if value is None:
        return None
    given = section.section("knowledge") if isinstance(value, Mapping) else None
    if given is None:
        return find_knowledge(_field_names(section, "knowledge", expected), folder)
    files = _field_names(given, "files", expected)
    said = {key: given.text(key) for key in ("gold", "abstain", "nli")}
    given.finish()
    if said["nli"] is not None and (near := folder / Path(said["nli"]).expanduser()).is_dir():
        said["nli"] = str(near)  # as files are; else a hub id
    return find_knowledge(files, folder, **said)


def _field_names(
    section: Section, key: str, expected: str = "a field or a list of fields"
) -> tuple[str, ...]:
    value = section.get(key)
    names = (value.strip(),) if isinstance(value, str) else section.texts(key)
    if not all(names) or not names:
        raise section.error(key, expected)
    return names


def _metrics(section: Section) -> tuple[str, ...]:
    specs = _balanced(section, "metrics", section.texts("metrics"))
    known = registry.names("metrics")
    if not specs:
        raise section.error("metrics", f"a list of {', '.join(known)}")
    for spec in specs:
        name = registry.parse(spec, "metrics").name
        if name not in known:
            hint = nearest_name(name, known)
            raise MetricError(f"{section.where}: metrics: unknown metric '{name}'; {hint}")
    return specs


def _balanced(section: Section, key: str, items: tuple[str, ...]) -> tuple[str, ...]:
    """Refuses `few-shot(3` and `nearest=bm25)`: YAML cuts an unquoted list at every comma."""
    for item in items:
        if item.count("(") != item.count(")"):
            raise TaskError(
                f"{section.where}: {key}: '{item}' has an open bracket; put quotes around an entry "
                'that holds a comma: ["few-shot(3, nearest=bm25)"]'
            )
    return items


def _target(section: Section, metrics: tuple[str, ...]) -> Target | None:
    target = section.section("target")
    if target is None:
        return None
    metric = target.text("metric") or metrics[0]
    at_least, at_most = target.number("at_least"), target.number("at_most")
    target.finish()
    if (at_least is None) == (at_most is None):
        raise TaskError(f"{target.where}: give one of at_least and at_most")
    matching = [m for m in metrics if m == metric] or [
        m for m in metrics if registry.parse(m, "metrics").name == metric
    ]
    if len(matching) != 1:
        raise TaskError(
            f"{target.where}: metric '{metric}' is not one of the metrics "
            f"({', '.join(metrics)}); add it there"
        )
    return Target(matching[0], at_least, at_most)


def _sampling(section: Section) -> Sampling:
    sampling = section.section("sampling")
    if sampling is None:
        return Sampling()
    values: dict[str, Any] = {
        "max_new_tokens": _signed(sampling, "max_new_tokens", whole=True),
        "temperature": _signed(sampling, "temperature"),
        "top_p": _signed(sampling, "top_p"),
        "top_k": _signed(sampling, "top_k", whole=True),
        "seed": sampling.integer("seed"),
        "stop": tuple(str(s) for s in sampling.items("stop")) or None,
    }
    sampling.finish()
    known = {f.name for f in fields(Sampling)}
    try:
        return Sampling(**{k: v for k, v in values.items() if v is not None and k in known})
    except SamplingError as error:
        raise SamplingError(f"{sampling.where}: {error}") from None


def _signed(section: Section, key: str, *, whole: bool = False) -> float | int | None:
    """A number of any sign: Sampling itself knows the ranges and says them better."""
    value = section.get(key)
    wanted = (int,) if whole else (int, float)
    if value is not None and (isinstance(value, bool) or not isinstance(value, wanted)):
        raise section.error(key, "a whole number" if whole else "a number")
    return value


def _sample(section: Section) -> dict[str, int]:
    sample = section.section("sample")
    if sample is None:
        return {}
    counts = {s: n for s in SPLITS if (n := sample.integer(s, least=1)) is not None}
    sample.finish()
    return counts


def _prices(section: Section) -> dict[str, float]:
    prices = section.section("prices")
    if prices is None:
        return {}
    given = {key: price for key in PRICES if (price := prices.number(key)) is not None}
    prices.finish()
    return given


def _rungs(section: Section, folder: Path) -> tuple[str | OutputsRung, ...]:
    rungs: list[str | OutputsRung] = []
    for position, item in enumerate(section.items("rungs"), start=1):
        if isinstance(item, str) and (file := outputs_file(item)) is not None:
            item = {"outputs": file}  # quoted, as entries with brackets or commas have to be
        if isinstance(item, str) and item.strip():
            rungs.append(" ".join(item.split()))
        elif isinstance(item, Mapping):
            rungs.append(
                _outputs(Section(item, f"{section.where}: rungs: entry {position}"), folder)
            )
        else:
            raise TaskError(
                f"{section.where}: rungs: entry {position}: a list of methods such as "
                "'lora + few-shot(1)' or {outputs: FILE} is expected"
            )
    _balanced(section, "rungs", tuple(r for r in rungs if isinstance(r, str)))
    names = [r if isinstance(r, str) else r.name for r in rungs]
    twice = next((n for n in names if names.count(n) > 1), None)
    if twice is not None:
        raise TaskError(f"{section.where}: rungs: '{twice}' is listed twice; leave one out")
    return tuple(rungs)


def _outputs(section: Section, folder: Path) -> OutputsRung:
    text = section.text("outputs")
    if text is None:
        raise TaskError(
            f"{section.where}: a mapping has the form {{outputs: FILE, name: ...}}; write methods "
            "as text, such as 'few-shot(3)'"
        )
    path = folder / Path(text).expanduser()
    if not path.is_file():
        raise TaskError(f"{section.where}: outputs: {text}: no such file (looked for {path})")
    rung = OutputsRung(
        path,
        section.text("name") or OutputsRung.at(path).name,
        seconds=section.number("seconds"),
        tokens_in=section.number("tokens_in"),
        tokens_out=section.number("tokens_out"),
    )
    section.finish()
    return rung
