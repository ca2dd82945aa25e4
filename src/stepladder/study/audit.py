"""Whether a ledger can be believed: its hashes, the weights that it names, a sample asked again.

    with Ledger.open("runs/ledger.db", create=False) as ledger:
        found = audit(ledger, sample=20)
    found.faults      # what is wrong, a line each; empty where the ledger is whole
    found.notes       # what could not be looked at, and why

Asked again are greedy answers in float32, one by one, by models whose files are there unchanged.
Such an answer may differ only after a step at which its two best tokens all but tied
(`engines.hf`); that is counted and is no fault.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from stepladder.adaptation import Adaptation
from stepladder.adaptation.adaptation import sampling_from_json
from stepladder.checkpoints import fingerprint
from stepladder.contracts import Engine
from stepladder.engines.opening import open_engine as usual_engine
from stepladder.errors import CheckpointError, EngineError
from stepladder.ledger import KeptAnswer, Ledger
from stepladder.plurals import counted
from stepladder.records import Checkpoint, Completion, Endpoint, Json, prompt_from_json

OpenEngine = Callable[[Checkpoint], Engine]
_COMPARED = ("text", "tokens", "tokens_in", "finish")


@dataclass(frozen=True, slots=True)
class Audit:
    """What was found."""

    faults: tuple[str, ...]
    notes: tuple[str, ...]
    checked: Json
    """How many rows, addresses, folders of weights and answers were looked at."""

    def as_json(self) -> Json:
        return asdict(self)


def audit(
    ledger: Ledger, sample: int = 20, seed: int = 0, open_engine: OpenEngine | None = None
) -> Audit:
    """Examines the file, hashes all builds again, and asks again for `sample` answers drawn by
    `seed`. `open_engine` stands in for the usual engines in float32."""
    sound = ledger.examine()
    faults, checked, notes = list(sound.faults), dict(sound.checked), list[str]()
    older = sum(sound.unchecked.values())
    if older:
        notes.append(f"no digest to hold {counted(older, 'row')} of an older Stepladder to")
    if not faults:  # else nothing that is read from it means anything
        _hash_builds(ledger, faults, notes, checked)
        again = _Again(ledger, open_engine or partial(usual_engine, dtype="float32"))
        again.ask(sample, seed)
        faults += again.faults
        notes += again.notes
        checked["answers asked again"] = again.asked
    return Audit(tuple(faults), tuple(notes), checked)


def _hash_builds(
    ledger: Ledger, faults: list[str], notes: list[str], checked: dict[str, int]
) -> None:
    gone = 0
    for key, payload in ledger.builds().items():
        folder = ledger.artifacts / payload["folder"]
        if not folder.is_dir():
            gone += 1
            continue
        checked["folders of weights"] = checked.get("folders of weights", 0) + 1
        if _hash(folder) != payload["fingerprint"]:
            faults.append(f"build {key}: the files in {folder} are not those that were trained")
    if gone:
        notes.append(f"no files any more of {counted(gone, 'build')}: trained anew when needed")


def _hash(folder: Path) -> str | None:
    """None where there is no model in it any more."""
    try:
        return fingerprint(folder, read_again=True)
    except (CheckpointError, OSError):
        return None


class _Again:
    """Asks for kept answers again."""

    def __init__(self, ledger: Ledger, open_engine: OpenEngine) -> None:
        self.faults: list[str] = []
        self.notes: list[str] = []
        self.asked = 0
        self._ledger = ledger
        self._open_engine = open_engine

    def ask(self, sample: int, seed: int) -> None:
        models = self._models()
        able = [a.address for a in self._ledger.answers() if _can_be_asked(a, models)]
        drawn = set(random.Random(seed).sample(able, min(sample, len(able))))
        if len(drawn) < sample:
            self.notes.append(
                f"{counted(len(able), 'answer')} can be asked again: greedy ones in float32, of "
                "models whose files are where they were, unchanged"
            )
        by_engine: dict[str, list[KeptAnswer]] = {}
        for answer in self._ledger.answers():
            if answer.address in drawn:
                by_engine.setdefault(answer.recipe["parts"][0], []).append(answer)
        for identity, answers in by_engine.items():
            self._ask_model(models[identity], answers)

    def _models(self) -> dict[str, Checkpoint]:
        """By the identity of its engine, each model of the ledger whose files are there."""
        found: dict[str, Checkpoint] = {}
        changed: set[str] = set()
        seen: set[Checkpoint] = set()
        for event in self._ledger.events("adapted"):
            model = Adaptation.from_json(event.payload["adaptation"]).checkpoint
            if isinstance(model, Endpoint) or model in seen:
                continue
            seen.add(model)
            folders = [(model.folder, model.fingerprint)]
            folders += [(adapter.folder, adapter.fingerprint) for adapter in model.adapters]
            folders += [(model.head.folder, model.head.fingerprint)] if model.head else []
            if all(_hash(folder) == expected for folder, expected in folders):
                engine = self._open_engine(model)
                found[engine.identity] = model
                engine.close()
            else:
                changed.add(model.name)
        if changed:
            names = ", ".join(sorted(changed))
            self.notes.append(f"not where they were, or with other files: {names}")
        return found

    def _ask_model(self, model: Checkpoint, answers: Sequence[KeptAnswer]) -> None:
        engine = self._open_engine(model)
        ties = 0
        try:
            for answer in answers:
                before = getattr(engine, "near_ties", 0)
                prompt = prompt_from_json(answer.recipe["prompt"])
                sampling = sampling_from_json(answer.recipe["parts"][2])
                (completion,) = engine.generate([prompt], sampling)
                self.asked += 1
                differing = _differences(answer.payload, completion)
                if differing and getattr(engine, "near_ties", 0) > before:
                    ties += 1
                elif differing:
                    self.faults.append(
                        f"answer {answer.address}: asked again, {model.name} differs: {differing}"
                    )
        except EngineError as error:
            self.notes.append(f"{model.name} could not be asked: {error}")
        finally:
            engine.close()
        if ties:
            self.notes.append(
                f"{counted(ties, 'answer')} of {model.name} came out otherwise where two tokens "
                "all but tied, as they may"
            )


def _can_be_asked(answer: KeptAnswer, models: dict[str, Checkpoint]) -> bool:
    identity, _, sampling = answer.recipe["parts"]
    greedy = sampling["temperature"] == 0 and sampling.get("beams", 1) == 1
    return identity in models and greedy and answer.payload["finish"] != "over-context"


def _differences(kept: Json, now: Completion) -> str:
    """What differs, in words; empty where nothing does."""
    found = {**asdict(now), "tokens": list(now.tokens)}
    return "; ".join(
        f"{name} {found[name]!r} instead of {kept[name]!r}"
        for name in _COMPARED
        if found[name] != kept[name]
    )
