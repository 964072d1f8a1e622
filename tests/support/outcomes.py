"""Outcomes of models, and their quality as scikit-learn computes it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
from sklearn import metrics

from mlguard_sidecar.baseline import dump
from mlguard_sidecar.training_data import BuildSettings, ReadOptions, Roles, build_from_file
from mlguard_sidecar.wire import Line
from mlguard_sidecar.wire.messages import Outcome

if TYPE_CHECKING:
    from pathlib import Path


def outcome(project="p", model="m", **fields) -> Line:
    """Return a line with an outcome, or with outcomes as columns."""
    return Line(project_id=project, model_id=model, outcome=Outcome(**fields))


def binary(rng, n: int) -> tuple[list[int], list[int], list[float]]:
    """Return truths, predictions and probabilities of class 1, better than chance."""
    score = rng.random(n)
    truth = (rng.random(n) < score).astype(int)
    return truth.tolist(), (score > 0.5).astype(int).tolist(), score.tolist()


def multiclass(rng, n: int, names: list[str]):
    """Return truths, predictions and probabilities of all classes."""
    matrix = rng.dirichlet(np.ones(len(names)), n)
    truth = [names[rng.choice(len(names), p=row)] for row in matrix]
    predicted = [names[i] for i in matrix.argmax(axis=1)]
    return truth, predicted, [dict(zip(names, row.tolist(), strict=True)) for row in matrix]


def sklearn_binary(truth, predicted, score) -> dict[str, float]:
    return {
        "accuracy": metrics.accuracy_score(truth, predicted),
        "precision": metrics.precision_score(truth, predicted, zero_division=0),
        "recall": metrics.recall_score(truth, predicted, zero_division=0),
        "log_loss": metrics.log_loss(truth, score, labels=[0, 1]),
        "brier_score": metrics.brier_score_loss(truth, score),
        "positive_score_mean": float(np.mean(score)),
        "positive_ratio": float(np.mean(truth)),
    }


def sklearn_multiclass(truth, predicted, probas, names) -> dict[str, float]:
    labels = sorted(names)
    matrix = np.array([[row[name] for name in labels] for row in probas])
    average = {"average": "macro", "zero_division": 0}
    return {
        "accuracy": metrics.accuracy_score(truth, predicted),
        "precision": metrics.precision_score(truth, predicted, **average),
        "recall": metrics.recall_score(truth, predicted, **average),
        "log_loss": metrics.log_loss(truth, matrix, labels=labels),
        "brier_score": metrics.brier_score_loss(truth, matrix, labels=labels),
    }


def sklearn_values(truth, predicted) -> dict[str, float]:
    return {
        "absolute_error_mean": metrics.mean_absolute_error(truth, predicted),
        "squared_error_mean": metrics.mean_squared_error(truth, predicted),
    }


def baseline_with_truths(folder: Path, name: str, rows: list[dict], **settings) -> Path:
    """Write a baseline that is built from rows with y_pred and y_true; return its path."""
    data, path = folder / f"{name}.ndjson", folder / f"{name}.json"
    data.write_text("\n".join(map(json.dumps, rows)))
    built = build_from_file(
        data,
        ReadOptions(roles=Roles(left_out=frozenset({"y_true"}))),
        BuildSettings(created=1.8e9, y_true="y_true", **settings),
        lambda _: None,
    )
    path.write_bytes(dump(built.baseline))
    return path
