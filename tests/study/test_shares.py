"""The smallest share of replay: what passes, what fails, what is left open, and what is refused."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import ClassVar

import pytest

from stepladder import registry
from stepladder.adaptation import Adaptation
from stepladder.contracts import Workbench
from stepladder.engines.fake import FakeEngine
from stepladder.errors import EngineError, LedgerError, MetricError, RungError, TaskError
from stepladder.records import Capabilities, Checkpoint, FitSettings
from stepladder.statistics import guard_level, mean_bound
from stepladder.study import Study
from stepladder.study.forgetting import GuardDrop
from stepladder.study.shares import SharesPlan, plan_shares, read_shares, search, with_replay
from stepladder.study.shares_found import Build, Share, SharesFound
from stepladder.tasks import Guard, GuardTask, PlainText, Task

Make = Callable[..., Task]
ITEMS = 200
FORGETS = {0.0: 0.5, 0.1: 0.3, 0.2: 0.0}
"""What a training forgets of the guard, by share; a tenth more in seed 1."""


@dataclass(frozen=True)
class Schooled:
    """Counts as training: new weights that know the task, and forget less with replay."""

    replay: float = 0.0

    fills: ClassVar[str | None] = None
    requires: ClassVar[Capabilities] = Capabilities()

    def fit_settings(self) -> FitSettings:
        return FitSettings()

    def adapt(self, base: Adaptation, _: object, __: object, bench: Workbench) -> Adaptation:
        named = f"replay {self.replay:g} seed {bench.seed}"
        return replace(base, checkpoint=replace(base.checkpoint, fingerprint=named))


@pytest.fixture(autouse=True)
def schooled(monkeypatch: pytest.MonkeyPatch) -> Iterable[None]:
    module = ModuleType("schooled_by_share")
    module.Schooled = Schooled  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "schooled_by_share", module)
    monkeypatch.setitem(
        registry.BUILT_IN["methods"],  # type: ignore[arg-type]
        "schooled",
        "schooled_by_share:Schooled",
    )
    registry.names.cache_clear()
    yield
    registry.names.cache_clear()


class Model(FakeEngine):
    """Repeats a word; the task's it upper-cases once it was taught, and forgets some others."""

    down = False

    def __init__(self, checkpoint: Checkpoint, forgets: dict[float, float]) -> None:
        self.taught, self.lost = checkpoint.fingerprint.startswith("replay"), 0.0
        if self.taught:
            _, share, _, seed = checkpoint.fingerprint.split()
            lost = forgets[float(share)]
            self.lost = lost + (0.1 if lost and seed == "1" else 0.0)
        super().__init__(self.reply, name=checkpoint.fingerprint)
        self.fingerprint = checkpoint.fingerprint

    def reply(self, prompt: str) -> str:
        word = prompt.rsplit("Input: ", 1)[1].removesuffix("\nOutput:")
        if not prompt.startswith("Say it again."):
            return f" {word.upper()}" if self.taught else f" {word}"
        number = int(word.removeprefix("word"))
        if self.down and self.taught and number == 7:
            raise EngineError("it is down")
        return " ?" if number < self.lost * ITEMS else f" {word}"


Find = Callable[..., SharesPlan]


@pytest.fixture
def plan(make_task: Make, checkpoint: Checkpoint, tmp_path: Path) -> Find:
    def planned(max_drop: float | None = 0.1, items: int = ITEMS, **settings: object) -> SharesPlan:
        rows = [{"word": f"word{i}", "same": f"word{i}"} for i in range(items)]
        guard = Task.from_rows(
            {"test": rows},
            name="echo",
            input="word",
            references="same",
            instruction="Say it again.",
            metrics=["exact_match"],
        )
        pool = PlainText("pool", tuple(f"line {i}" for i in range(40)))
        task = replace(make_task(), guard=Guard((GuardTask(guard, max_drop),)), replay=(pool,))
        given: dict[str, object] = {"method": "schooled", "shares": (0, 0.1, 0.2), "seeds": 2}
        given |= {"ledger": tmp_path / "l.db"}
        return plan_shares(task, checkpoint, **(given | settings))  # type: ignore[arg-type]

    return planned


def climber(
    forgets: dict[float, float] = FORGETS, climbed: list[str] | None = None
) -> Callable[[Study], object]:
    def climb(study: Study) -> object:
        if climbed is not None:
            climbed.append(study.plan.rungs[-1].name)
        return study.climb(open_engine=lambda model: Model(model, forgets))  # type: ignore[arg-type]

    return climb


