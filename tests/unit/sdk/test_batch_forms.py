"""log_batch: features and probabilities in the forms that hosts have."""

import dataclasses
import sys
from collections import OrderedDict, namedtuple
from types import MappingProxyType, SimpleNamespace

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from unit.sdk.fake_sidecar import eventually

from mlguard import Stats
from mlguard.records import fields_of


@dataclasses.dataclass
class Row:
    age: int
    country: str


class SlottedRow(msgspec.Struct):
    age: int
    country: str


NamedRow = namedtuple("NamedRow", ["age", "country"])  # noqa: PYI024 - one of the forms


class PydanticV2:
    """The part of a model of pydantic v2 that is used."""

    model_fields = MappingProxyType({"age": int, "country": str})

    def __init__(self, age, country):
        self.values = {"age": age, "country": country}

    def __iter__(self):
        yield from self.values.items()


class PydanticV1(PydanticV2):
    """The part of a model of pydantic v1 that is used."""

    model_fields = None
    __fields__ = MappingProxyType({"age": int, "country": str})


class Attrs:
    """The part of a class made by attrs that is used."""

    __attrs_attrs__ = (SimpleNamespace(name="age"), SimpleNamespace(name="country"))

    def __init__(self, age, country):
        self.age, self.country = age, country


class Tensor:
    """The part of torch's tensors that is used; they are no arrays of numpy's kind."""

    def __init__(self, values):
        self.values = np.array(values)
        self.shape, self.ndim = self.values.shape, self.values.ndim

    def tolist(self):
        return self.values.tolist()

    def reshape(self, *shape):
        return Tensor(self.values.reshape(*shape))

    def __iter__(self):
        return iter([Tensor(each) for each in self.values])

    def __len__(self):
        return len(self.values)


class TensorFlowTensor:
    """The part of TensorFlow's tensors that is used."""

    def __init__(self, values):
        self.values = values
        self.shape, self.ndim = values.shape, values.ndim

    def numpy(self):
        return self.values


RECORDS = {
    "dicts": lambda age, country: {"age": age, "country": country},
    "mappings": lambda age, country: MappingProxyType({"age": age, "country": country}),
    "ordered": lambda age, country: OrderedDict(age=age, country=country),
    "dataclasses": Row,
    "structs": SlottedRow,
    "named tuples": NamedRow,
    "pydantic v2": PydanticV2,
    "pydantic v1": PydanticV1,
    "attrs": Attrs,
}


@pytest.mark.parametrize("container", [list, tuple, iter])
@pytest.mark.parametrize("kind", RECORDS)
def test_records_of_each_kind_are_rows(guard, sidecar, kind, container):
    make = RECORDS[kind]
    rows = container([make(29, "CA"), make(31, None)])
    assert guard.log_batch(features=rows, y_pred=[0, 1])
    assert guard.flush()
    assert sidecar.batches[0]["columns"]["features"] == {"age": [29, 31], "country": ["CA", None]}
    assert guard.stats() == Stats(0, 2, 2, 0, {})


@pytest.mark.parametrize("kind", RECORDS)
def test_log_takes_a_record_of_each_kind(guard, sidecar, kind):
    assert guard.log(features=RECORDS[kind](29, "CA"), y_pred=1, y_proba=0.5, latency_ms=2)
    assert guard.flush()
    (batch,) = sidecar.batches
    assert batch["columns"].pop("timestamp")
    assert batch["columns"] == {
        "latency_ms": [2],
        "y_pred": [1],
        "y_proba": [0.5],
        "features": {"age": [29], "country": ["CA"]},
    }


@pytest.mark.parametrize("library", ["pydantic", "pydantic.v1"])
def test_models_of_pydantic_itself_are_records(library):
    pydantic = pytest.importorskip(library)

    class Model(pydantic.BaseModel):
        age: int
        country: str = "CA"

    assert fields_of(Model(age=29)) == {"age": 29, "country": "CA"}


def test_classes_of_attrs_itself_are_records():
    attrs = pytest.importorskip("attrs")
    assert fields_of(attrs.make_class("Row", ["age"])(29)) == {"age": 29}


