"""log_batch: columns of every kind."""

import time
from collections import Counter
from datetime import datetime, timezone

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.sdk.fake_sidecar import eventually

from mlguard import Stats
from mlguard.tables import Table, merge_tables


class PolarsColumn:
    """The part of a polars Series that is used."""

    def __init__(self, values):
        self.values = values

    def to_list(self):
        return list(self.values)


class PolarsFrame:
    columns = ("age", "country")

    def __getitem__(self, name):
        return PolarsColumn({"age": [29, 31], "country": ["CA", None]}[name])


FRAMES = {
    "lists": {"age": [29, 31], "country": ["CA", None]},
    "tuples": {"age": (29, 31), "country": ("CA", None)},
    "generators": {"age": range(29, 32, 2), "country": (each for each in ["CA", None])},
    "numpy": {"age": np.array([29, 31]), "country": np.array(["CA", None], dtype=object)},
    "pandas": pd.DataFrame({"age": [29, 31], "country": ["CA", None]}),
    "pandas missing": pd.DataFrame({"age": pd.array([29, 31]), "country": ["CA", pd.NA]}),
    "polars": PolarsFrame(),
}


@pytest.mark.parametrize("kind", FRAMES)
def test_columns_of_each_kind_arrive(guard, sidecar, kind):
    assert guard.log_batch(
        features=FRAMES[kind],
        y_pred=np.array([0, 1]),
        y_proba=pd.Series([0.25, 0.75]),
        latency_ms=12.5,
        timestamp="2026-01-01T00:00:00Z",
    )
    assert guard.flush()
    (batch,) = sidecar.batches
    assert batch["columns"] == {
        "timestamp": [1767225600.0] * 2,
        "latency_ms": [12.5] * 2,
        "y_pred": [0, 1],
        "y_proba": [0.25, 0.75],
        "features": {"age": [29, 31], "country": ["CA", None]},
    }
    assert guard.stats() == Stats(0, 2, 2, 0, {})


def test_columns_are_copied(guard, sidecar):
    ages, predictions = np.array([1, 2]), [0, 1]
    guard.log_batch(features={"age": ages}, y_pred=predictions)
    ages[:] = 9
    predictions.append(9)
    assert guard.flush()
    assert sidecar.feature("age") == [1, 2]
    assert sidecar.column("y_pred") == [0, 1]


@pytest.mark.parametrize(
    "stamps",
    [
        [1767225600, 1767225601],
        np.array(["2026-01-01T00:00:00", "2026-01-01T00:00:01"], dtype="datetime64[ns]"),
        pd.Series(pd.to_datetime(["2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z"])),
        pd.DatetimeIndex(["2026-01-01T00:00:00", "2026-01-01T00:00:01"]),
        [datetime(2026, 1, 1, tzinfo=timezone.utc), "2026-01-01T00:00:01"],
    ],
)
def test_timestamps_may_be_columns(guard, sidecar, stamps):
    assert guard.log_batch(y_pred=[1, 2], timestamp=stamps)
    assert guard.flush()
    assert sidecar.column("timestamp") == [1767225600.0, 1767225601.0]


def test_a_timestamp_that_is_not_given_is_now(guard, sidecar):
    before = time.time()
    guard.log_batch(y_pred=[1, 2])
    guard.log_batch(y_pred=[3, 4], timestamp=[None, 5])
    assert guard.flush()
    first, second, third, fourth = sidecar.column("timestamp")
    assert before <= first == second <= third <= time.time()
    assert fourth == 5


def test_an_unusable_timestamp_costs_its_row(guard, sidecar):
    guard.log_batch(
        features={"a": [1, 2, 3]}, y_pred=[1, 2, 3], latency_ms=1, timestamp=[1, "soon", 3]
    )
    assert guard.flush()
    assert sidecar.feature("a") == sidecar.column("y_pred") == [1, 3]
    assert sidecar.column("latency_ms") == [1, 1]
    assert guard.stats() == Stats(0, 2, 2, 1, {"invalid_timestamp": 1})


def test_predictions_of_one_column_of_a_matrix_are_taken(guard, sidecar):
    assert guard.log_batch(
        y_pred=np.array([[1], [2]]), y_proba=pd.DataFrame({"p": [0.5, 1]}).values
    )
    assert guard.flush()
    assert sidecar.column("y_pred") == [1, 2]
    assert sidecar.column("y_proba") == [0.5, 1]


def test_a_frame_of_one_column_is_a_column(guard, sidecar):
    frame = pd.DataFrame({"any": [1, 2]})
    assert guard.log_batch(y_pred=frame, latency_ms=frame, timestamp=frame)
    assert guard.flush()
    for name in ("y_pred", "latency_ms", "timestamp"):
        assert sidecar.column(name) == [1, 2]


def test_a_frame_that_has_a_name_twice_is_not_taken_for_its_names(guard):
    assert not guard.log_batch(features=pd.DataFrame([[1, 2], [3, 4]], columns=["a", "a"]))
    assert not guard.log_batch(y_pred=pd.DataFrame({"a": [1, 2], "b": [3, 4]}))
    assert guard.stats().dropped_by_reason == {"unusable_batch": 4}


