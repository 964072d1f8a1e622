"""The most frequent values outside a baseline."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.offline import NOW, Offline

from mlguard_sidecar.histogram import (
    MAX_OUTSIDE,
    Pane,
    decode,
    encode,
    most_frequent,
    subtract_outside,
)
from mlguard_sidecar.store import Retention

streams = st.lists(st.lists(st.integers(0, 60), max_size=80), max_size=8)


@given(streams)
def test_a_count_is_never_too_high_and_too_low_by_a_21st_at_most(parts):
    whole = Counter(float(value) for part in parts for value in part)
    merged: dict[str | float, int] = {}
    for part in parts:
        merged = most_frequent([merged, Counter(map(float, part))])
    assert len(merged) <= MAX_OUTSIDE
    error = sum(whole.values()) / (MAX_OUTSIDE + 1)
    for value, n in whole.items():
        assert n - error <= merged.get(value, 0) <= n


names = st.text() | st.floats(allow_nan=False, allow_infinity=False)
outsides = st.dictionaries(
    st.integers(0, 9), st.dictionaries(names, st.integers(1, 2**53), max_size=20), max_size=5
)


@given(outsides)
def test_they_come_back_from_the_database_as_they_were(outside):
    pane = Pane(np.arange(12), np.zeros((10, 5)), outside)
    back = decode(encode(pane))
    assert back.outside == outside
    assert back.counts.tolist() == pane.counts.tolist()
    assert decode(encode(Pane(pane.counts, pane.moments))).outside == {}


def test_what_has_left_a_window_is_subtracted():
    total = {3: {"a": 5, "b": 2}, 4: {1.5: 1}}
    assert subtract_outside(total, [{3: {"a": 2, "b": 2}}, {4: {1.5: 3}}]) == {3: {"a": 3}}


@pytest.fixture
def bench(tmp_path):
    made = Offline(tmp_path)
    made.send(features={"x": [float(i) for i in range(50)], "c": ["a", "b"] * 25})
    made.commit()
    yield made
    made.close()


def outside(bench: Offline, name: str, window: str = "1h") -> dict:
    (model,) = bench.statistics()
    (found,) = (c for c in model.columns if (c.column.name, c.window) == (name, window))
    return dict(found.outside)


def test_unseen_categories_and_repeated_numbers_out_of_range_are_kept(bench):
    for _ in range(3):
        bench.send(features={"x": [-999, 5.0, 60.5, "x", None], "c": ["new", "a", 7, True, ""]})
        bench.commit()
    assert outside(bench, "x") == {-999.0: 3, 60.5: 3}
    assert outside(bench, "c") == {"new": 3, "7": 3, "true": 3}


def test_they_are_told_apart_by_their_minutes_and_leave_the_window_with_these(bench):
    times = [NOW - 120, NOW - 120, NOW]
    bench.send(timestamp=times, features={"x": [-1.0, -1.0, -2.0], "c": ["u", "v", "v"]})
    bench.commit()
    assert outside(bench, "c") == {"u": 1, "v": 2}
    bench.now = NOW + 3600 - 60
    bench.move()
    assert outside(bench, "c") == {"v": 1}
    assert outside(bench, "x") == {-2.0: 1}
    assert outside(bench, "x", "24h") == {-1.0: 2, -2.0: 1}
    bench.now = NOW + 2 * 86_400
    bench.compact(Retention())
    rows = bench.db.execute("SELECT body FROM pane WHERE resolution = 1 AND binning != 'traffic'")
    kept = [decode(body).outside for (body,) in rows.fetchall()]
    assert {value for pane in kept for values in pane.values() for value in values} == {
        "u", "v", -1.0, -2.0,
    }  # fmt: skip


def test_of_many_values_that_never_repeat_none_is_kept(bench):
    bench.send(features={"x": [100.0 + i for i in range(500)], "c": [f"u{i}" for i in range(500)]})
    bench.commit()
    assert outside(bench, "x") == {}
    assert outside(bench, "c") == {}
    bench.send(features={"x": [-999.0] * 40, "c": ["new"] * 40})
    bench.commit()
    assert outside(bench, "x")[-999.0] > 30
    assert outside(bench, "c")["new"] > 30
