"""Heads on features, held against scikit-learn's own pipelines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stepladder.checkpoints import read_head, write_head
from stepladder.errors import CheckpointError
from stepladder.records import Capabilities, Checkpoint, Example, HeadJob, HeadKind, Pooling
from stepladder.training.heads import FOLDS, STRENGTHS, FittedHead, _folds, fit_head, is_number

pytest.importorskip("sklearn", reason="needs the extra 'hf'")
from sklearn.linear_model import LogisticRegression, Ridge  # noqa: E402
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_score  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402

BODY = Checkpoint("m", Path("m"), "0" * 64, Capabilities())


def rows_of(answers: Sequence[str], groups: Sequence[str] | None = None) -> tuple[Example, ...]:
    return tuple(
        Example(f"r{i}", f"text {i}", (answer,), group=groups[i] if groups else None)
        for i, answer in enumerate(answers)
    )


def job_of(kind: HeadKind, rows: tuple[Example, ...]) -> HeadJob:
    return HeadJob(kind, BODY, Pooling(), rows, seed=3)


def vectors_of(count: int, dimensions: int = 12) -> np.ndarray:
    found = np.random.default_rng(0).normal(size=(count, dimensions)) + 2.0
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("labels", [("no", "yes"), ("east", "north", "south")])
def test_a_logistic_head_is_scikit_learns_pipeline_at_the_strength_that_it_chooses(
    labels: tuple[str, ...],
) -> None:
    vectors = vectors_of(90)
    noise = np.random.default_rng(1).normal(size=(90, len(labels)))
    answers = [labels[i] for i in np.argmax(8 * vectors[:, : len(labels)] + noise, axis=1)]
    rows = rows_of(answers)
    fitted = fit_head(job_of("logistic", rows), vectors, rows)

    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=3)
    losses = []
    for strength in STRENGTHS["logistic"]:
        model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=2000))
        scores = cross_val_score(model, vectors, answers, cv=folds, scoring="neg_log_loss")
        losses.append(-scores.mean())
    found = [loss for _, loss in fitted.log["cross_validation"]]
    assert found == pytest.approx(losses, abs=2e-4)  # folds of 18 rows each
    chosen = STRENGTHS["logistic"][int(np.argmin(losses))]
    assert fitted.log["strength"] == chosen
    model = make_pipeline(StandardScaler(), LogisticRegression(C=chosen, max_iter=2000))
    chances = model.fit(vectors, answers).predict_proba(vectors)
    given = fitted.head.answers(vectors)
    assert [a.text for a in given] == list(model.predict(vectors))
    assert [a.probability for a in given] == pytest.approx(chances.max(axis=1), abs=1e-4)


def test_a_ridge_head_is_scikit_learns_pipeline_and_writes_as_many_decimals_as_the_rows() -> None:
    vectors = vectors_of(60)
    noise = np.random.default_rng(1).normal(size=60)
    answers = [f"{1000 * v:,.1f}" for v in vectors[:, 0] + 0.05 * noise]
    rows = rows_of(answers)
    fitted = fit_head(job_of("ridge", rows), vectors, rows)
    wanted = np.array([float(a.replace(",", "")) for a in answers])

    folds = KFold(FOLDS, shuffle=True, random_state=3)
    losses = []
    for strength in STRENGTHS["ridge"]:
        model = make_pipeline(StandardScaler(), Ridge(alpha=strength))
        scores = cross_val_score(
            model, vectors.astype(float), wanted, cv=folds, scoring="neg_mean_squared_error"
        )
        losses.append(-scores.mean())
    assert [loss for _, loss in fitted.log["cross_validation"]] == pytest.approx(losses, rel=1e-6)
    chosen = STRENGTHS["ridge"][int(np.argmin(losses))]
    model = make_pipeline(StandardScaler(), Ridge(alpha=chosen)).fit(vectors.astype(float), wanted)
    expected = [f"{value:.1f}" for value in model.predict(vectors.astype(float))]
    assert [a.text for a in fitted.head.answers(vectors)] == expected


def test_a_neighbours_head_answers_with_the_nearest_rows_reference() -> None:
    vectors = vectors_of(9)
    rows = rows_of([f"answer {i}" for i in range(9)])
    head = fit_head(job_of("neighbours", rows), vectors, rows).head
    assert [a.text for a in head.answers(vectors[[4, 0]])] == ["answer 4", "answer 0"]
    assert {a.probability for a in head.answers(vectors)} == {None}


def test_three_rows_go_on_and_say_that_nothing_was_tried() -> None:
    rows = rows_of(["yes", "no", "yes"])
    fitted = fit_head(job_of("logistic", rows), vectors_of(3), rows)
    assert fitted.log["cross_validation"] == []
    assert fitted.log["notes"] == ["too few training rows to cross-validate; C is 0.01 untried"]
    assert {a.text for a in fitted.head.answers(vectors_of(3))} <= {"yes", "no"}


def test_one_label_alone_is_the_answer_to_all_and_that_is_said() -> None:
    rows = rows_of(["yes"] * 12)
    fitted = fit_head(job_of("logistic", rows), vectors_of(12), rows)
    assert "every training row has the label 'yes'" in fitted.log["notes"][0]
    assert {tuple(a) for a in fitted.head.answers(vectors_of(12))} == {("yes", 1.0)}


@pytest.mark.parametrize("kind", ["logistic", "ridge"])
def test_rows_of_one_group_are_left_out_together(kind: HeadKind) -> None:
    answers = [str(i % 2) for i in range(40)]
    groups = [f"g{i // 4}" for i in range(40)]
    rows = rows_of(answers, groups)
    folds = list(_folds(job_of(kind, rows), rows))
    assert len(folds) == FOLDS
    for kept, left in folds:
        assert not {groups[i] for i in kept} & {groups[i] for i in left}


def fitted_on(kind: HeadKind) -> tuple[FittedHead, np.ndarray]:
    vectors, rows = vectors_of(20), rows_of([str(i % 3) for i in range(20)])
    return fit_head(job_of(kind, rows), vectors, rows), vectors


@pytest.mark.parametrize("kind", ["logistic", "ridge", "neighbours"])
def test_a_head_is_kept_as_arrays_and_answers_the_same(kind: HeadKind, tmp_path: Path) -> None:
    fitted, vectors = fitted_on(kind)
    write_head(tmp_path, fitted.head, BODY)
    assert sorted(f.name for f in tmp_path.iterdir()) == ["head.json", "head.safetensors"]
    assert read_head(tmp_path).answers(vectors) == fitted.head.answers(vectors)


def test_a_damaged_head_is_refused_in_one_line(tmp_path: Path) -> None:
    fitted, _ = fitted_on("ridge")
    write_head(tmp_path, replace(fitted.head, kind="neighbours"), BODY)
    with pytest.raises(CheckpointError, match="the head cannot be read"):
        read_head(tmp_path)
    (tmp_path / "head.safetensors").write_bytes(b"\x80\x04pickle")
    with pytest.raises(CheckpointError, match="the head cannot be read"):
        read_head(tmp_path)


def test_what_counts_as_a_number() -> None:
    assert all(map(is_number, ("7", " -1,234.50 ", "+3", "0.5")))
    assert not any(map(is_number, ("7 apples", "1/2", "", "#### 18", "nan", "1e5")))
