"""The history of days, from what is stored."""

from __future__ import annotations

import numpy as np
import pytest
from support.offline import KEY, NOW, Offline
from support.outcomes import outcome

from mlguard_sidecar.api import day_answer
from mlguard_sidecar.cli.history import bar, history_table
from mlguard_sidecar.config import BaselineConfig, Config, DriftConfig
from mlguard_sidecar.drift import psi
from mlguard_sidecar.models import learn_again
from mlguard_sidecar.models.resolutions import DAY_SECONDS
from mlguard_sidecar.store import Retention

FIRST = int(NOW // DAY_SECONDS) * DAY_SECONDS


@pytest.fixture
def bench(tmp_path):
    made = Offline(tmp_path, Config(baseline=BaselineConfig(events=500)))
    made.now = FIRST
    yield made
    made.close()


def send_day(bench: Offline, day: int, x: np.ndarray, latency: float = 5.0) -> None:
    bench.now = FIRST + day * DAY_SECONDS + DAY_SECONDS // 2
    # in few minutes, as each is a pane
    minutes = np.linspace(0, DAY_SECONDS // 2, 12)
    times = FIRST + day * DAY_SECONDS + np.sort(np.resize(minutes, len(x)))
    classes = ["yes" if i % 4 == 0 else "no" for i in range(len(x))]
    bench.send(
        timestamp=times.tolist(),
        latency_ms=[latency] * len(x),
        y_pred=classes,
        features={"x": x.tolist()},
    )
    assert bench.commit()


def test_each_day_has_its_figures_whether_its_panes_are_folded_or_not(bench):
    rng = np.random.default_rng(1)
    days = [rng.normal(day / 10, 1, 500) for day in range(45)]
    for day, x in enumerate(days):
        send_day(bench, day, x, latency=5.0 + day)
    before = bench.days()
    assert [day.start for day in before] == [FIRST + i * DAY_SECONDS for i in range(45)]
    baseline = bench.registry.views[KEY].schema.baseline
    assert baseline is not None
    for day, x, found in zip(range(45), days, before, strict=True):
        assert found.inferences == 500
        assert found.latency_quantiles == pytest.approx([(5 + day) / 1000] * 3, rel=0.01)
        assert found.prediction_ratios == {"yes": 0.25, "no": 0.75}
        assert found.baseline == baseline.id
        (column,) = (c for c in found.columns if c.name == "x")
        assert column.mean == pytest.approx(x.mean())
        assert column.stddev == pytest.approx(x.std())
        part = next(p for p in baseline.columns if p.column.name == "x")
        counts = np.histogram(x, [-np.inf, *part.psi_edges, np.inf])[0]
        assert column.psi == pytest.approx(psi(part.psi_baseline, counts))
    bench.compact(Retention())
    assert bench.days()[:-1] == before[:-1]
    bench.db.execute("DELETE FROM day")
    bench.db.execute("DELETE FROM day_column")
    again = bench.days()
    assert [d.columns[0].mean for d in again] == pytest.approx([d.columns[0].mean for d in before])
    assert [d.columns[0].psi for d in again] == [d.columns[0].psi for d in before]


def recorded(bench: Offline) -> list[int]:
    rows = bench.db.execute("SELECT start FROM day ORDER BY start").fetchall()
    return [(start - FIRST) // DAY_SECONDS for (start,) in rows]


def test_past_days_are_recorded_at_midnight_and_after_downtime(bench):
    rng = np.random.default_rng(3)
    for day in range(3):
        send_day(bench, day, rng.normal(size=500))
    bench.record()
    assert recorded(bench) == [0, 1], "the third day goes on"
    for day in range(3, 9):
        send_day(bench, day, rng.normal(size=500))
    assert recorded(bench) == [0, 1]
    bench.now = FIRST + 9 * DAY_SECONDS
    bench.record()
    assert recorded(bench) == list(range(9))
    columns = bench.db.execute("SELECT name, rows FROM day_column WHERE start = ?", (FIRST,))
    assert columns.fetchall() == [("x", 500), ("y_pred", 500)]


def test_a_record_goes_with_the_commit_that_changes_its_day_and_no_other_one(bench):
    rng = np.random.default_rng(4)
    for day in range(5):
        send_day(bench, day, rng.normal(size=500))
    bench.record()
    bench.send(timestamp=[FIRST + 2.5 * DAY_SECONDS], features={"x": [9.0]})
    bench.commit()
    assert recorded(bench) == [0, 1, 3]
    assert [day.inferences for day in bench.days()] == [500, 500, 501, 500, 500]
    assert recorded(bench) == [0, 1, 2, 3]


def test_a_clock_that_ran_ahead_leaves_no_half_a_day_behind(bench):
    rng = np.random.default_rng(5)
    send_day(bench, 0, rng.normal(size=500))
    bench.now += DAY_SECONDS
    bench.record()
    assert recorded(bench) == [0]
    bench.now -= DAY_SECONDS
    send_day(bench, 0, rng.normal(size=500))
    bench.now += DAY_SECONDS
    assert [day.inferences for day in bench.days()] == [1000]


def test_records_live_as_long_as_days_and_are_forgotten_with_their_model(bench):
    rng = np.random.default_rng(6)
    for day in (0, 1, 300, 410):
        send_day(bench, day, rng.normal(size=500))
    bench.record()
    assert recorded(bench) == [0, 1, 300]
    bench.compact(Retention())
    assert recorded(bench) == [300]
    bench.loop.run_until_complete(bench.store.forget(KEY))
    assert recorded(bench) == []
    assert bench.db.execute("SELECT count(*) FROM day_column").fetchone() == (0,)
    assert bench.loop.run_until_complete(bench.recorder.days(KEY, 5)) is None


def test_a_recorded_day_keeps_the_judgement_of_its_time(bench):
    rng = np.random.default_rng(7)
    send_day(bench, 0, rng.normal(size=500))
    send_day(bench, 1, rng.normal(size=500))
    bench.now += DAY_SECONDS
    before = bench.days()
    bench.use(Config(baseline=BaselineConfig(events=500), drift=DriftConfig(smoothing=5)))
    assert bench.days() == before
    send_day(bench, 1, np.array([0.0]))
    assert bench.days()[0] == before[0]
    assert bench.days()[1].columns[0].psi < before[1].columns[0].psi


def test_late_events_change_their_day_and_a_new_baseline_those_after_it(bench):
    rng = np.random.default_rng(2)
    for day in range(3):
        send_day(bench, day, rng.normal(size=500))
    first = bench.days()[0]
    late = FIRST + DAY_SECONDS - 1.0
    bench.send(timestamp=[late] * 10, features={"x": [100.0] * 10})
    bench.commit()
    changed = bench.days()[0]
    assert changed.inferences == first.inferences + 10
    assert changed.columns[0].maximum == 100
    old = changed.baseline
    learn_again(bench.registry, KEY)
    send_day(bench, 3, rng.normal(5, 1, 500))
    send_day(bench, 4, rng.normal(5, 1, 500))
    baselines = [day.baseline for day in bench.days()]
    assert baselines[:3] == [old] * 3
    assert baselines[4] not in {old, None}
    drifts = [day.columns[0] for day in bench.days()]
    assert drifts[4].has_drifted(is_sliding=False) is False, "compared with the new one"


def test_the_table_shows_a_line_a_day_with_bars():
    column = {"name": "x", "psi": 0.4, "psi_critical": 0.1}
    days = [
        {"day": "2026-01-01", "inferences": 50, "latency_p95_seconds": 0.01, "columns": []},
        {"day": "2026-01-02", "inferences": 100, "latency_p95_seconds": None, "columns": [column]},
    ]
    lines = history_table(days).splitlines()
    assert len(lines) == 3
    assert lines[1].split() == ["2026-01-01", "50", bar(1, 2), "10.0", "ms", "-", "-", "-"]
    assert lines[2].split() == ["2026-01-02", "100", bar(2, 2), "-", "0.400", bar(1, 1), "x", "x"]
    days[1]["quality"] = {"outcomes": 9, "accuracy": 0.875}
    with_quality = history_table(days).splitlines()
    assert with_quality[0].split()[3] == "ACCURACY"
    assert "87.5%" in with_quality[2]
    assert history_table([]) == "No days yet."


def test_a_day_has_the_quality_of_its_predictions_when_their_truths_have_come(bench):
    for day in range(3):
        bench.now = FIRST + day * DAY_SECONDS + DAY_SECONDS // 2
        ids = [f"{day}-{i}" for i in range(100)]
        bench.send(y_pred=["yes"] * 100, id=ids, features={"x": list(range(100))})
        bench.commit()
    truths = ["yes"] * 75 + ["no"] * 25
    line = outcome(id=[f"0-{i}" for i in range(100)], y_true=truths)
    bench.pipeline.submit_outcomes(line, "socket")
    bench.commit()
    quality = bench.loop.run_until_complete(bench.recorder.quality(KEY, 10))
    answers = [day_answer(day, quality.get(day.start)).quality for day in bench.days()]
    assert [a.accuracy for a in answers] == [0.75, None, None]
    assert [(a.outcomes, a.coverage_ratio) for a in answers] == [(100, 1), (0, 0), (0, 0)]


@pytest.mark.parametrize(
    ("value", "largest", "text"),
    [(0, 0, ""), (0, 8, ""), (8, 8, "\u2588" * 8), (1, 8, "\u2588"), (1, 16, "\u258c")],
)
def test_a_bar_has_eighths_of_a_character(value, largest, text):
    assert bar(value, largest) == text