def test_the_smallest_share_that_passes_in_all_seeds_is_found_and_ends_the_search(
    plan: Find,
) -> None:
    shares = plan(shares=(0.2, 0.1, 0, 0.3))
    climbed: list[str] = []
    search(shares, climber(climbed=climbed))
    rungs = ["schooled", "schooled(replay=0.1)", "schooled(replay=0.2)"]
    assert climbed == [rung for rung in rungs for _ in range(2)]
    found = read_shares(shares)
    assert [share.standing for share in found.shares] == ["beyond", "beyond", "within", "not tried"]
    assert (found.verdict.kind, found.verdict.share) == ("found", 0.2)
    assert found.verdict.sentence.startswith(
        "schooled(replay=0.2) is the smallest share listed that stays within 10 points on echo in "
        "all 2 seeds (at most "
    )
    assert found.verdict.sentence.endswith(
        "; replay=0.1 does not: echo falls by 40.0 points in seed 1 (100.0 before, 60.0 after)."
    )
    loss = found.share(0.1).loss("echo")
    assert loss is not None
    assert (loss.mean, loss.low, loss.high) == pytest.approx((35.0, 30.0, 40.0))
    assert found.base == 0.0
    assert found.share(0.1).value == (100.0, 100.0, 100.0)
    assert json.loads(json.dumps(found.as_json()))["verdict"]["share"] == 0.2


def test_what_was_found_is_found_again_without_asking(plan: Find) -> None:
    shares = plan()
    search(shares, climber())
    found = read_shares(shares)
    search(shares, climber({0.0: 0.9, 0.1: 0.9, 0.2: 0.9}))  # what it would be if it were asked
    assert read_shares(shares) == found


def test_with_all_shares_those_above_the_smallest_are_tried_too(plan: Find) -> None:
    shares = plan(shares=(0, 0.1, 0.2))
    search(shares, climber({0.0: 0.0, 0.1: 0.0, 0.2: 0.5}), go_on=True)
    found = read_shares(shares)
    assert [share.standing for share in found.shares] == ["within", "within", "beyond"]
    assert found.verdict.kind == "not-needed"
    assert found.verdict.sentence.startswith("No replay is needed: schooled stays within 10 points")


def test_one_seed_that_fails_fails_the_share(plan: Find, tmp_path: Path) -> None:
    shares = plan(max_drop=0.25, shares=(0.1,))
    search(shares, climber({0.1: 0.1}))  # a tenth in one seed, two in the other
    found = read_shares(shares)
    assert [drop.refusal is None for build in found.shares[0].builds for drop in build.guards] == [
        True,
        False,
    ]
    assert found.shares[0].standing == "open"
    shares = plan(max_drop=0.1, shares=(0.1,), ledger=tmp_path / "other.db")
    search(shares, climber({0.1: 0.3}))
    assert read_shares(shares).verdict.sentence == (
        "None of the shares listed keeps schooled within 10 points on echo: replay=0.1 does not: "
        "echo falls by 40.0 points in seed 1 (100.0 before, 60.0 after)."
    )


def test_another_max_drop_asks_nothing_anew(plan: Find) -> None:
    search(plan(shares=(0.1,)), climber({0.1: 0.3}))
    shares = plan(shares=(0.1,), max_drop=0.6)
    search(shares, climber({0.1: 0.9}))  # what it would be if it were asked
    assert read_shares(shares).share(0.1).standing == "within"


def test_the_bounds_are_shared_by_the_shares_listed_and_not_by_the_seeds(plan: Find) -> None:
    shares = plan(shares=(0, 0.1, 0.2, 0.3), seeds=3)
    search(shares, climber({0.0: 0.0}))
    found = read_shares(shares).share(0.0)
    assert guard_level(4, 1) == 0.0125
    expected = mean_bound([0.0] * ITEMS, alpha=0.0125, side="upper", low=-1.0, horizon=ITEMS)
    assert found.most("echo") == pytest.approx(100 * expected)


def test_what_too_few_items_can_tell_is_undecided(plan: Find) -> None:
    shares = plan(max_drop=0.1, items=20)
    search(shares, climber({0.0: 0.0, 0.1: 0.0, 0.2: 0.0}))
    found = read_shares(shares)
    assert {share.standing for share in found.shares} == {"open"}
    assert (found.verdict.kind, found.verdict.share) == ("undecided", None)
    assert "20 items are too few to show a drop within 10.0 points" in found.verdict.sentence


def test_a_smaller_share_of_which_nothing_is_shown_leaves_it_undecided(plan: Find) -> None:
    shares = plan(shares=(0, 0.2), seeds=1)
    search(shares, climber({0.0: 0.08, 0.2: 0.0}))
    found = read_shares(shares)
    assert [share.standing for share in found.shares] == ["open", "within"]
    assert (found.verdict.kind, found.verdict.share) == ("undecided", 0.2)
    assert found.verdict.sentence.startswith("Undecided: schooled(replay=0.2) stays within 10 ")
    assert "a smaller share may do; of replay=0 it cannot be told: in seed " in (
        found.verdict.sentence
    )


