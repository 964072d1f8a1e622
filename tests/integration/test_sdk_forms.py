"""The SDK and a real sidecar: what is logged in whatever form is counted."""

from __future__ import annotations

import dataclasses
import json

import numpy as np

from mlguard import Guard


@dataclasses.dataclass
class Row:
    age: int
    country: str


def counted(sidecar) -> dict[str, float]:
    """How many values of each feature were counted as events of it."""
    model = sidecar_model(sidecar)
    return {
        column["name"]: column["rows"] - column["missing"]
        for column in model["columns"]
        if column["role"] == "feature" and column["window"] == "1h"
    }


def sidecar_model(sidecar) -> dict:
    (model,) = json.loads(sidecar.get("/api/v1/models"))["models"]
    return model


def test_each_form_of_features_is_counted(make_sidecar):
    with (
        make_sidecar(baseline={"events": 10}) as sidecar,
        Guard("p", "m", socket=sidecar.socket_path) as guard,
    ):
        matrix = np.column_stack([np.arange(20.0), np.arange(20.0) % 7])
        probabilities = np.full((20, 2), 0.5)
        guard.log_batch(
            features=matrix,
            feature_names=["age", "balance"],
            y_pred=np.arange(20) % 2,
            y_proba=probabilities,
            classes=["no", "yes"],
        )
        guard.log_batch(features=[Row(20 + n, "CA") for n in range(5)])
        guard.log(features=Row(30, "FR"))
        guard.watch(lambda rows: [0] * len(rows))([{"age": 40}, {"age": 41}])
        assert guard.flush(20)
        stats = guard.stats()
        assert (stats.acknowledged, stats.rejected, stats.dropped) == (28, 0, 0)
        assert sidecar.value("mlguard_inferences_total") == 28
        values = counted(sidecar)
        assert values["age"] == 28
        assert values["balance"] == 20


def test_512_of_more_features_are_counted(sidecar):
    with Guard("p", "m", socket=sidecar.socket_path) as guard:
        guard.log_batch(features=np.ones((10, 600)), y_pred=[1] * 10)
        guard.log(features={f"x{n}": 1.0 for n in range(513)}, y_pred=1)
        assert guard.flush(20)
        stats = guard.stats()
    assert (stats.acknowledged, stats.rejected, stats.dropped) == (11, 0, 0)
    assert sidecar.value("mlguard_inferences_total") == 11
