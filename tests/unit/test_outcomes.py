"""Outcomes through the pipeline and the database, compared with scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from support.offline import Offline
from support.outcomes import (
    binary,
    multiclass,
    outcome,
    sklearn_binary,
    sklearn_multiclass,
    sklearn_values,
)

RNG = np.random.default_rng(7)


@pytest.fixture
def offline(tmp_path):
    made = Offline(tmp_path)
    yield made
    made.close()


def send(offline, **fields):
    receipt = offline.pipeline.submit_outcomes(outcome(**fields), "socket")
    offline.commit()
    offline.move()
    return receipt


def quality(offline, window="24h") -> dict:
    return {
        name.removeprefix("quality_"): value
        for (name, *labels), value in offline.figures().items()
        if name.startswith("quality_") and labels == [window]
    }


def count(offline, name, *labels):
    return offline.figures().get((name, *labels), 0)


def assert_equal(found: dict, expected: dict) -> None:
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-12, abs=1e-12), name


def test_binary_quality_is_scikit_learns(offline):
    truth, predicted, score = binary(RNG, 500)
    ids = [f"id-{i}" for i in range(500)]
    offline.send(id=ids, y_pred=predicted, y_proba=score)
    offline.commit()
    order = RNG.permutation(500)
    for part in np.array_split(order, 3):
        offline.now += 600
        send(offline, id=[ids[i] for i in part], y_true=[truth[i] for i in part])
    assert_equal(quality(offline), sklearn_binary(truth, predicted, score))
    assert count(offline, "outcomes_total") == 500
    assert count(offline, "outcome_coverage_ratio") == 1
    assert count(offline, "quality_correct_total") == sum(np.equal(truth, predicted))


def test_multiclass_quality_is_scikit_learns(offline):
    names = ["cat", "dog", "eel", "fox"]
    truth, predicted, probas = multiclass(RNG, 400, names)
    offline.send(id=list(range(400)), y_pred=predicted, y_proba=probas)
    send(offline, id=list(range(400)), y_true=truth)
    assert_equal(quality(offline), sklearn_multiclass(truth, predicted, probas, names))


def test_errors_of_values_are_scikit_learns(offline):
    predicted = RNG.normal(100, 20, 300).tolist()
    truth = (np.array(predicted) + RNG.normal(0, 3, 300)).tolist()
    offline.send(id=list(range(300)), y_pred=predicted)
    send(offline, id=list(range(300)), y_true=truth)
    found = quality(offline)
    assert_equal(found, sklearn_values(truth, predicted))
    assert "accuracy" not in found
