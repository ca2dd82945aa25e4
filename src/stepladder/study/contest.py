"""A study's rungs in the race: built when their turn comes, asked shard by shard, graded.

contest = Contest(plan, order, climber, grader)
contest.run()
contest.graded(), contest.race.departures
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from stepladder.contracts import Metric
from stepladder.study.climb import Climbed, Climber
from stepladder.study.evidence import Measured
from stepladder.study.grade import Graded, Grader
from stepladder.study.guards import Guards, trains
from stepladder.study.plan import Plan, PlannedRung
from stepladder.study.race import Course, Race, Rules, Runner
from stepladder.study.shards import shard_ends
from stepladder.study.summary import Departure
from stepladder.study.watch import Standing
from stepladder.tasks import OutputsRung, Task

ALPHA = 0.05


def margin_of(task: Task, metric: Metric) -> float:
    """The task's margin; one point of the shown scale where it gives none."""
    return 1.0 / metric.times if task.margin is None else task.margin


class Contest:
    """One race over the rungs of a plan."""

    def __init__(
        self,
        plan: Plan,
        order: Sequence[PlannedRung],
        climber: Climber,
        grader: Grader,
        guards: Guards | None = None,
    ) -> None:
        """`order` is that of predicted cost."""
        self._guards = guards
        self._plan = plan
        self._climber = climber
        self._grader = grader
        self._planned = {planned.name: planned for planned in order}
        self._climbed: dict[str, Climbed] = {}
        self._measured: dict[str, Measured] = {}
        metric, task = grader.deciding, plan.task
        rules = Rules(
            metric,
            target=task.target.value if task.target else None,
            margin=margin_of(task, metric),
            family=len(plan.rungs),
            alpha=ALPHA,
            go_on=plan.go_on,
        )
        ends = shard_ends(grader.extent, corpus=not metric.mean, groups=grader.groups)
        self.race = Race([_runner(p) for p in order], rules, Course(grader.extent, ends))

    def run(self, on_shard: Callable[[], None]) -> None:
        """To the end; `on_shard` is called after every one."""

        def advance(name: str, until: int) -> Measured | None:
            measured = self._advance(name, until)
            if measured is not None:
                self._measured[name] = measured
            self._climber.watcher.standings(self._standings())
            on_shard()
            return measured

        self.race.run(advance, self._tell)

    def graded(self) -> list[Graded]:
        """Every rung as far as it was asked, in the order of the task."""
        return [self._graded(planned) for planned in self._plan.rungs]

    def _graded(self, planned: PlannedRung) -> Graded:
        climbed = self._climbed.get(planned.name, Climbed(planned, {}))
        measured = self._measured.get(planned.name)
        return self._grader.grade(climbed, 0 if measured is None else len(measured.statistics))

    def _advance(self, name: str, until: int) -> Measured | None:
        climbed = self._climbed.get(name) or self._enter(self._planned[name])
        self._climbed[name] = climbed
        if climbed.error is not None:
            return None
        queries = [item.query for item in self._grader.items[:until]]
        climbed = self._climbed[name] = self._climber.ask(climbed, queries)
        asked = self._grader.extent.items if climbed.halted else until
        return self._grader.measure(climbed, asked)

    def _enter(self, planned: PlannedRung) -> Climbed:
        """Builds it; what was trained is held against the guards at once, so that a rung that is
        refused is asked no more than its first shard."""
        climbed = self._climber.enter(planned)
        if self._guards is None or climbed.error is not None or not trains(planned):
            return climbed
        trained = self._climber.adaptation(planned.name).checkpoint
        return replace(climbed, forgetting=self._guards.look(planned, trained))

    def _tell(self, departure: Departure) -> None:
        items = self._grader.extent.items
        if departure.kind != "left out" and departure.items < items:
            self._climber.watcher.say(departure.sentence(items))

    def _standings(self) -> list[Standing]:
        metric = self._grader.deciding
        standings = []
        for planned in self._plan.rungs:
            rung = self._measured.get(planned.name)
            left = self.race.departures.get(planned.name)
            value = None if rung is None else metric.aggregate(rung.statistics[rung.answered])
            standings.append(
                Standing(
                    planned.name,
                    items=0 if rung is None else len(rung.statistics) - rung.missing,
                    of=self._grader.extent.items,
                    value=None if value is None else value * metric.times,
                    left=left.kind if left else None,
                )
            )
        return standings


def _runner(planned: PlannedRung) -> Runner:
    rung, checkpoint = planned.rung, planned.checkpoint
    if isinstance(rung, OutputsRung) or checkpoint is None:
        return Runner(planned.name, engine=planned.name, builds=False, free=True)
    engine = planned.name if rung.learns else checkpoint.identity
    return Runner(planned.name, engine, builds=rung.builds, free=False)
