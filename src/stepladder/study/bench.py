"""The workbench that a study lends to methods: it trains and fits, or knows that it has already."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from stepladder.adaptation import Adaptation
from stepladder.errors import MissingExtraError
from stepladder.ledger import StudyLog
from stepladder.records import (
    Build,
    Example,
    HeadJob,
    Json,
    OtherRow,
    TrainingJob,
    Trial,
    content_hash,
)
from stepladder.study.dev import DevExaminer
from stepladder.study.watch import Watcher
from stepladder.tasks.knowledge import KnowledgeSource

_DECIDE_WEIGHTS = ("torch", "transformers", "peft", "accelerate", "tokenizers")
_DECIDE_FEATURES = ("torch", "transformers", "peft", "sentence-transformers", "tokenizers")
_DECIDE_HEADS = (*_DECIDE_FEATURES, "scikit-learn", "numpy")


class StudyBench:
    """Implements contracts.Workbench over the ledger's builds; knows no test example."""

    def __init__(
        self,
        store: StudyLog,
        seed: int,
        watcher: Watcher,
        before_training: Callable[[], None],
        examiner: DevExaminer,
        dtype: str = "float32",
        knowledge: KnowledgeSource | None = None,
        replay: Sequence[OtherRow] = (),
    ) -> None:
        """`dtype` is what features are computed in, as answers are."""
        self.seed = seed
        self.replay = replay
        self.knowledge = knowledge
        self._dtype = dtype
        self._examiner = examiner
        self.trials: list[Trial] = []
        """What the rung at hand tried on dev."""
        self.builds: list[Build] = []
        """Those that the rung at hand used, in order."""
        self.trainings = 0
        """Trainings that were really run."""
        self.rung = ""
        self._store = store
        self._watcher = watcher
        self._before_training = before_training

    def train(self, job: TrainingJob, *, trial: bool = False) -> Build:
        """The build of this recipe; raises TrainingError where it cannot be had."""
        recipe = {**job.recipe(), "versions": _versions(_DECIDE_WEIGHTS)}
        build = self._kept(recipe, lambda key: self._run(job, key))
        if not trial:
            self.builds.append(build)
        return build

    def fit_head(self, job: HeadJob) -> Build:
        """The head of this recipe, on features that are computed once for all heads on them."""
        job = replace(job, pooling=replace(job.pooling, dtype=self._dtype))
        recipe = {**job.recipe(), "versions": _versions(_DECIDE_HEADS)}
        build = self._kept(recipe, lambda key: self._fit_head(job, key))
        self.builds.append(build)
        return build

    def score_dev(self, setting: str, adaptation: Adaptation, dev: Sequence[Example]) -> Trial:
        """What the adaptation comes to on dev; the rung pays for the answers."""
        return self._examiner.score(self.rung, setting, adaptation, dev)

    def record_trials(self, trials: Sequence[Trial]) -> None:
        """Into the log, and onto the bill of the rung at hand."""
        self._store.append_many(("trial", {"rung": self.rung, **asdict(t)}) for t in trials)
        self.trials += trials

    def _kept(self, recipe: Json, make: Callable[[str], Build]) -> Build:
        """The ledger's build of this recipe, or one that is made and kept."""
        key = content_hash(recipe)
        known = self._store.build(key)
        build = self._known(known) if known else None
        if build is None:
            build = make(key)
            payload = asdict(build)
            payload["folder"] = str(
                build.folder.resolve().relative_to(self._store.artifacts.resolve())
            )
            self._store.keep_build(key, {"recipe": recipe, **payload})
        return build

    def _fit_head(self, job: HeadJob, key: str) -> Build:
        from stepladder.training.features import compute_features, read_features
        from stepladder.training.heads import fit_head, keep_head

        def compute(features_key: str) -> Build:
            self._before_training()
            self._watcher.stage(self.rung, "reading", len(job.rows))
            build = compute_features(job, self._store.artifact_folder(features_key))
            self._watcher.reach(len(job.rows))
            return build

        recipe = {**job.features_recipe(), "versions": _versions(_DECIDE_FEATURES)}
        features = self._kept(recipe, compute)
        vectors, places = read_features(features.folder)
        begun = time.perf_counter()
        fitted = fit_head(job, vectors, [job.rows[place] for place in places])
        return keep_head(
            fitted,
            job,
            self._store.artifact_folder(key),
            seconds=features.seconds + time.perf_counter() - begun,
            notes=features.log["notes"],
        )

    def _known(self, payload: Json) -> Build | None:
        """The ledger's build, or None where somebody has deleted its files."""
        fields = {key: value for key, value in payload.items() if key != "recipe"}
        folder = self._store.artifacts / fields.pop("folder")
        return Build(folder=Path(folder), **fields) if folder.is_dir() else None

    def _run(self, job: TrainingJob, key: str) -> Build:
        from stepladder.training import Progress, run_job

        self._before_training()
        self._watcher.stage(self.rung, "training", None)

        def relay(progress: Progress) -> None:
            note = "" if progress.loss is None else f"loss {progress.loss:.3f}"
            self._watcher.reach(progress.step, progress.steps, note)

        def waiting() -> None:
            self._watcher.say(f"{self.rung}: another process trains the same; waiting for it")

        folder = self._store.artifact_folder(key)
        build = run_job(job, folder, on_progress=relay, on_wait=waiting)
        self.trainings += 1
        return build


def _versions(names: tuple[str, ...]) -> dict[str, str]:
    """Raises MissingExtraError where the libraries are not installed."""
    try:
        return {name: version(name) for name in names}
    except PackageNotFoundError as error:
        raise MissingExtraError("hf", "a training or a head on features") from error
