"""What becomes of the values that hosts have."""

import enum
import sys
from datetime import date, datetime, timedelta, timezone
from datetime import time as clock
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlguard import values

NAN, INF = float("nan"), float("inf")


class Colour(str, enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Money(float):
    __slots__ = ()


class Hostile:
    """Raises whatever is asked of it."""

    def __getattribute__(self, name):
        raise RuntimeError(name)

    def __repr__(self):
        raise RuntimeError("repr")

    def __str__(self):
        raise RuntimeError("str")

    def __float__(self):
        raise RuntimeError("float")

    def __eq__(self, other):
        raise RuntimeError("eq")

    def __hash__(self):
        return 1


@pytest.fixture(params=["orjson", "msgspec", "json"])
def encoder(request, monkeypatch):
    """Have a Guard find only this encoder."""
    for library in {"orjson", "msgspec"} - {request.param}:
        monkeypatch.setitem(sys.modules, library, None)
    return request.param


SENT_AS = [
    (NAN, None),
    (INF, None),
    (-INF, None),
    (True, True),
    (False, False),
    (0, 0),
    (-1.5, -1.5),
    (1e308, 1e308),
    ("", ""),
    ('é\U0001f600\x00\n"\\', 'é\U0001f600\x00\n"\\'),
    ("a\ud800b", "a?b"),
    (2**63 - 1, 2**63 - 1),
    (-(2**63), -(2**63)),
    (2**63, 2.0**63),
    (-(2**70) - 1, -(2.0**70)),
    (10**400, None),
    (Decimal("1.5"), 1.5),
    (Decimal("NaN"), None),
    (Decimal("sNaN"), None),
    (Fraction(1, 4), 0.25),
    (Colour.RED, "red"),
    (Level.HIGH, 3),
    (Money(2.5), 2.5),
    (np.float64(1.5), 1.5),
    (np.float32(0.5), 0.5),
    (np.float64("nan"), None),
    (np.int64(7), 7),
    (np.uint64(2**64 - 1), 2.0**64),
    (np.bool_(True), True),
    (np.str_("x"), "x"),
    (np.array(3), 3),
    (np.array([4.5]), 4.5),
    (np.array([1, 2]), None),
    (pd.NA, None),
    (pd.NaT, None),
    (datetime(2026, 1, 1, tzinfo=timezone.utc), None),
    (np.datetime64("2026-01-01T00:00:00", "ns"), None),
    (np.timedelta64(5, "ns"), None),
    (np.longdouble(1.5), 1.5),
    (1j, None),
    (b"bytes", None),
    ([1], None),
    ({"a": 1}, None),
    (object(), None),
    (Hostile(), None),
]


@pytest.mark.usefixtures("encoder")
def test_each_value_is_sent_as_all_encoders_and_the_sidecar_know_it(guard, sidecar):
    for value, _ in SENT_AS:
        assert guard.log(features={"value": value, "other": 1})
    assert guard.flush()
    sent = [(type(value), value) for value in sidecar.feature("value")]
    assert sent == [(type(value), value) for _, value in SENT_AS]
    assert sidecar.feature("other") == [1] * len(SENT_AS)
    assert guard.stats().dropped == 0


@pytest.mark.usefixtures("encoder")
def test_a_value_alone_in_its_batch_is_sent_the_same(guard, sidecar):
    for case, (value, expected) in enumerate(SENT_AS):
        guard.log(features={"value": value}, y_pred=value)
        assert guard.flush()
        sent = sidecar.feature("value"), sidecar.column("y_pred")
        assert sent == ([expected], [expected]), case  # some values cannot be printed
        sidecar.batches.clear()


@pytest.mark.usefixtures("encoder")
def test_nan_does_not_spoil_its_neighbours(guard, sidecar):
    for value in (1.5, NAN, -INF, 2.5):
        guard.log(features={"x": value, "y": 0.5}, latency_ms=value, y_proba=0.5)
    assert guard.flush()
    assert sidecar.feature("x") == [1.5, None, None, 2.5]
    assert sidecar.feature("y") == [0.5] * 4
    assert sidecar.column("latency_ms") == [1.5, None, None, 2.5]


@pytest.mark.usefixtures("encoder")
def test_scores_are_numbers_or_one_for_each_class(guard, sidecar):
    scores = [0.5, np.float32(0.25), True, None, NAN, "high", {"a": 0.9, 1: Decimal("0.1")}, {}]
    for score in [*scores, {"a": NAN, "b": 1}]:
        guard.log(y_proba=score)
    assert guard.flush()
    assert sidecar.column("y_proba") == [
        *(0.5, 0.25, 1.0, None, None, None, {"a": 0.9, "1": 0.1}, None),
        {"b": 1},
    ]


def test_latencies_are_numbers(guard, sidecar):
    for latency in (1, 2.5, np.float64(3.5), "4", True, Decimal(5)):
        guard.log(latency_ms=latency)
    assert guard.flush()
    assert sidecar.column("latency_ms") == [1, 2.5, 3.5, None, 1.0, 5.0]


def test_names_become_text(guard, sidecar):
    guard.log(features={1: "a", Colour.RED: "b", "x\ud800": "c", None: "d", (1, 2): "e"})
    assert guard.flush()
    assert sidecar.batches[0]["columns"]["features"] == {
        "1": ["a"],
        "red": ["b"],
        "x?": ["c"],
        "None": ["d"],
        "(1, 2)": ["e"],
    }


def test_a_hostile_name_costs_its_event_alone(guard, sidecar):
    for number in range(10):
        guard.log(features={"a": number, **({Hostile(): 1} if number == 4 else {})})  # type: ignore[dict-item]
    assert guard.flush()
    assert sorted(sidecar.feature("a")) == [0, 1, 2, 3, 5, 6, 7, 8, 9]
    assert guard.stats().dropped_by_reason == {"unusable": 1}


class HostileError(Exception):
    def __str__(self):
        raise HostileError

    __repr__ = __str__


class HostileMapping(dict):
    def keys(self):
        raise HostileError

    def __iter__(self):
        raise HostileError

    def __float__(self):
        raise HostileError


def test_even_errors_that_cannot_be_shown_do_not_reach_the_host(guard, sidecar):
    assert guard.log(features={"a": HostileMapping()}, y_pred=HostileMapping(), y_proba=1)
    assert not guard.log(features=HostileMapping(a=1))
    assert not guard.log_batch(features=HostileMapping(a=[1]))
    assert guard.log(timestamp=HostileMapping())
    assert guard.flush()
    assert sidecar.feature("a") == [None]
    assert guard.stats().dropped == 3


def test_one_warning_for_each_feature_that_has_unusable_values(guard, caplog):
    for _ in range(50):
        guard.log(features={"when": datetime.now(timezone.utc), "what": [1], "fine": NAN})
    assert guard.flush()
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == 2
    assert all(record.levelname == "WARNING" for record in caplog.records)
    assert "'when'" in messages[0]
    assert "'what'" in messages[1]


@pytest.mark.parametrize(
    ("value", "kind", "advice"),
    [
        (datetime(2026, 1, 1), "datetime.datetime", "a time is neither a number nor a category"),  # noqa: DTZ001
        (date(2026, 1, 1), "datetime.date", "a time is neither"),
        (clock(12, 30), "datetime.time", "a time is neither"),
        (pd.Timestamp("2026-01-01"), "Timestamp", "a time is neither"),
        (np.datetime64("2026-01-01"), "numpy.datetime64", "a time is neither"),
        (timedelta(seconds=5), "datetime.timedelta", "a duration is not a number"),
        (pd.Timedelta(5), "Timedelta", "a duration is not a number"),
        (np.timedelta64(5, "s"), "numpy.timedelta64", "a duration is not a number"),
        ([1, 2], "type list", "log each as a feature of its own"),
        ((1, 2), "type tuple", "log each"),
        ({"a": 1}, "type dict", "log each"),
        ({1}, "type set", "log each"),
        (np.array([1, 2]), "numpy.ndarray", "log each"),
        (b"bytes", "type bytes", "decode them"),
        (bytearray(b"bytes"), "type bytearray", "decode them"),
    ],
)
@pytest.mark.parametrize("method", ["log", "log_batch"])
def test_values_that_are_not_watched_are_warned_of_with_the_reason(
    guard, sidecar, caplog, method, value, kind, advice
):
    for _ in range(3):
        if method == "log":
            assert guard.log(features={"odd": value, "even": 2})
        else:
            column = np.array([None], dtype=object)
            column[0] = value
            assert guard.log_batch(features={"odd": column, "even": [2]})
        assert guard.flush()
    assert sidecar.feature("odd") == [None] * 3
    assert sidecar.feature("even") == [2] * 3
    (record,) = caplog.records
    assert "feature 'odd' is not watched" in record.getMessage()
    assert kind in record.getMessage()
    assert advice in record.getMessage()


def test_warnings_of_many_features_do_not_hide_others(guard, caplog):
    for number in range(1_200):
        guard.log(features={f"f{number}": [1]})
    guard.log(timestamp="never")
    assert guard.flush()
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == 1_001
    assert "invalid_timestamp" in messages[-1]


def test_the_row_of_a_matrix_is_no_probability(guard, caplog):
    guard.log(y_proba=np.array([0.25, 0.75]))
    assert guard.flush()
    (record,) = caplog.records
    assert "log the largest, or a mapping of classes" in record.getMessage()


@pytest.mark.parametrize("name", ["x" * 500, "a\nb", "\x00", "", "\u202e", "x" * 129])
def test_names_of_any_length_and_characters_are_sent_as_they_are(guard, sidecar, name):
    assert guard.log(features={name: 1})
    assert guard.log_batch(features={name: [2]})
    assert guard.flush()
    assert sidecar.feature(name) == [1, 2]
    assert guard.stats().dropped == 0


@pytest.mark.parametrize("column", ["y_pred", "y_proba", "latency_ms"])
def test_other_columns_are_warned_of_likewise(guard, caplog, column):
    for _ in range(3):
        guard.log(**{column: 1j})
    assert guard.flush()
    (record,) = caplog.records
    assert f"a value of {column}, of type complex, is sent as missing" in record.getMessage()


@pytest.mark.parametrize(
    "odd",
    [date(2026, 1, 1), clock(), timedelta(1), b"", bytearray(), [1], (1,), {1: 1}, {1}, 1j],
)
def test_plain_names_the_type_that_it_refuses(odd):
    with pytest.raises(TypeError, match=type(odd).__name__):
        values.plain(odd)


anything = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(st.characters(exclude_categories=())),
    st.binary(),
    st.decimals(),
    st.fractions(),
    st.datetimes(),
    st.complex_numbers(),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(), st.floats(), max_size=3),
    st.sampled_from([Hostile, object(), len, Colour.RED, np.float32("inf"), pd.NA]),
)
names = st.one_of(st.text(st.characters(exclude_categories=())), st.integers(), st.none())