@pytest.mark.parametrize("unit", ["s", "ns"])
@pytest.mark.parametrize("kind", ["datetime64", "timedelta64"])
def test_times_are_no_features(guard, sidecar, kind, unit):
    column = np.array([1, 2], dtype=f"{kind}[{unit}]")
    assert guard.log_batch(features={"a": column, "b": pd.Series(column), "c": [1, 2]})
    assert guard.flush()
    assert sidecar.feature("a") == sidecar.feature("b") == [None, None]
    assert sidecar.feature("c") == [1, 2]


@pytest.mark.parametrize(
    ("columns", "rows"),
    [
        ({"features": {"a": [1, 2], "b": [1]}}, 2),
        ({"features": {"a": [1, 2]}, "y_pred": [1, 2, 3]}, 3),
        ({"y_pred": [1, 2], "timestamp": [1]}, 2),
        ({"y_pred": "ab"}, 2),
        ({"y_pred": 1}, 1),
        ({"features": 5}, 1),
        ({"features": {"a": 5}}, 1),
        ({"latency_ms": 5}, 1),
        ({}, 1),
    ],
)
def test_columns_that_do_not_fit_together_are_dropped_whole(guard, sidecar, columns, rows):
    assert not guard.log_batch(**columns)
    assert guard.stats() == Stats(0, 0, 0, rows, {"unusable_batch": rows})
    guard.log(y_pred=1)
    assert guard.flush()
    assert sidecar.events == 1


def test_a_batch_may_be_empty(guard):
    assert guard.log_batch(features=pd.DataFrame({"a": []}), y_pred=[])
    assert guard.flush()
    assert guard.stats() == Stats(0, 0, 0, 0, {})


def test_a_batch_larger_than_the_queue_is_taken_alone_and_sent_in_portions(make_guard, sidecar):
    guard = make_guard(queue_size=100)
    assert guard.log_batch(features={"n": np.arange(25_500)}, y_pred=np.arange(25_500) % 2)
    assert guard.flush(20)
    assert sidecar.feature("n") == list(range(25_500))
    assert max(len(batch["columns"]["timestamp"]) for batch in sidecar.batches) == 1_000


def test_a_batch_that_finds_no_room_is_dropped_whole(make_guard):
    guard = make_guard(queue_size=100)  # and no sidecar
    assert guard.log_batch(y_pred=["x" * 100_000] * 200)
    assert not guard.log_batch(y_pred=[1] * 7)
    assert guard.stats().dropped_by_reason == {"queue_full": 7}


def test_flush_covers_batches_and_events_alike(guard, sidecar):
    guard.log(y_pred="event")
    guard.log_batch(y_pred=["batch"] * 3_000)
    guard.log(y_pred="event")
    assert guard.flush()
    assert sidecar.column("y_pred") == ["event", *["batch"] * 3_000, "event"]


def test_many_small_tables_are_few_batches(guard, sidecar):
    for n in range(1_000):
        assert guard.log_batch(features={"a": [n, n], "b": ["x", "y"]}, y_pred=[0, 1])
        guard.log(features={"a": n}, y_pred=n)
        if n % 100 == 0:
            assert guard.log_batch(y_pred=[n], latency_ms=1)
    eventually(lambda: guard.stats().acknowledged == 3_010, 2)  # not one table every 50 ms
    assert sidecar.events == 3_010
    assert len(sidecar.batches) <= 30
    logged = sorted([*range(1_000)] * 3)
    assert sorted(each for each in sidecar.feature("a") if each is not None) == logged
    pairs = Counter(zip(sidecar.feature("b"), sidecar.column("y_pred"), strict=True))
    assert (pairs["x", 0], pairs["y", 1]) == (1_000, 1_000)
    assert guard.stats().dropped == 0


@given(
    st.lists(
        st.tuples(
            st.integers(0, 700),
            st.sampled_from([("a",), ("a", "b"), ("b", "a"), ()]),
            st.booleans(),
        ),
        max_size=12,
    )
)
def test_merged_tables_have_the_same_events(shapes):
    tables = []
    for number, (rows, names, has_latency) in enumerate(shapes):
        ids = [f"{number}-{row}" for row in range(rows)]
        features = {name: [f"{name}{each}" for each in ids] for name in names} or None
        latency = ids if has_latency else None
        tables.append(Table(ids, latency, ids, None, features, ids))
    merged = merge_tables(tables)
    assert len(merged) <= 6
    assert sorted(map(repr, events_of(merged))) == sorted(map(repr, events_of(tables)))


def events_of(tables):
    for table in tables:
        for row in range(table.rows):
            columns = table._asdict()
            features = columns.pop("features") or {}
            yield (
                {name: column and column[row] for name, column in columns.items()},
                sorted((name, column[row]) for name, column in features.items()),
            )