@pytest.mark.parametrize("value", [5, "text", [1], (1, 2), None, Row, object(), np.array([1])])
def test_what_has_no_named_fields_is_no_record(value):
    assert fields_of(value) is None


def test_a_record_that_lacks_a_name_misses_it(guard, sidecar):
    assert guard.log_batch(features=[{"a": 1}, {"b": 2, "a": 3}, {}])
    assert guard.flush()
    assert sidecar.batches[0]["columns"]["features"] == {"a": [1, 3, None], "b": [None, 2, None]}


def test_records_are_copied(guard, sidecar):
    rows = [{"age": 29}, {"age": 31}]
    guard.log_batch(features=rows)
    rows[0]["age"] = 0
    assert guard.flush()
    assert sidecar.feature("age") == [29, 31]


MATRICES = {
    "array": np.array([[29, 1200.5], [31, 0.5]]),
    "float32": np.array([[29, 1200.5], [31, 0.5]], dtype=np.float32),
    "objects": np.array([[29, 1200.5], [31, 0.5]], dtype=object),
    "lists": [[29, 1200.5], [31, 0.5]],
    "tuples": ((29, 1200.5), (31, 0.5)),
    "arrays": [np.array([29, 1200.5]), np.array([31, 0.5])],
    "tensor": Tensor([[29, 1200.5], [31, 0.5]]),
    "tensors": [Tensor([29, 1200.5]), Tensor([31, 0.5])],
    "tensorflow": TensorFlowTensor(np.array([[29, 1200.5], [31, 0.5]])),
    "fortran": np.asfortranarray([[29, 1200.5], [31, 0.5]]),
}


@pytest.mark.parametrize("kind", MATRICES)
def test_a_matrix_has_the_names_that_are_given(guard, sidecar, kind):
    names = np.array(["age", "balance"])  # as in feature_names_in_ of scikit-learn
    assert guard.log_batch(features=MATRICES[kind], feature_names=names, y_pred=[0, 1])
    assert guard.log_batch(features=MATRICES[kind], y_pred=[0, 1])
    assert guard.flush()
    first, second = [batch["columns"]["features"] for batch in sidecar.batches]
    assert first == {"age": [29, 31], "balance": [1200.5, 0.5]}
    assert second == {"x0": [29, 31], "x1": [1200.5, 0.5]}


def test_a_matrix_is_copied(guard, sidecar):
    matrix = np.ones((2, 2))
    guard.log_batch(features=matrix)
    matrix[:] = 9
    assert guard.flush()
    assert sidecar.feature("x0") == [1, 1]


@pytest.mark.parametrize("width", [1, 3])
def test_a_matrix_of_any_width_is_a_matrix(guard, sidecar, width):
    names = [f"n{i}" for i in range(width)]
    assert guard.log_batch(features=np.ones((4, width)), feature_names=names)
    assert guard.flush()
    assert sidecar.batches[0]["columns"]["features"] == dict.fromkeys(names, [1.0] * 4)


@pytest.mark.parametrize(
    "features",
    [
        np.array([(29, "CA"), (31, "FR")], dtype=[("age", "i4"), ("country", "U2")]),
        np.rec.array([(29, "CA"), (31, "FR")], dtype=[("age", "i4"), ("country", "U2")]),
        pa.table({"age": [29, 31], "country": ["CA", "FR"]}),
    ],
    ids=["structured", "recarray", "pyarrow"],
)
def test_other_tables_have_names_of_their_own(guard, sidecar, features):
    assert guard.log_batch(features=features, y_pred=[0, 1])
    assert guard.flush()
    assert sidecar.batches[0]["columns"]["features"] == {"age": [29, 31], "country": ["CA", "FR"]}


@pytest.mark.parametrize(
    "features",
    [{"a": [1], "b": [2]}, pd.DataFrame({"a": [1], "b": [2]}), [{"a": 1, "b": 2}]],
)
def test_feature_names_select_columns_that_have_names(guard, sidecar, features):
    assert guard.log_batch(features=features, feature_names=["b"])
    assert guard.flush()
    assert sidecar.batches[0]["columns"]["features"] == {"b": [2]}


