"""`lr=auto`: a learning rate found by a few short trainings, compared by dev's loss.

    rate = search_rate(job, bench)       # its trials are recorded, and on the rung's bill

Tried are the usual rate for the model's width, three times that and a third of it, each for a third
of the passes with the same rise and fall; where the best of them is at an edge, the search goes on
in that direction, for at most five trials. The loss and not the task's measure decides: it is known
after every training without asking the model anything, and tells rates apart on fewer rows.

A short training can bear a higher rate than a long one, so what it finds leans upwards. Where the
whole training at that rate comes no lower than the short one did, the rate is too high for it: the
next lower one is then trained whole too, and the lower loss is taken, and so on downwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from stepladder.contracts import Workbench
from stepladder.errors import RungError, TrainingError
from stepladder.records import DEV_LOSS, Score, TrainingJob, Trial

AUTO = "auto"
FIRST = (1.0, 3.0, 1 / 3)
"""Times the usual rate."""
STEP = 3.0
MOST = 5
"""Trials."""
SHARE = 1 / 3
"""Of the passes over the training rows."""
_SIGNATURE = "dev loss|nats a token of the answers|best of all looks"


def check_search(rows: int) -> None:
    """Raises RungError where there are no dev rows to choose by."""
    if rows == 0:
        raise RungError(
            "lr=auto chooses the learning rate on dev rows, and the task has none; give data.dev, "
            "or leave lr out"
        )


def searched_epochs(epochs: float) -> float:
    """Passes of a trial.

    >>> searched_epochs(6.0), searched_epochs(2.0)
    (2.0, 1.0)
    """
    return max(1.0, epochs * SHARE)


def search_rate(job: TrainingJob, bench: Workbench) -> float:
    """The rate whose short training came to the lowest loss on dev, or a lower one that the whole
    training needs. `job` is the whole training at the usual rate. Raises TrainingError where no
    rate trains."""
    usual = job.fit.learning_rate
    tried: dict[float, Trial] = {}
    failure: TrainingError | None = None
    waiting = [_rounded(usual * factor) for factor in FIRST]
    while waiting:
        rate = waiting.pop(0)
        try:
            tried[rate] = _tried(job, rate, bench)
        except TrainingError as error:  # a rate too high is no reason to give up
            failure, tried[rate] = error, Trial(f"lr={rate:g}", _score(None, job), None)
        if not waiting and len(tried) < MOST:
            beyond = _beyond(tried)
            waiting = [] if beyond is None else [beyond]
    best = _best(tried)
    if best is None:
        assert failure is not None
        raise failure
    whole = _whole(job, best, tried, bench)
    best = _best(whole) or best
    bench.record_trials(
        [replace(tried[r], chosen=r == best) for r in sorted(tried)]
        + [whole[r] for r in sorted(whole) if r != best]
    )
    return best


def _tried(job: TrainingJob, rate: float, bench: Workbench) -> Trial:
    return _trained(job, f"lr={rate:g}", rate, searched_epochs(job.fit.epochs), bench)


def _trained(job: TrainingJob, name: str, rate: float, epochs: float, bench: Workbench) -> Trial:
    fit = replace(job.fit, learning_rate=rate, epochs=epochs)
    build = bench.train(replace(job, fit=fit), trial=True)
    losses = [float(loss) for _, loss in build.log["dev_losses"]]
    return Trial(name, _score(min(losses, default=None), job), build.seconds)


def _whole(
    job: TrainingJob, best: float, tried: Mapping[float, Trial], bench: Workbench
) -> dict[float, Trial]:
    """Whole trainings from the best rate downwards, as long as they show it to be too high. That of
    the rate that is taken in the end is the rung's own, and not trained again."""
    found: dict[float, Trial] = {}
    epochs = job.fit.epochs
    if searched_epochs(epochs) >= epochs:
        return found  # the short ones were whole
    for rate in sorted((r for r in tried if r <= best), reverse=True):
        name = f"lr={rate:g}, all passes"
        try:
            found[rate] = _trained(job, name, rate, epochs, bench)
        except TrainingError:
            found[rate] = Trial(name, _score(None, job), None)
        loss, short = found[rate].score.value, tried[rate].score.value
        if loss is None:
            continue
        if _best(found) != rate or short is None or loss < short:
            break
    return found


def _score(loss: float | None, job: TrainingJob) -> Score:
    return Score(DEV_LOSS, loss, None, None, len(job.dev), _SIGNATURE, "lower", times=1.0)


def _best(tried: Mapping[float, Trial]) -> float | None:
    known = {r: v for r, t in tried.items() if (v := t.score.value) is not None}
    return min(known, key=lambda rate: known[rate]) if known else None


def _beyond(tried: Mapping[float, Trial]) -> float | None:
    """The next rate outwards, where the best so far is the lowest or the highest tried."""
    best = _best(tried)
    if best is None or best == min(tried):
        return _rounded(min(tried) / STEP)
    if best == max(tried) and best * STEP < 1:
        return _rounded(best * STEP)
    return None


def _rounded(rate: float) -> float:
    """To two digits."""
    return float(f"{min(rate, 0.99):.1e}")
