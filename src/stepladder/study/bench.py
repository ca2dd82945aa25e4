"""The workbench that a study lends to methods: it trains, or knows that it has trained already."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from stepladder.ledger import Store
from stepladder.records import Build, Json, OtherRow, TrainingJob, content_hash
from stepladder.study.watch import Watcher

_DECIDE_WEIGHTS = ("torch", "transformers", "peft", "accelerate", "tokenizers")


class StudyBench:
    """Implements contracts.Workbench over the ledger's builds; knows no test example."""

    def __init__(
        self,
        store: Store,
        seed: int,
        watcher: Watcher,
        before_training: Callable[[], None],
        replay: Sequence[OtherRow] = (),
    ) -> None:
        self.seed = seed
        self.replay = replay
        self.builds: list[Build] = []
        """Those that the rung at hand used, in order."""
        self.trainings = 0
        """Trainings that were really run."""
        self.rung = ""
        self._store = store
        self._watcher = watcher
        self._before_training = before_training

    def train(self, job: TrainingJob) -> Build:
        """The build of this recipe; raises TrainingError where it cannot be had."""
        recipe = {**job.recipe(), "versions": {name: version(name) for name in _DECIDE_WEIGHTS}}
        key = content_hash(recipe)
        known = self._store.build(key)
        build = self._known(known) if known else None
        if build is None:
            build = self._run(job, key)
            payload = asdict(build)
            payload["folder"] = str(
                build.folder.resolve().relative_to(self._store.artifacts.resolve())
            )
            self._store.keep_build(key, {"recipe": recipe, **payload})
        self.builds.append(build)
        return build

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