@pytest.mark.parametrize(
    ("given", "rows"),
    [
        ({"features": np.ones((2, 3)), "feature_names": ["a"]}, 2),
        ({"features": [[1, 2], [1]]}, 2),
        ({"features": np.ones((2, 2, 2))}, 2),
        ({"features": np.ones(3)}, 3),
        ({"features": [{"a": 1}, 5]}, 2),
        ({"features": [Row(1, "a"), [1, 2]]}, 2),
        ({"features": np.ones((2, 3)), "y_pred": [1]}, 1),
        ({"y_proba": [[0.5, 0.5]], "classes": ["a"]}, 1),
        ({"features": {"a": [1]}, "feature_names": ["b"]}, 1),
    ],
)
def test_what_cannot_be_read_is_dropped_whole_and_said(guard, caplog, given, rows):
    assert not guard.log_batch(**given)
    assert guard.stats().dropped_by_reason == {"unusable_batch": rows}
    (record,) = eventually(lambda: caplog.records)
    assert "unusable_batch" in record.getMessage()


PROBABILITIES = {
    "array": np.array([[0.25, 0.75], [0.5, 0.25]]),
    "float32": np.array([[0.25, 0.75], [0.5, 0.25]], dtype=np.float32),
    "lists": [[0.25, 0.75], [0.5, 0.25]],
    "arrays": [np.array([0.25, 0.75]), np.array([0.5, 0.25])],
    "tensor": Tensor([[0.25, 0.75], [0.5, 0.25]]),
}


@pytest.mark.parametrize("kind", PROBABILITIES)
def test_a_matrix_of_probabilities_gives_the_largest_or_one_for_each_class(guard, sidecar, kind):
    matrix = PROBABILITIES[kind]
    assert guard.log_batch(y_proba=matrix)
    assert guard.log_batch(y_proba=matrix, classes=np.array([0, 1]))
    assert guard.log_batch(y_proba=matrix, classes=["no", "yes"])
    assert guard.flush()
    assert sidecar.column("y_proba") == [
        *(0.75, 0.5),
        *({"0": 0.25, "1": 0.75}, {"0": 0.5, "1": 0.25}),
        *({"no": 0.25, "yes": 0.75}, {"no": 0.5, "yes": 0.25}),
    ]
    assert guard.stats().dropped == 0


def test_a_frame_of_probabilities_has_its_classes(guard, sidecar):
    frame = pd.DataFrame({"no": [0.25, 0.5], "yes": [0.75, 0.5]})
    assert guard.log_batch(y_proba=frame)
    assert guard.flush()
    assert sidecar.column("y_proba") == [{"no": 0.25, "yes": 0.75}, {"no": 0.5, "yes": 0.5}]


def test_missing_probabilities_are_not_the_largest(guard, sidecar):
    nan = float("nan")
    matrix = np.array([[nan, 0.25], [0.75, nan], [nan, nan]])
    assert guard.log_batch(y_proba=matrix)
    assert guard.log_batch(y_proba=matrix, classes=["a", "b"])
    assert guard.flush()
    assert sidecar.column("y_proba") == [0.25, 0.75, None, {"b": 0.25}, {"a": 0.75}, None]


def test_one_column_of_probabilities_needs_no_classes(guard, sidecar):
    assert guard.log_batch(y_proba=np.array([[0.25], [0.5]]), classes=["a", "b"])
    assert guard.log_batch(y_proba=[0.25, {"a": 0.5}], classes=["a", "b"])
    assert guard.flush()
    assert sidecar.column("y_proba") == [0.25, 0.5, 0.25, {"a": 0.5}]


@pytest.mark.parametrize("features", [[], np.ones((0, 3)), pd.DataFrame({"a": []})])
def test_no_rows_are_no_events(guard, features):
    assert guard.log_batch(features=features, y_pred=[])
    assert guard.flush()
    assert guard.stats() == Stats(0, 0, 0, 0, {})


def test_the_forms_need_no_library(monkeypatch):
    for library in ("numpy", "pandas", "pydantic", "attrs"):
        monkeypatch.setitem(sys.modules, library, None)
    assert fields_of(Row(1, "a")) == {"age": 1, "country": "a"}
