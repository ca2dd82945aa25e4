"""Fits a small head on features by scikit-learn: logistic regression, ridge regression, or none.

    fitted = fit_head(job, vectors, job.rows)
    fitted.head.answers(vectors[:1])       # [("south", .93)]
    fitted.log["cross_validation"]         # what each strength of regularisation came to

The strength is chosen by cross-validation over the training rows alone, groups kept whole: logistic
regression's by the mean log-loss of rows left out, ridge regression's by their mean squared error.
Features are standardised, and the means and spreads then folded into the weights, so that the
arrays act on features as they come. `neighbours` fits nothing: it keeps the vectors.

Runs in the study's own process: no network is trained, and it takes seconds.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stepladder.checkpoints import HeadOnFeatures, softmax, write_head
from stepladder.errors import MissingExtraError
from stepladder.records import Build, Example, HeadJob, Json
from stepladder.training.features import written

Floats = NDArray[np.float64]
FOLDS = 5
STRENGTHS = {
    "logistic": tuple(float(f"{c:.3g}") for c in np.logspace(-4, 2, 7)),
    "ridge": tuple(float(f"{a:.3g}") for a in np.logspace(-2, 5, 8)),
}
"""Tried: of logistic regression C, of ridge regression alpha (scikit-learn's own names)."""
UNTRIED = {"logistic": 0.01, "ridge": 100.0}
"""Where rows are too few to try them."""
_NAMES = {"logistic": "C", "ridge": "alpha"}
_NUMBER = re.compile(r"[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.(\d+))?")


class FittedHead(NamedTuple):
    head: HeadOnFeatures
    log: Json
    """`strength`, `cross_validation` (a row a strength: what it is and what it came to) and
    `notes`, which the rung carries."""


class _Linear(NamedTuple):
    """Scores are `vectors @ weights.T + bias`."""

    weights: Floats
    """Shape (answers, dimensions)."""
    bias: Floats
    """Shape (answers,)."""

    def scores(self, vectors: Floats) -> Floats:
        return np.asarray(vectors @ self.weights.T + self.bias)


def fit_head(job: HeadJob, vectors: NDArray[np.float32], rows: Sequence[Example]) -> FittedHead:
    """The head of these rows, whose features are `vectors`, shape (rows, dimensions)."""
    answers = [row.references[0] for row in rows]
    if job.kind == "neighbours":
        arrays = {"vectors": vectors}
        head = HeadOnFeatures(job.kind, job.pooling, arrays, tuple(answers))
        return FittedHead(head, {"notes": []})
    features = vectors.astype(np.float64)
    folds = list(_folds(job, rows))
    choices = tuple(sorted(set(answers))) if job.kind == "logistic" else ()
    wanted = np.array([choices.index(a) if choices else _number(a) for a in answers], float)
    tried = [
        [strength, _loss(job.kind, strength, features, wanted, folds, len(choices))]
        for strength in STRENGTHS[job.kind]
        if folds
    ]
    strength = min(tried, key=lambda row: row[1])[0] if tried else UNTRIED[job.kind]
    linear = _fit(job.kind, strength, features, wanted, len(choices))
    head = HeadOnFeatures(
        job.kind,
        job.pooling,
        {"weights": linear.weights, "bias": linear.bias},
        choices,
        decimals=max(map(_decimals, answers)) if job.kind == "ridge" else 0,
    )
    log = {"strength": strength, "folds": len(folds), "cross_validation": tried}
    return FittedHead(head, log | {"notes": _notes(job, strength, len(folds), choices)})


def keep_head(
    fitted: FittedHead, job: HeadJob, home: Path, *, seconds: float, notes: Sequence[str]
) -> Build:
    """The head as files in a folder of `home`; `seconds` are the whole bill, `notes` those of its
    features."""
    return written(
        home,
        lambda part: write_head(part, fitted.head, job.body),
        seconds=seconds,
        log=fitted.log | {"head": job.kind, "notes": [*notes, *fitted.log["notes"]]},
        trainable=0 if job.kind == "neighbours" else _size(fitted.head),
    )


def _size(head: HeadOnFeatures) -> int:
    return sum(array.size for array in head.arrays.values())


def is_number(text: str) -> bool:
    """Whether a reference is a number and nothing else.

    >>> is_number("1,234.5"), is_number("-7"), is_number("7 apples")
    (True, True, False)
    """
    return _NUMBER.fullmatch(text.strip()) is not None


def _number(text: str) -> float:
    return float(text.strip().replace(",", ""))


def _decimals(text: str) -> int:
    found = _NUMBER.fullmatch(text.strip())
    return len(found[1] or "") if found else 0


def _notes(job: HeadJob, strength: float, folds: int, choices: Sequence[str]) -> list[str]:
    if job.kind == "logistic" and len(choices) == 1:
        return [f"every training row has the label '{choices[0]}', which is the answer to all"]
    if folds:
        return []
    return [f"too few training rows to cross-validate; {_NAMES[job.kind]} is {strength:g} untried"]


def _folds(job: HeadJob, rows: Sequence[Example]) -> Iterator[tuple[Any, Any]]:
    """Places of rows to fit on and of rows left out; none where a label or the rows are too few."""
    try:
        from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold
    except ImportError as error:
        raise MissingExtraError("hf", "a head on features") from error
    labels = [row.references[0] for row in rows]
    groups = [row.group for row in rows]
    units = len(set(groups)) if None not in groups else len(rows)
    stratified = job.kind == "logistic"
    rarest = min(Counter(labels).values()) if stratified else units
    folds = min(FOLDS, units, rarest)
    if folds < 2 or (stratified and len(set(labels)) < 2):
        return
    settings: dict[str, Any] = {"n_splits": folds, "shuffle": True, "random_state": job.seed}
    if None in groups:
        splitter = StratifiedKFold(**settings) if stratified else KFold(**settings)
        yield from splitter.split(labels, labels)
        return
    by_group = StratifiedGroupKFold(**settings) if stratified else GroupKFold(**settings)
    yield from by_group.split(labels, labels, groups)


def _loss(
    kind: str,
    strength: float,
    features: Floats,
    wanted: Floats,
    folds: Sequence[tuple[Any, Any]],
    choices: int,
) -> float:
    """Of rows left out, the mean: log-loss in nats, or squared error."""
    losses: list[float] = []
    for kept, left in folds:
        scores = _fit(kind, strength, features[kept], wanted[kept], choices).scores(features[left])
        if kind == "ridge":
            losses += ((scores[:, 0] - wanted[left]) ** 2).tolist()
        else:
            chances = softmax(scores)[np.arange(len(left)), wanted[left].astype(int)]
            losses += (-np.log(np.maximum(chances, 1e-12))).tolist()
    return round(float(np.mean(losses)), 6)


def _fit(kind: str, strength: float, features: Floats, wanted: Floats, choices: int) -> _Linear:
    """Weights and bias on features as they come. A label that no row has is never answered."""
    from sklearn.linear_model import LogisticRegression, Ridge

    mean, spread = features.mean(axis=0), features.std(axis=0)
    spread[spread < 1e-12] = 1.0
    standard = (features - mean) / spread
    if kind == "ridge":
        model: Any = Ridge(alpha=strength).fit(standard, wanted)
        return _folded(model.coef_[None, :], np.array([model.intercept_]), mean, spread)
    there = np.unique(wanted.astype(int))
    weights = np.zeros((choices, features.shape[1]))
    bias = np.full(choices, -1e6)
    bias[there] = 0.0
    if len(there) > 1:
        model = LogisticRegression(C=strength, max_iter=2000).fit(standard, wanted.astype(int))
        # Of two classes scikit-learn keeps the second one's scores alone, against zero.
        places = there[1:] if len(there) == 2 else there
        weights[places], bias[places] = model.coef_, model.intercept_
    return _folded(weights, bias, mean, spread)


def _folded(weights: Floats, bias: Floats, mean: Floats, spread: Floats) -> _Linear:
    """The standardisation taken into the weights."""
    own = weights / spread
    return _Linear(own, bias - own @ mean)
