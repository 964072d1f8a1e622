"""Bodies of inference requests and responses: V1, V2 and Seldon's own protocol."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET, UnsetType

from mlguard_sidecar.ingest.cloudevents.binary_tensors import (
    has_binary_tensors,
    read_binary_tensors,
)
from mlguard_sidecar.ingest.cloudevents.dropped import DroppedError
from mlguard_sidecar.ingest.cloudevents.predictions import Predictions, predictions_of
from mlguard_sidecar.ingest.cloudevents.tensors import (
    Table,
    read_tensors,
    table_of_columns,
    table_of_rows,
    table_of_tensors,
    unwrapped,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


class _Seldon(msgspec.Struct):
    names: list[str] | None = None
    ndarray: list[Any] | None = None
    tensor: dict[str, Any] | None = None


class _Body(msgspec.Struct):
    """Body of any of the protocols; what else is in it is skipped."""

    instances: Any | UnsetType = UNSET
    inputs: Any | UnsetType = UNSET
    predictions: Any | UnsetType = UNSET
    outputs: Any | UnsetType = UNSET
    data: Any | UnsetType = UNSET


_DECODER = msgspec.json.Decoder(_Body)


def read_request(data: bytes, names: Sequence[str] = ()) -> Table:
    """Return the features of a request.

    Args:
        data: the body.
        names: names of the columns of matrices; used if there are as many.

    Raises:
        DroppedError: the body cannot be read.
    """
    body = _decode(data)
    if body.instances is not UNSET:
        return _table(body.instances, names)
    if body.inputs is not UNSET:
        if _are_tensors(body.inputs):
            return table_of_tensors(read_tensors(body.inputs), names)
        return _table(body.inputs, names)
    if body.data is not UNSET:
        data_of = _seldon(body.data)
        return table_of_rows(_seldon_rows(data_of), names or data_of.names or ())
    raise DroppedError("unsupported", "request: found neither instances, inputs nor data")


def read_response(
    data: bytes, y_pred: str | None = None, y_proba: str | None = None
) -> Predictions:
    """Return the predictions of a response.

    Args:
        data: the body.
        y_pred: name of the output that is the prediction; by default known by its name.
        y_proba: name of the output that is the probability; by default known by its name.

    Raises:
        DroppedError: the body cannot be read.
    """
    body = _decode(data)
    if body.outputs is not UNSET and _are_tensors(body.outputs):
        tensors = read_tensors(body.outputs)
        rows = tensors[0].rows if tensors else 0
        outputs = {tensor.name: tensor.cells() for tensor in tensors}
        return predictions_of(rows, outputs, y_pred, y_proba)
    for found in (body.predictions, body.outputs):
        if found is not UNSET:
            if isinstance(found, list) and set(map(type, found)) != {dict}:
                return predictions_of(len(found), {"predictions": found}, y_pred, y_proba)
            table = _table(found, ())
            return predictions_of(table.rows, table.columns, y_pred, y_proba)
    if body.data is not UNSET:
        return _seldon_predictions(_seldon(body.data), y_pred, y_proba)
    raise DroppedError("unsupported", "response: found neither predictions, outputs nor data")


def _decode(data: bytes) -> _Body:
    try:
        try:
            return _DECODER.decode(data)
        except msgspec.DecodeError:
            if has_binary_tensors(data):
                tree = read_binary_tensors(data)
            elif b"NaN" in data or b"Infinity" in data:
                tree = json.loads(data)  # what Python writes although JSON lacks it
            else:
                raise
            return _DECODER.decode(msgspec.json.encode(tree))  # which makes null of NaN
    except DroppedError:
        raise
    except (msgspec.MsgspecError, ValueError, TypeError, AttributeError, RecursionError) as error:
        if not data.lstrip()[:1].startswith((b"{", b"[")):
            raise DroppedError("unsupported", "the body is no JSON") from error
        raise DroppedError("unparsable", f"body: {str(error)[:200]}") from error


def _are_tensors(found: Any) -> bool:
    return isinstance(found, list) and all(
        isinstance(each, dict) and "name" in each and "shape" in each for each in found
    )


def _table(found: Any, names: Sequence[str]) -> Table:
    """Return rows, or columns of the TensorFlow form of V1."""
    if isinstance(found, list):
        return table_of_rows(found, names)
    if isinstance(found, dict):
        return table_of_columns(found)
    raise DroppedError("unsupported", "found neither an array nor an object of rows")


def _seldon(data: Any) -> _Seldon:
    try:
        return msgspec.convert(data, _Seldon)
    except msgspec.ValidationError as error:
        raise DroppedError("unparsable", f"data: {str(error)[:200]}") from error


def _seldon_rows(data: _Seldon) -> list[Any]:
    if data.ndarray is not None:
        return data.ndarray
    if data.tensor is not None:
        found = {"name": "", "shape": data.tensor.get("shape"), "data": data.tensor.get("values")}
        return read_tensors([found])[0].cells()
    raise DroppedError("unsupported", "data: found neither ndarray nor tensor")


def _seldon_predictions(data: _Seldon, y_pred: str | None, y_proba: str | None) -> Predictions:
    rows, names = unwrapped(_seldon_rows(data)), data.names or ()
    if len(names) == 1:
        return predictions_of(len(rows), {names[0]: rows}, y_pred, y_proba)
    found = predictions_of(len(rows), {"predictions": rows}, classes=names)
    if found.y_proba is None and names and rows:
        table = table_of_rows(rows, names)
        return predictions_of(table.rows, table.columns, y_pred, y_proba)
    return found
