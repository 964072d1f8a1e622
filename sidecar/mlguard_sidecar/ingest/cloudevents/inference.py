"""Joined requests and responses as rows of the wire format."""

from __future__ import annotations

from sys import getsizeof
from typing import TYPE_CHECKING, Any, NamedTuple

from mlguard_sidecar.ingest.cloudevents.dropped import DroppedError
from mlguard_sidecar.ingest.cloudevents.payload import read_request, read_response

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mlguard_sidecar.ingest.cloudevents.envelope import CloudEvent
    from mlguard_sidecar.ingest.cloudevents.naming import PayloadNames
    from mlguard_sidecar.ingest.cloudevents.predictions import Predictions
    from mlguard_sidecar.ingest.cloudevents.tensors import Table
    from mlguard_sidecar.wire import ModelKey

MAX_MERGED_ROWS = 1000
"""Rows of several inferences that are counted together."""


_FLOAT_BYTES = getsizeof(0.5)
_CONTAINERS = frozenset((dict, list))


class Passed(NamedTuple):
    """When a request or response passed.

    Attributes:
        time: epoch seconds; None if unknown.
        is_exact: whether it is not the time at which the event was sent.
    """

    time: float | None
    is_exact: bool


class LoggedRequest(NamedTuple):
    """A request whose response is looked for."""

    key: ModelKey
    passed: Passed
    table: Table

    def size_bytes(self) -> int:
        """Return the size of its values in memory."""
        return size_bytes(self.table.columns)


class LoggedResponse(NamedTuple):
    """A response whose request is looked for."""

    passed: Passed
    predictions: Predictions

    def size_bytes(self) -> int:
        """Return the size of its values in memory."""
        return size_bytes([self.predictions.y_pred, self.predictions.y_proba])


class Inference(NamedTuple):
    """One inference of N rows.

    Attributes:
        key: the model.
        rows: number of rows.
        time: when it was requested, epoch seconds; None if unknown.
        latency_ms: from request to response; None if unknown.
        features: name -> values.
        y_pred: predictions; None if missing.
        y_proba: probabilities; None if missing.
    """

    key: ModelKey
    rows: int
    time: float | None
    latency_ms: float | None
    features: dict[str, list[Any]]
    y_pred: list[Any] | None
    y_proba: list[Any] | None


def size_bytes(tree: Any) -> int:
    """Return the size of a tree of JSON in memory, each of its values counted by itself."""
    size, parts = getsizeof(tree), [tree]
    while parts:
        part = parts.pop()
        if type(part) is dict:
            size += sum(map(getsizeof, part))
            part = list(part.values())
        kinds = set(map(type, part))
        # floats are all of one size, and the most
        size += _FLOAT_BYTES * len(part) if kinds == {float} else sum(map(getsizeof, part))
        if not _CONTAINERS.isdisjoint(kinds):
            parts += [each for each in part if type(each) in _CONTAINERS]
    return size


def logged(event: CloudEvent, names: PayloadNames) -> LoggedRequest | LoggedResponse:
    """Return what an event has logged.

    Raises:
        DroppedError: its payload cannot be read.
    """
    passed = Passed(event.time, event.is_timed)
    if event.is_response:
        return LoggedResponse(passed, read_response(event.data, names.y_pred, names.y_proba))
    return LoggedRequest(names.key, passed, read_request(event.data, names.features))


def joined(request: LoggedRequest, response: LoggedResponse) -> Inference:
    """Return the inference of a request and its response.

    Raises:
        DroppedError: they are of different numbers of rows.
    """
    table, found = request.table, response.predictions
    if table.rows != found.rows:
        text = f"{found.rows} predictions for {table.rows} rows, expected one for each"
        raise DroppedError("uneven", text)
    time = request.passed.time
    return Inference(
        request.key,
        table.rows,
        response.passed.time if time is None else time,
        _latency_ms(request.passed, response.passed),
        table.columns,
        found.y_pred,
        found.y_proba,
    )


def _latency_ms(request: Passed, response: Passed) -> float | None:
    """Return the time between request and response; None unless both passed at exact times."""
    if request.time is None or response.time is None:
        return None
    if not (request.is_exact and response.is_exact) or response.time < request.time:
        return None
    return (response.time - request.time) * 1000


def batches(inferences: Sequence[Inference]) -> Iterator[dict[str, Any]]:
    """Yield batches of the wire format; inferences of one model and form are in one batch.

    An inference of several rows has one latency, in the first of them.
    """
    groups: dict[object, list[Inference]] = {}
    for each in inferences:
        form = (each.key, *each.features, each.y_pred is None, each.y_proba is None)
        groups.setdefault(form, []).append(each)
    for group in groups.values():
        part: list[Inference] = []
        rows = 0
        for each in group:
            if part and rows + each.rows > MAX_MERGED_ROWS:
                yield _batch(part)
                part, rows = [], 0
            part.append(each)
            rows += each.rows
        yield _batch(part)


def _batch(group: Sequence[Inference]) -> dict[str, Any]:
    first = group[0]
    columns: dict[str, Any] = {
        "timestamp": [each.time for each in group for _ in range(each.rows)],
        "latency_ms": [
            None if row else each.latency_ms for each in group for row in range(each.rows)
        ],
    }
    if first.y_pred is not None:
        columns["y_pred"] = [value for each in group for value in each.y_pred or ()]
    if first.y_proba is not None:
        columns["y_proba"] = [value for each in group for value in each.y_proba or ()]
    if first.features:
        columns["features"] = {
            name: [value for each in group for value in each.features[name]]
            for name in first.features
        }
    project, model, endpoint = first.key
    return {"project_id": project, "model_id": model, "endpoint": endpoint, "columns": columns}
