"""Messages between the demonstration and its model server, in JSON."""

import msgspec

from mlguard_demo.flights import Value


class ModelServerInfo(msgspec.Struct):
    """The server's first line of output, when it is ready.

    Attributes:
        url: where it answers.
        auc: area under the ROC curve on days that the model was not trained on.
        trained_on: how many flights the model was trained on.
    """

    url: str
    auc: float
    trained_on: int


class PredictRequest(msgspec.Struct):
    """Flights to predict, each as a mapping of feature to value."""

    instances: list[dict[str, Value]]


class Prediction(msgspec.Struct):
    """The prediction for one flight.

    Attributes:
        late: 1 if it is predicted to be late, else 0.
        probability: the probability of that.
    """

    late: int
    probability: float


class PredictResponse(msgspec.Struct):
    """One prediction for each instance, in the same order."""

    predictions: list[Prediction]


class ErrorResponse(msgspec.Struct):
    """Why a request was refused."""

    error: str