@pytest.mark.usefixtures("encoder")
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "features": st.one_of(anything, st.dictionaries(names, anything, max_size=5)),
                "y_pred": anything,
                "y_proba": anything,
                "latency_ms": anything,
                "timestamp": anything,
            },
        ),
        max_size=8,
    )
)
def test_no_value_raises_or_costs_another_event(guard, sidecar, events):
    before, arrived = guard.stats(), sidecar.events
    for drawn in events:
        event = _armed(drawn)
        guard.log(**event)
        guard.log_batch(**event)
        assert guard.log(features={"good": 1.5}, y_pred="good")
    assert guard.flush(10)
    after = guard.stats()
    assert after.queued == 0
    assert after.acknowledged - before.acknowledged == sidecar.events - arrived
    # Each call of log is accounted for; what log_batch made of it may be any number of events.
    logged = 2 * len(events)
    assert after.acknowledged + after.dropped - before.acknowledged - before.dropped >= logged
    good = sum(value == 1.5 for batch in sidecar.batches for value in _good(batch))
    assert good >= len(events)
    sidecar.batches.clear()


def _armed(drawn):
    """Put the objects in that the generator itself could not hold."""
    if isinstance(drawn, dict):
        return {name: _armed(value) for name, value in drawn.items()}
    return Hostile() if drawn is Hostile else drawn


def _good(batch):
    return batch["columns"].get("features", {}).get("good", [])
