"""Windows that move on hold what windows that are read hold."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.offline import KEY, NOW, Offline

from mlguard_common.config import Duration
from mlguard_sidecar.config import BaselineConfig, Config, RetentionConfig, WindowsConfig
from mlguard_sidecar.store import Retention

LENGTHS = [Duration(text) for text in ("5m", "1h", "3h", "24h", "48h")]
CONFIG = Config(
    baseline=BaselineConfig(events=40),
    windows=WindowsConfig(traffic=LENGTHS, features=LENGTHS),
    retention=RetentionConfig(minutes=Duration("26h")),
)


def content(bench) -> dict:
    view = bench.registry.views[KEY]
    return {
        (kind, label): (window.start, window.end, window.pane)
        for kind, windows in (("t", view.traffic_windows), ("f", view.feature_windows))
        for label, window in windows.items()
    }


def assert_moved_as_read(bench) -> None:
    moved = content(bench)
    bench.refresh()
    read = content(bench)
    assert moved.keys() == read.keys()
    for name, (start, end, pane) in read.items():
        assert moved[name][:2] == (start, end)
        counts, moments = moved[name][2].counts, moved[name][2].moments
        # columns of which nothing is left may stand at the end, empty
        assert not counts[len(pane.counts) :].any()
        assert not moments[len(pane.moments) :, 0].any()
        assert counts[: len(pane.counts)].tolist() == pane.counts.tolist(), name
        kept = moments[: len(pane.moments)]
        np.testing.assert_allclose(kept, pane.moments, rtol=1e-9, atol=1e-9, err_msg=str(name))


STEPS = st.lists(
    st.tuples(
        st.sampled_from([0, 30, 60, 300, 3600, 7000, 86_400, 130_000]),  # seconds that pass
        st.lists(st.integers(-60, 180_000), max_size=6),  # ages of the events that come
        st.booleans(),  # whether the sidecar restarts
    ),
    min_size=1,
    max_size=7,
)


@settings(max_examples=60, deadline=None)
@given(STEPS, st.integers(0, 3599))
def test_moving_is_reading(tmp_path_factory, steps, offset):
    rng = random.Random(1)
    folder = tmp_path_factory.mktemp("w")
    bench = Offline(folder, CONFIG)
    bench.now = NOW + offset
    bench.send(features={"x": [rng.gauss(0, 1) for _ in range(50)], "c": ["a", "b"] * 25})
    bench.commit()
    for seconds, ages, restarts in steps:
        bench.now += seconds
        bench.move()
        if ages:
            bench.send(
                timestamp=[bench.now - age for age in ages],
                latency_ms=[rng.expovariate(1) for _ in ages],
                features={"x": [rng.gauss(3, 1) for _ in ages], "d": [1.0 for _ in ages]},
                y_pred=[rng.choice("uv") for _ in ages],
            )
            bench.commit()
        bench.move()
        if restarts:
            now = bench.now
            bench.close()
            bench = Offline(folder, CONFIG)
            bench.now = now
            bench.move()
    assert_moved_as_read(bench)
    bench.close()


def test_a_day_of_minutes_passes_and_is_subtracted_exactly(tmp_path):
    bench = Offline(tmp_path, CONFIG)
    rng = random.Random(2)
    times = [NOW - 60 * i - rng.random() * 60 for i in range(1500) for _ in range(2)]
    bench.send(timestamp=times, features={"x": [rng.gauss(0, 1e6) for _ in times]})
    bench.commit()
    bench.refresh()
    for _ in range(180):
        bench.now += 60
        bench.move()
    assert_moved_as_read(bench)
    bench.close()


def test_a_clock_that_jumps_back_reads_the_windows_again(tmp_path):
    bench = Offline(tmp_path, CONFIG)
    bench.send(latency_ms=[1.0] * 5, timestamp=[NOW - 4000 * i for i in range(5)])
    bench.commit()
    for seconds in (9000, -9000, 0, 400_000, -400_000):
        bench.now = NOW + seconds
        bench.move()
        assert_moved_as_read(bench)
    bench.close()


def test_hours_are_kept_in_the_database_and_late_events_take_them_back(tmp_path):
    bench = Offline(tmp_path, CONFIG)
    bench.send(latency_ms=[1.0] * 600, timestamp=[NOW - 7200 - 10 * i for i in range(600)])
    bench.commit()
    bench.refresh()
    kept = "SELECT count(*) FROM pane WHERE resolution = 4"
    before = bench.db.execute(kept).fetchone()[0]
    assert before > 0
    bench.send(latency_ms=[1.0], timestamp=[NOW - 9000])
    bench.commit()
    assert bench.db.execute(kept).fetchone()[0] < before
    assert_moved_as_read(bench)
    assert bench.registry.views[KEY].traffic_windows["24h"].pane.counts[0] == 601
    bench.compact(Retention(minutes=3600))
    assert bench.db.execute(kept).fetchone()[0] == 0
    assert_moved_as_read(bench)
    bench.close()


@pytest.mark.parametrize("values", [[1e9, 1e9 + 1e-3] * 30, [1e300, -1e300, 1.7e308, 1.0] * 10])
def test_moments_of_odd_numbers_stay_finite_and_within_their_range(tmp_path, values):
    bench = Offline(tmp_path, CONFIG)
    for minute in range(4):
        bench.now = NOW + 60 * minute
        bench.send(features={"x": values})
        bench.commit()
        bench.move()
    for label in ("5m", "24h"):
        moments = bench.registry.views[KEY].feature_windows[label].pane.moments[0]
        assert np.isfinite(moments).all()
        assert moments[3] <= moments[1] <= moments[4]
    bench.close()
