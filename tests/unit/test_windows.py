"""Windows that move on hold what windows that are read hold."""

from __future__ import annotations

import random
import sqlite3

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.offline import KEY, NOW, Offline

from mlguard_common.config import Duration
from mlguard_sidecar.config import BaselineConfig, Config, RetentionConfig, WindowsConfig
from mlguard_sidecar.statistics import ModelStatistics
from mlguard_sidecar.store import Retention, Store
from mlguard_sidecar.wire import Line

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


def test_a_window_that_wider_panes_have_left_can_still_be_shown(tmp_path):
    bench = Offline(tmp_path, Config(baseline=BaselineConfig(events=0)))
    bench.send(timestamp=[NOW] * 3, features={"a": [1.0, 2.0, 3.0]})
    bench.commit()
    bench.refresh()
    bench.send(timestamp=[NOW - 50 * 60], features={"a": [1.0], "b": [2.0]})
    bench.commit()
    for _ in range(15):
        bench.now += 60
        bench.move()
        for windows in (bench.registry.views[KEY].feature_windows,):
            for window in windows.values():
                layout = bench.registry.views[KEY].schema.layout
                starts = [*layout.starts, layout.width]
                assert len(window.pane.counts) == starts[len(window.pane.moments)]
        assert bench.figures()["feature_mean", "1h", "a"] == pytest.approx(2, abs=0.3)
    bench.close()


def test_a_rate_falls_while_nothing_comes_and_rises_again_as_the_window_fits(tmp_path):
    bench = Offline(tmp_path, CONFIG)
    bench.send(latency_ms=[1.0] * 300, timestamp=[NOW - 1] * 300)
    bench.commit()
    for minute in range(4):
        bench.now = NOW + 60 * minute + 30
        bench.move()
        shown = bench.figures()["inferences_per_second", "5m"]
        (fresh,) = [w.rate(bench.now) for w in _recomputed(bench) if w.window == "5m"]
        assert shown == pytest.approx(fresh)
    bench.close()


def _recomputed(bench):
    view = bench.registry.views[KEY]
    return ModelStatistics.of(view, bench.settings.now.of(KEY)).traffic


def test_a_read_that_fails_after_a_change_of_baseline_is_made_up_for(tmp_path, monkeypatch):
    bench = Offline(tmp_path, Config(baseline=BaselineConfig(events=50)))
    bench.send(features={"x": [float(i) for i in range(40)]})
    bench.commit()

    async def failing(*_) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(Store, "read_total", failing)
    bench.send(features={"x": [float(i) for i in range(40)]})
    assert bench.commit()
    assert bench.registry.views[KEY].is_stale
    monkeypatch.undo()
    bench.move()
    figures = bench.figures()
    assert sum(v for k, v in figures.items() if k[0] == "feature_bin_total") == 80
    assert figures["drift_samples", "1h", "feature", "x"] == 80
    bench.close()


@pytest.mark.parametrize("how", ["move", "refresh", "compact"])
def test_a_pane_that_cannot_be_read_is_dropped_and_costs_only_its_own_events(tmp_path, how):
    bench = Offline(tmp_path, CONFIG)
    for model in ("m", "n"):
        for age in (60, 2000, 4000):
            event = Line(project_id="p", model_id=model, timestamp=NOW - age, latency_ms=1.0)
            bench.send_events(event)
    bench.commit()
    bench.refresh()
    bench.now += 7200 if how == "move" else 0
    bench.db.execute(
        "UPDATE pane SET body = x'00' WHERE resolution = 0 AND model = 1 AND start < ?",
        (NOW - 3000,),
    )
    if how == "compact":
        bench.compact(Retention(minutes=1800))
    elif how == "move":
        bench.move()
    else:
        bench.db.execute("DELETE FROM pane WHERE resolution = 4")
        bench.refresh()
    counts = {
        key.model: int(view.traffic_windows["24h"].pane.counts[0])
        for key, view in bench.registry.views.items()
    }
    if how != "move" or bench.store.panes_dropped:
        assert counts == {"m": 2, "n": 3}
        assert bench.store.panes_dropped == 1
    samples = [s for f in bench.telemetry.collect() for s in f.samples]
    dropped = [s.value for s in samples if s.name == "mlguard_sidecar_panes_dropped_total"]
    assert dropped == [bench.store.panes_dropped]
    bench.close()


def test_windows_are_read_from_a_database_that_takes_nothing(tmp_path):
    bench = Offline(tmp_path, CONFIG)
    bench.send(latency_ms=[1.0] * 600, timestamp=[NOW - 7200 - 10 * i for i in range(600)])
    bench.commit()
    bench.db.execute("PRAGMA query_only = ON")
    bench.refresh()
    assert bench.registry.views[KEY].traffic_windows["24h"].pane.counts[0] == 600
    assert bench.telemetry.store_errors == 0
    bench.db.execute("PRAGMA query_only = OFF")
    bench.close()


def test_a_new_model_s_totals_and_windows_appear_together(tmp_path, monkeypatch):
    bench = Offline(tmp_path, CONFIG)
    seen = []
    whole = Store.read_windows

    async def watched(self, *arguments):
        seen.append(bench.page())
        return await whole(self, *arguments)

    monkeypatch.setattr(Store, "read_windows", watched)
    bench.send(features={"x": [float(i) for i in range(30)]})
    bench.commit()
    assert seen
    assert not any(seen), "nothing is shown before the windows are read"
    assert "mlguard_baseline_learning_ratio" in bench.page()
    bench.send(features={"x": [float(i) for i in range(30)]})  # and the baseline is built
    before = len(seen)
    bench.commit()
    assert len(seen) > before
    assert all("mlguard_baseline_learning_ratio" in page for page in seen[before:])
    assert bench.figures()["inferences_total",] == 60
    bench.close()