def test_a_fall_that_is_not_shown_to_exceed_the_limit_is_no_failure(plan: Find) -> None:
    shares = plan(shares=(0,), seeds=1)
    search(shares, climber({0.0: 0.12}))
    assert read_shares(shares).verdict.sentence == (
        "Undecided: no share is shown to keep schooled within 10 points on echo; of replay=0 it "
        "cannot be told: in seed 0, echo falls by 12.0 points, and that this is more than 10 is "
        "not shown."
    )


def test_answers_that_are_owed_leave_a_share_open(
    plan: Find, monkeypatch: pytest.MonkeyPatch
) -> None:
    shares = plan(shares=(0.2,))
    monkeypatch.setattr(Model, "down", True)
    search(shares, climber())
    found = read_shares(shares)
    assert found.share(0.2).standing == "open"
    assert "answers are missing" in found.verdict.sentence
    monkeypatch.setattr(Model, "down", False)
    search(shares, climber())
    assert read_shares(shares).share(0.2).standing == "within"


def test_a_share_shown_to_exceed_its_limit_though_answers_are_owed_is_named() -> None:
    """What it lost is not known, only that it is more than is allowed."""
    drop = GuardDrop("echo", "em", 1.0, None, None, None, None, 0.9, 0.1, 100, 1)
    share = Share(0.0, "full", (Build(0, 50.0, (drop,), beyond=("echo",)),), "beyond")
    found = SharesFound("t", "m", "full", "em", "higher", 10, 1, 0.0, (share,))
    assert found.verdict.sentence == (
        "None of the shares listed keeps full within 10 points on echo: replay=0 does not, on echo."
    )


def test_the_line_joins_what_no_other_share_beats(plan: Find) -> None:
    shares = plan(seeds=1)
    search(shares, climber({0.0: 0.3, 0.1: 0.1, 0.2: 0.2}), go_on=True)
    assert read_shares(shares).pareto("echo") == (0.1,)


@pytest.mark.parametrize(
    ("method", "share", "named"),
    [
        ("full", 0.0, "full"),
        ("full", 0.05, "full(replay=0.05)"),
        ("few-shot(2) + lora(16, lr=1e-3)", 0.2, "few-shot(2) + lora(16, lr=1e-3, replay=0.2)"),
        ("lora + prompt-tuning(20)", 0.1, "lora(replay=0.1) + prompt-tuning(20)"),
    ],
)
def test_the_share_is_a_setting_of_the_training(method: str, share: float, named: str) -> None:
    assert with_replay(method, share) == named


Changed = dict[str, object]


@pytest.mark.parametrize(
    ("settings", "error", "said"),
    [
        ({"method": "few-shot(2)"}, RungError, "trains nothing that other data could be mixed"),
        ({"method": "full(replay=0.2)"}, RungError, "names replay, which is what is searched"),
        ({"method": "full", "shares": (1.2,)}, RungError, r"replay is 1\.2; give the share"),
        ({"method": "full", "shares": (-0.1,)}, RungError, r"replay is -0\.1; give the share"),
        ({"shares": (0, 0.8)}, RungError, r"replay=0\.8 beside 20 rows takes 80 .* has 40"),
        ({"shares": ()}, RungError, "no share is named"),
        ({"seeds": 0}, RungError, "seeds is 0"),
        ({"max_drop": None}, TaskError, "has no guard task with a max_drop"),
        ({"max_drop": 5}, MetricError, "guard echo: max_drop is 5"),
    ],
)
def test_what_cannot_be_searched_is_one_line_and_costs_nothing(
    plan: Find,
    settings: Changed,
    error: type[Exception],
    said: str,
    tmp_path: Path,
) -> None:
    with pytest.raises(error, match=said) as caught:
        plan(**settings)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "l.db").exists()


def test_a_task_that_names_nothing_to_replay_is_told(
    make_task: Make, plan: Find, checkpoint: Checkpoint, tmp_path: Path
) -> None:
    task = replace(plan().task, replay=())
    with pytest.raises(RungError, match="the task names no other data"):
        plan_shares(task, checkpoint, method="schooled", ledger=tmp_path / "l.db")


def test_before_anything_was_tried_there_is_nothing_to_read(plan: Find) -> None:
    shares: Sequence[float] = plan().shares
    assert tuple(shares) == (0, 0.1, 0.2)
    with pytest.raises(LedgerError, match="no share has been tried yet"):
        read_shares(plan())
