"""The demo's model: will this flight arrive 15 or more minutes late?

It learns from the first 24 days of January and is tried on the last seven, which it has not seen.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from mlguard_sidecar.demo.flights import CATEGORICAL, LATE_MINUTES, NUMERIC, Flights, Value

TRAINING_HOURS = 24 * 24
JANUARY_HOURS = 31 * 24


@dataclass(frozen=True)
class Model:
    """A trained classifier and how it did on days that it had not seen.

    Attributes:
        pipeline: From the numbered features to the probability of being late.
        categories: For each categorical feature, the number that stands for each of its values.
        cut: Probability from which a flight is called late, so that among the training flights
            as many are called late as were.
        auc: Area under the ROC curve on the last seven days of January.
        trained_on: How many flights it learnt from.
    """

    pipeline: Pipeline
    categories: dict[str, dict[str, int]]
    cut: float
    auc: float
    trained_on: int

    def probabilities(self, instances: Sequence[Mapping[str, Value]]) -> NDArray[np.float64]:
        """Return the probability of being late of each instance; an absent feature is imputed.

        Raises:
            ValueError: A numeric feature holds something that is no number.
        """
        if not instances:
            return np.empty(0)
        columns = [[_number(row.get(name)) for row in instances] for name in NUMERIC]
        columns += [
            [float(self.categories[name].get(str(row.get(name)), -1)) for row in instances]
            for name in CATEGORICAL
        ]
        return _late(self.pipeline, np.array(columns).T)


def train(flights: Flights) -> Model:
    """Train on the flights of 1 to 24 January and judge on those of 25 to 31 January."""
    categories = {
        name: {value: code for code, value in enumerate(np.unique(column).tolist())}
        for name, column in flights.categories.items()
    }
    arrived = ~np.isnan(flights.delays)
    training = arrived & (flights.hours < TRAINING_HOURS)
    unseen = arrived & ~training & (flights.hours < JANUARY_HOURS)
    rows = _matrix(flights, categories)
    late = flights.delays >= LATE_MINUTES
    pipeline = _pipeline().fit(rows[training], late[training])
    guessed = _late(pipeline, rows[training])
    return Model(
        pipeline=pipeline,
        categories=categories,
        cut=float(np.quantile(guessed, 1 - late[training].mean())),
        auc=float(roc_auc_score(late[unseen], _late(pipeline, rows[unseen]))),
        trained_on=int(training.sum()),
    )


def _pipeline() -> Pipeline:
    count = len(NUMERIC)
    return make_pipeline(
        make_column_transformer(
            (
                make_pipeline(SimpleImputer(strategy="median"), StandardScaler()),
                list(range(count)),
            ),
            (
                OneHotEncoder(handle_unknown="ignore"),
                list(range(count, count + len(CATEGORICAL))),
            ),
        ),
        LogisticRegression(max_iter=500),
    )


def _matrix(flights: Flights, categories: dict[str, dict[str, int]]) -> NDArray[np.float64]:
    columns = [flights.numbers[name] for name in NUMERIC]
    columns += [
        np.array([categories[name][value] for value in flights.categories[name].tolist()], float)
        for name in CATEGORICAL
    ]
    return np.column_stack(columns)


def _late(pipeline: Pipeline, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    chances: NDArray[np.float64] = pipeline.predict_proba(rows)[:, 1]
    return chances


def _number(value: Value) -> float:
    return math.nan if value is None else float(value)
