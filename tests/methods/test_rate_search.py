"""lr=auto: which rates are tried, which is taken, and that trials are no part of the rung."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from stepladder import registry
from stepladder.adaptation import Adaptation, Prompter
from stepladder.errors import RungError, TrainingError
from stepladder.methods import parse_rung
from stepladder.methods.lora import Lora
from stepladder.methods.prompt_tuning import PromptTuning
from stepladder.methods.rate_search import searched_epochs
from stepladder.methods.tuning import work_of
from stepladder.records import (
    Build,
    Capabilities,
    Checkpoint,
    Example,
    OtherRow,
    TrainingJob,
    Trial,
)

ROWS = [Example(f"r{i}", f"in {i}", (f"out {i}",)) for i in range(200)]
DEV = [Example(f"d{i}", f"in {i}", (f"out {i}",)) for i in range(5)]
Loss = Callable[[float], float | None]


@dataclass
class Bench:
    """Trains at once, to the loss that a function of the rate gives; None: it fails. A whole
    training comes lower by .01, or to what a function of its own gives."""

    folder: Path
    loss: Loss
    whole: Loss | None = None
    seed: int = 7
    replay: Sequence[OtherRow] = ()
    trials: list[TrainingJob] = field(default_factory=list)
    """The short ones."""
    wholes: list[TrainingJob] = field(default_factory=list)
    """Trials of all passes."""
    kept: list[TrainingJob] = field(default_factory=list)
    recorded: list[Trial] = field(default_factory=list)

    def train(self, job: TrainingJob, *, trial: bool = False) -> Build:
        short = job.fit.epochs == searched_epochs(6.0)
        (self.kept if not trial else self.trials if short else self.wholes).append(job)
        loss = (self.loss if short or self.whole is None else self.whole)(job.fit.learning_rate)
        if loss is not None and not short and self.whole is None:
            loss -= 0.01
        if loss is None:
            raise TrainingError("the loss is no number any more")
        log = {"dev_losses": [[1, loss + 1], [2, loss], [3, loss + 0.1]]}
        return Build(self.folder, "f" * 64, 2.0, None, 5, 6, log)

    def record_trials(self, trials: Sequence[Trial]) -> None:
        self.recorded += trials


@pytest.fixture
def base(tmp_path: Path) -> Adaptation:
    (tmp_path / "config.json").write_text('{"hidden_size": 64}')  # the usual rate is 8e-3
    able = Capabilities(trains=True, context=512)
    return Adaptation(Checkpoint("small", tmp_path, "a" * 64, able), Prompter("Do it."))


def around(best: float) -> Loss:
    return lambda rate: abs(math.log(rate / best))


@pytest.mark.parametrize(
    ("best", "tried", "taken"),
    [
        (8e-3, [8e-3, 2.4e-2, 2.7e-3], 8e-3),
        (2.7e-2, [8e-3, 2.4e-2, 2.7e-3, 7.2e-2], 2.4e-2),
        (1e-4, [8e-3, 2.4e-2, 2.7e-3, 9e-4, 3e-4], 3e-4),
        (0.5, [8e-3, 2.4e-2, 2.7e-3, 7.2e-2, 0.22], 0.22),
    ],
)
def test_the_search_goes_on_beyond_an_edge_and_takes_the_lowest_loss(
    best: float, tried: list[float], taken: float, base: Adaptation, tmp_path: Path
) -> None:
    bench = Bench(tmp_path, around(best))
    (method,) = parse_rung("lora(lr=auto, epochs=6)").methods
    method.adapt(base, ROWS, DEV, bench)  # type: ignore[arg-type]
    assert [job.fit.learning_rate for job in bench.trials] == tried
    assert {job.fit.epochs for job in bench.trials} == {2.0}
    (job,) = bench.kept
    assert (job.fit.learning_rate, job.fit.epochs) == (taken, 6.0)
    assert job.method == "lora(epochs=6.0)"  # a build like that of the same rate, given
    assert [t.setting for t in bench.recorded] == [f"lr={rate:g}" for rate in sorted(tried)]
    assert [t.chosen for t in bench.recorded] == [rate == taken for rate in sorted(tried)]
    score = next(t.score for t in bench.recorded if t.chosen)
    assert score.value == pytest.approx(abs(math.log(taken / best)))
    assert (score.metric, score.better, score.n) == ("dev loss", "lower", 5)


def test_a_rate_that_does_not_train_is_a_trial_without_a_value(
    base: Adaptation, tmp_path: Path
) -> None:
    bench = Bench(tmp_path, lambda rate: None if rate > 1e-2 else rate)
    Lora(lr="auto").adapt(base, ROWS, DEV, bench)  # type: ignore[arg-type]
    assert bench.kept[0].fit.learning_rate == 3e-4
    assert [t.score.value for t in bench.recorded if t.setting == "lr=0.024"] == [None]
    with pytest.raises(TrainingError, match="no number any more"):
        Lora(lr="auto").adapt(base, ROWS, DEV, Bench(tmp_path, lambda _: None))  # type: ignore[arg-type]


def test_without_dev_rows_there_is_nothing_to_choose_by(base: Adaptation, tmp_path: Path) -> None:
    bench = Bench(tmp_path, around(1e-3))
    with pytest.raises(RungError, match=r"give data\.dev, or leave lr out"):
        Lora(lr="auto").adapt(base, ROWS, [], bench)  # type: ignore[arg-type]
    with pytest.raises(RungError, match="the task has none"):
        work_of(Lora(lr="auto"), 200, 0)
    assert not bench.trials


def test_it_is_a_setting_like_others() -> None:
    for name in ("full", "prompt-tuning"):
        method = registry.build("methods", f"{name}(lr=auto)")
        assert registry.describe(name, method) == f"{name}(lr=auto)"
    assert registry.build("methods", "lora(lr=3e-4)").lr == 3e-4
    with pytest.raises(RungError, match="'fast' is not float or auto"):
        parse_rung("lora(lr=fast)")
    assert work_of(Lora(epochs=6), 200, 5) == (1, 6.0)
    assert work_of(Lora(epochs=6, lr="auto"), 200, 5) == (4, 12.0)


def test_of_a_soft_prompt_three_times_and_a_third_of_its_own_are_tried(
    base: Adaptation, tmp_path: Path
) -> None:
    bench = Bench(tmp_path, around(0.3))
    PromptTuning(4, lr="auto").adapt(base, ROWS, DEV, bench)  # type: ignore[arg-type]
    assert [job.fit.learning_rate for job in bench.trials] == [0.1, 0.3, 0.033, 0.9]
    (job,) = bench.kept
    assert (job.method, job.fit.learning_rate) == ("prompt-tuning(n=4)", 0.3)


@pytest.mark.parametrize(
    ("wholes", "trained", "taken"),
    [
        ({8e-3: 0.5}, [8e-3], 8e-3),  # lower than the short one's .6: as it should be
        ({8e-3: 0.7, 2.7e-3: 0.5}, [8e-3, 2.7e-3], 2.7e-3),  # too high for so many passes
        ({8e-3: 0.7, 2.7e-3: 0.8}, [8e-3, 2.7e-3], 8e-3),  # the lower one is no better
        ({8e-3: None, 2.7e-3: 0.8}, [8e-3, 2.7e-3], 2.7e-3),
        ({8e-3: None, 2.7e-3: None}, [8e-3, 2.7e-3], 8e-3),  # and the rung says why it failed
    ],
)
def test_the_whole_training_is_tried_at_a_lower_rate_where_it_needs_one(
    wholes: dict[float, float | None],
    trained: list[float],
    taken: float,
    base: Adaptation,
    tmp_path: Path,
) -> None:
    short = {8e-3: 0.6, 2.4e-2: 0.9, 2.7e-3: 0.7}
    bench = Bench(tmp_path, short.__getitem__, wholes.__getitem__)
    if wholes.get(taken) is None:
        with pytest.raises(TrainingError):
            Lora(lr="auto", epochs=6).adapt(base, ROWS, DEV, bench)  # type: ignore[arg-type]
    else:
        Lora(lr="auto", epochs=6).adapt(base, ROWS, DEV, bench)  # type: ignore[arg-type]
    assert [job.fit.learning_rate for job in bench.wholes] == trained
    (job,) = bench.kept
    assert job.fit.learning_rate == taken
    chosen = [t.setting for t in bench.recorded if t.chosen]
    assert chosen == [f"lr={taken:g}"]  # what it took is on the bill as the rung's own training
    rejected = {t.setting: t.score.value for t in bench.recorded if "all passes" in t.setting}
    assert rejected == {f"lr={r:g}, all passes": v for r, v in wholes.items() if r != taken}


def test_a_search_of_single_passes_is_whole_as_it_is(base: Adaptation, tmp_path: Path) -> None:
    bench = Bench(tmp_path, around(8e-3), around(8e-3))
    Lora(lr="auto", epochs=1).adapt(base, ROWS, DEV, bench)  # type: ignore[arg-type]
    assert [job.fit.epochs for job in (*bench.wholes, *bench.kept)] == [1.0] * 4
    assert not [t for t in bench.recorded if "all passes" in t.setting]
