"""Drift from the days before: seasons are no alarm, and what fired is not usual the day after."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from support.offline import KEY, NOW, Offline

from mlguard_common.config import Duration
from mlguard_sidecar.config import BaselineConfig, Config, DriftConfig, WindowsConfig
from mlguard_sidecar.drift import SlidingReference, psi
from mlguard_sidecar.models import learn_again
from mlguard_sidecar.models.resolutions import DAY_SECONDS
from mlguard_sidecar.statistics import explain
from mlguard_sidecar.wire import Line

FIRST = int(NOW // DAY_SECONDS) * DAY_SECONDS
N = 1000


@pytest.fixture
def opened(tmp_path):
    made: list[Offline] = []

    def make(reference: str = "last_7_days") -> Offline:
        config = Config(baseline=BaselineConfig(events=N), drift=DriftConfig(reference=reference))
        made.append(Offline(tmp_path, config, FIRST))
        return made[-1]

    yield make
    for bench in made:
        bench.close()


def send_day(bench: Offline, day: int, x: np.ndarray) -> None:
    """Send the events of a day at its noon, after the days before were recorded."""
    bench.now = FIRST + day * DAY_SECONDS
    bench.record()
    bench.now += DAY_SECONDS // 2
    bench.send(features={"x": x.tolist()})
    assert bench.commit()


def column(bench: Offline, window: str = "24h"):
    bench.now = FIRST + int((bench.now - FIRST) // DAY_SECONDS) * DAY_SECONDS + DAY_SECONDS - 1
    bench.move()
    (model,) = bench.statistics()
    return next(c for c in model.columns if c.column.name == "x" and c.window == window)


def psi_of(bench: Offline, before: list[np.ndarray], now: np.ndarray) -> float:
    baseline = bench.registry.views[KEY].schema.baseline
    edges = [-np.inf, *baseline.columns[0].psi_edges, np.inf]
    counts = [np.histogram(values, edges)[0] for values in (np.concatenate(before), now)]
    return psi(*counts)


def test_the_index_is_that_of_the_pooled_seven_days_before(opened):
    rng = np.random.default_rng(1)
    bench = opened()
    days = [rng.normal(day / 20, 1, N) for day in range(12)]
    for day, x in enumerate(days):
        send_day(bench, day, x)
    found = column(bench)
    assert found.reference_drift.psi == pytest.approx(psi_of(bench, days[4:11], days[11]), rel=1e-9)
    assert found.drift.psi == pytest.approx(psi_of(bench, days[:1], days[11]), rel=1e-9)
    bench.now = FIRST + 12 * DAY_SECONDS
    bench.record()
    (row,) = bench.days()[-1].columns[:1]
    assert row.reference_psi == pytest.approx(found.reference_drift.psi, rel=1e-9)
    assert bench.days()[0].columns[0].reference_psi is None, "there is no day before"


def test_a_slow_season_is_an_alarm_against_the_baseline_alone(opened):
    rng = np.random.default_rng(2)
    bench = opened()
    for day in range(40):
        send_day(bench, day, rng.normal(day / 20, 1, N))
    found = column(bench)
    assert found.drift.psi > 1
    assert found.reference_drift.psi < 0.1
    rows = [day.columns[0] for day in bench.days()]
    assert all(row.reference_psi is None or row.reference_psi < 0.2 for row in rows)


def test_days_that_fired_are_left_out_until_four_weeks_later(opened):
    rng = np.random.default_rng(3)
    bench = opened()
    calm = [rng.normal(0, 1, N) for _ in range(8)]
    jumped = [rng.normal(3, 1, N) for _ in range(45)]
    for day, x in enumerate([*calm, *jumped[:10]]):
        send_day(bench, day, x)
    found = column(bench)
    assert found.reference_drift.psi == pytest.approx(psi_of(bench, calm[1:], jumped[9]), rel=1e-9)
    assert found.has_drifted
    (explanation,) = explain([found], bench.days())
    assert explanation.since == "2027-01-23"
    assert "in the days before" in explanation.sentences[0]
    assert explanation.guess is None, "the moments of the days before are not known"
    # four weeks after the last calm day nothing is left to compare with; then the jump is usual
    for day, x in enumerate(jumped[10:], 18):
        send_day(bench, day, x)
    assert not column(bench).has_drifted


def test_weekends_are_compared_with_weekends(opened):
    rng = np.random.default_rng(4)
    bench = opened("same_weekday")
    days = [rng.normal(4 if day % 7 in (5, 6) else 0, 1, N) for day in range(35)]
    for day, x in enumerate(days[:34]):
        send_day(bench, day, x)
    found = column(bench)  # a weekend
    before = [days[day] for day in (26, 19, 12, 5)]
    assert found.reference_drift.psi == pytest.approx(psi_of(bench, before, days[33]), rel=1e-9)
    assert not found.has_drifted
    assert psi_of(bench, days[26:33], days[33]) > 0.2, "seven days would be an alarm"
    assert SlidingReference.SAME_WEEKDAY.candidates(FIRST)[0] == FIRST - 7 * DAY_SECONDS


def test_the_reference_in_use_decides_which_threshold_is_exported(opened):
    rng = np.random.default_rng(5)
    bench = opened("last_7_days")
    for day in range(3):
        send_day(bench, day, rng.normal(day * 2, 1, N))
    column(bench)
    text = bench.page()
    assert "mlguard_drift_reference_psi_threshold{" in text
    assert "mlguard_drift_psi_threshold{" not in text
    assert "mlguard_drift_psi{" in text
    bench.use(Config(baseline=BaselineConfig(events=N)))
    text = bench.page()
    assert "mlguard_drift_reference_psi_threshold{" not in text
    assert "mlguard_drift_psi_threshold{" in text
    assert "mlguard_drift_reference_psi{" in text, "the sliding index is always exported"


def test_a_new_baseline_has_no_reference_in_the_bins_of_the_old_one(opened):
    rng = np.random.default_rng(6)
    bench = opened()
    for day in range(4):
        send_day(bench, day, rng.normal(0, 1, N))
    assert column(bench).reference_drift is not None
    learn_again(bench.registry, KEY)
    send_day(bench, 4, rng.normal(5, 1, N))
    assert column(bench).reference_drift is None
    send_day(bench, 5, rng.normal(5, 1, N))
    found = column(bench)
    assert found.reference_drift is not None
    assert not found.has_drifted


def test_a_reference_is_read_again_after_late_events(opened):
    rng = np.random.default_rng(7)
    bench = opened()
    days = [rng.normal(0, 1, N) for _ in range(4)]
    for day, x in enumerate(days):
        send_day(bench, day, x)
    before = column(bench).reference_drift
    late = FIRST + DAY_SECONDS + 60.0
    more = rng.normal(0.3, 1, N)
    bench.send(timestamp=[late] * N, features={"x": more.tolist()})
    bench.commit()
    bench.record()
    found = column(bench).reference_drift
    assert found != before
    assert found.psi == pytest.approx(psi_of(bench, [*days[:3], more], days[3]), rel=1e-9)
    bench.send(timestamp=[late] * N, features={"x": [9.0] * N})
    bench.commit()
    bench.record()
    found = column(bench).reference_drift
    assert found.psi == pytest.approx(psi_of(bench, [days[0], days[2]], days[3]), rel=1e-9)


def test_a_restart_reads_the_references(opened, tmp_path):
    rng = np.random.default_rng(8)
    bench = opened()
    for day in range(4):
        send_day(bench, day, rng.normal(0, 1, N))
    before = column(bench).reference_drift
    now = bench.now
    bench.close()
    again = Offline(tmp_path, bench.config, now)
    again.record()
    assert column(again).reference_drift == before
    again.close()


def test_each_window_has_the_reference_of_its_middle_and_without_one_is_not_judged(tmp_path):
    rng = np.random.default_rng(9)
    windows = WindowsConfig(features=[Duration("1h"), Duration("24h"), Duration("7d")])
    config = Config(
        baseline=BaselineConfig(events=N),
        drift=DriftConfig(reference="last_7_days"),
        windows=windows,
    )
    bench = Offline(tmp_path, config, FIRST)
    days = [rng.normal(day / 30, 1, N) for day in range(21)]
    for day, x in enumerate(days):
        send_day(bench, day, x)
    found = column(bench, "7d")
    # it ends with day 20, and its middle is on day 17
    expected = psi_of(bench, days[10:17], np.concatenate(days[14:21]))
    assert found.reference_drift.psi == pytest.approx(expected, rel=1e-9)
    bench.registry.views[KEY].references = None
    bench.registry.views[KEY].version += 1
    (model,) = bench.statistics()
    assert model.drifted == [], "the baseline is not what alerts compare with"
    bench.record()
    bench.use(msgspec.structs.replace(config, drift=DriftConfig(reference="same_weekday")))
    (model,) = bench.statistics()
    assert all(c.reference_drift is None for c in model.columns), "which are of other days"
    bench.record()
    (model,) = bench.statistics()
    assert any(c.reference_drift is not None for c in model.columns)
    bench.close()


def test_a_model_whose_day_cannot_be_computed_costs_no_other_one_its_day(opened, caplog):
    rng = np.random.default_rng(10)
    bench = opened()
    send_day(bench, 0, rng.normal(0, 1, N))
    other = {"project_id": "a", "model_id": "broken"}
    bench.send_events(Line(**other, features={"x": 1.0}))
    bench.commit()
    bench.db.execute("UPDATE model SET schema = x'00' WHERE model = 'broken'")
    bench.now = FIRST + DAY_SECONDS
    bench.record()
    assert bench.db.execute("SELECT count(*) FROM day").fetchone() == (1,)
    assert "a day of a/broken/predict cannot be recorded" in caplog.text
