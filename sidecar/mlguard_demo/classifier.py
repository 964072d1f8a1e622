"""The demonstration's model: will a flight arrive 15 or more minutes late?

It is trained on the first 24 days of January and tested on the last seven.
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

from mlguard_demo.flights import CATEGORICAL, LATE_MINUTES, NUMERIC, Flights, Value

TRAINING_HOURS = 24 * 24
JANUARY_HOURS = 31 * 24


@dataclass(frozen=True)
class Classifier:
    """A trained model, with its quality on days that it was not trained on.

    Attributes:
        pipeline: computes the probability of being late from the features as numbers.
        categories: the number of each value of each categorical feature.
        cutoff: probability from which a flight is predicted late; as many flights of the training
            data are predicted late as were late.
        auc: area under the ROC curve on the last seven days of January.
        trained_on: how many flights it was trained on.
    """

    pipeline: Pipeline
    categories: dict[str, dict[str, int]]
    cutoff: float
    auc: float
    trained_on: int

    def probabilities(self, instances: Sequence[Mapping[str, Value]]) -> NDArray[np.float64]:
        """Return the probability of being late for each instance; missing features are imputed.

        Raises:
            ValueError: a numeric feature is not a number.
        """
        if not instances:
            return np.empty(0)
        columns = [[_number(row.get(name)) for row in instances] for name in NUMERIC]
        columns += [
            [float(self.categories[name].get(str(row.get(name)), -1)) for row in instances]
            for name in CATEGORICAL
        ]
        return _probability_late(self.pipeline, np.array(columns).T)


def train(flights: Flights) -> Classifier:
    """Train on the flights of 1 to 24 January, and test on those of 25 to 31 January."""
    categories = {
        name: {value: code for code, value in enumerate(np.unique(column).tolist())}
        for name, column in flights.categories.items()
    }
    arrived = ~np.isnan(flights.delays)
    training = arrived & (flights.hours < TRAINING_HOURS)
    testing = arrived & ~training & (flights.hours < JANUARY_HOURS)
    rows = _matrix(flights, categories)
    late = flights.delays >= LATE_MINUTES
    pipeline = _pipeline().fit(rows[training], late[training])
    predicted = _probability_late(pipeline, rows[training])
    return Classifier(
        pipeline=pipeline,
        categories=categories,
        cutoff=float(np.quantile(predicted, 1 - late[training].mean())),
        auc=float(roc_auc_score(late[testing], _probability_late(pipeline, rows[testing]))),
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


def _probability_late(pipeline: Pipeline, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    probabilities: NDArray[np.float64] = pipeline.predict_proba(rows)[:, 1]
    return probabilities


def _number(value: Value) -> float:
    return math.nan if value is None else float(value)
