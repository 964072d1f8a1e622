"""From events to committed figures, through a real database."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.offline import KEY, NOW, Offline

from mlguard_sidecar.baseline import ColumnSample
from mlguard_sidecar.config import BaselineConfig, Config, FeatureConfig, Limits, ModelConfig
from mlguard_sidecar.histogram import Kind, Pane
from mlguard_sidecar.models import Span, Window
from mlguard_sidecar.store import (
    HourlyCache,
    Retention,
    compact,
    load,
    store_bytes,
)
from mlguard_sidecar.wire import Line, ModelKey


@pytest.fixture
def bench(tmp_path):
    made = Offline(tmp_path)
    yield made
    made.close()


def panes_by_resolution(bench) -> dict[int, int]:
    counted = "SELECT resolution, count(*) FROM pane GROUP BY resolution"
    return dict(bench.db.execute(counted).fetchall())


def window_of(bench, binning: str, start: int, end: int):
    """Everything that lies between two times."""
    window = Window(Span("all", end - start), start, end, Pane.zeros(0, 0))
    (found,) = HourlyCache(bench.db).read(KEY, binning, [window])
    return found.pane


def test_the_first_events_become_the_baseline_and_count_in_its_bins(bench):
    rng = np.random.default_rng(1)
    x = rng.normal(size=80)
    bench.send(features={"x": x[:30].tolist()})
    bench.commit()
    figures = bench.figures()
    assert figures["baseline_learning_ratio",] == 0.6
    assert figures["feature_mean", "1h", "x"] == pytest.approx(x[:30].mean())
    assert not any(name[0].startswith("drift_psi") and "x" in name for name in figures)
    bench.send(features={"x": x[30:].tolist()})
    bench.commit()
    edges = np.quantile(x[:50], np.arange(1, 10) / 10, method="inverted_cdf")
    expected = np.bincount(np.digitize(x, edges, right=True), minlength=10)
    figures = bench.figures()
    found = [v for k, v in figures.items() if k[0] == "feature_bin_total"]
    assert found == expected.tolist()
    assert figures["feature_mean", "1h", "x"] == pytest.approx(x.mean())
    assert figures["drift_samples", "1h", "feature", "x"] == 80
    assert ("baseline_learning_ratio",) not in figures


def test_learning_survives_a_restart(tmp_path):
    x = np.random.default_rng(2).normal(size=50).tolist()
    pages = []
    for cuts in ([0, 50], [0, 7, 30, 50]):
        folder = tmp_path / str(len(cuts))
        for a, b in itertools.pairwise(cuts):
            bench = Offline(folder)
            bench.send(
                features={
                    "x": x[a:b],
                    "c": ["u", "v"] * 25 if b - a == 50 else (["u", "v"] * 25)[a:b],
                }
            )
            bench.commit()
            bench.close()
        bench = Offline(folder)
        pages.append(bench.figures())
        bench.close()
    assert pages[0] == pytest.approx(pages[1])


def test_a_restart_shows_the_same_page(tmp_path):
    bench = Offline(tmp_path)
    rng = random.Random(3)
    for _ in range(5):
        bench.send(
            features={
                "x": [rng.gauss(0, 1) for _ in range(40)],
                "c": [rng.choice("ab") for _ in range(40)],
            },
            y_pred=[rng.choice(["yes", "no"]) for _ in range(40)],
            y_proba=[rng.random() for _ in range(40)],
            latency_ms=[rng.expovariate(1) for _ in range(40)],
        )
        bench.commit()
    before = bench.figures()
    bench.close()
    again = Offline(tmp_path)
    assert again.figures() == pytest.approx(before)
    again.close()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 100), max_size=5), st.lists(st.integers(0, 100), max_size=5))
def test_where_batches_and_commits_fall_changes_no_figure(tmp_path_factory, batches, commits):
    rng = random.Random(4)
    rows = [
        (rng.gauss(0, 1), rng.choice("ab"), rng.randint(0, 3), NOW - rng.randint(0, 7000))
        for _ in range(100)
    ]

    def page(cuts, committed) -> dict:
        bench = Offline(tmp_path_factory.mktemp("b"))
        edges = sorted({0, 100, *cuts, *committed})
        for a, b in itertools.pairwise(edges):
            x, c, y, t = zip(*rows[a:b], strict=True)
            bench.send(features={"x": list(x), "c": list(c)}, y_pred=list(y), timestamp=list(t))
            if b in committed:
                bench.commit()
        bench.commit()
        figures = bench.figures()
        bench.close()
        return {k: v for k, v in figures.items() if "baseline" not in k[0]}

    assert page(batches, set(commits)) == pytest.approx(page([], set()))


def test_what_teaches_nothing_does_not_count_towards_the_baseline(bench):
    bench.send(latency_ms=[1.0] * 500)
    bench.send(features={"x": [float(i) for i in range(50)]})
    bench.commit()
    assert bench.figures()["drift_samples", "1h", "feature", "x"] == 50


def test_a_baseline_that_is_to_be_learnt_from_fewer_events_is_built_from_what_there_is(bench):
    bench.send(features={"x": [float(i) for i in range(40)]})
    bench.commit()
    bench.use(Config(baseline=BaselineConfig(events=30)))
    bench.send(features={"x": [1.0] * 10})
    bench.commit()
    baseline = bench.registry.views[KEY].schema.baseline
    assert baseline is not None
    assert baseline.samples == 40
    assert bench.figures()["drift_samples", "1h", "feature", "x"] == 50


def test_late_events_land_in_the_minute_that_they_belong_to(bench):
    bench.send(latency_ms=[1] * 4, timestamp=[NOW, NOW - 239, NOW - 3500, NOW - 80_000])
    bench.commit()
    bench.send(latency_ms=[1], timestamp=[NOW - 3000])
    bench.commit()
    counts = {
        label: figures.pane.counts[0]
        for label, figures in bench.registry.views[KEY].traffic_windows.items()
    }
    assert counts == {"5m": 2, "1h": 4, "24h": 5}


def test_windows_forget_what_has_passed_and_the_totals_do_not(bench):
    bench.send(latency_ms=[5.0] * 10, features={"x": [1.0] * 10})
    bench.commit()
    for seconds, expected in (
        (0, [10, 10, 10]),
        (360, [0, 10, 10]),
        (3700, [0, 0, 10]),
        (90_000, [0, 0, 0]),
    ):
        bench.now = NOW + seconds
        bench.refresh()
        windows = bench.registry.views[KEY].traffic_windows.values()
        assert [int(w.pane.counts[0]) if len(w.pane.counts) else 0 for w in windows] == expected
        assert bench.figures()["inferences_total",] == 10


def test_hours_and_days_fold_without_changing_a_sum(bench):
    rng = random.Random(5)
    days = 60
    for day in range(days, 0, -1):
        bench.now = NOW - (day - 1) * 86_400
        times = sorted(bench.now - rng.random() * 86_400 for _ in range(30))
        bench.send(timestamp=times, features={"x": [rng.random() for _ in times]})
        bench.commit()
    binning = bench.registry.views[KEY].schema.binning

    def sums() -> tuple:
        pane = window_of(bench, binning, int(NOW - days * 86_400) - 86_400, int(NOW) + 60)
        return pane.counts.tolist(), pane.moments.round(9).tolist()

    def last_day() -> list:
        return window_of(bench, binning, int(NOW) - 86_400, int(NOW) + 60).counts.tolist()

    whole, one_day, size = sums(), last_day(), store_bytes(bench.db)
    compact(bench.db, bench.now, Retention())
    assert sums() == whole
    assert last_day() == one_day
    assert store_bytes(bench.db) < size
    levels = dict(
        bench.db.execute("SELECT resolution, count(*) FROM pane GROUP BY resolution").fetchall()
    )
    assert set(levels) - {4} == {0, 1, 2, 3}
    later = bench.now + 500 * 86_400
    assert compact(bench.db, later, Retention(), in_use=[KEY]).models == []
    assert set(dict(bench.db.execute("SELECT resolution, 1 FROM pane").fetchall())) == {3}
    assert compact(bench.db, later, Retention()).models == [KEY]
    for table in ("model", "pane", "baseline"):
        assert bench.db[table].count == 0


def test_a_file_that_grows_too_large_is_folded_earlier(bench):
    rng = random.Random(6)
    for hour in range(24):
        times = [NOW - hour * 3600 - i * 60 for i in range(60)]
        bench.send(
            timestamp=times, features={f"f{i}": [rng.random() for _ in times] for i in range(20)}
        )
        bench.commit()
    before = store_bytes(bench.db)
    compact(bench.db, bench.now, Retention(max_bytes=before // 3))
    assert store_bytes(bench.db) < before // 2
    kept = bench.db.execute(
        "SELECT count(*) FROM pane WHERE resolution = 0 AND start > ?", (NOW - 3600,)
    )
    assert kept.fetchone()[0] >= 60, "the last hour keeps its minutes"


def test_what_is_older_than_the_minutes_goes_into_hours_and_days_at_once(bench):
    times = [NOW - minutes * 60 for minutes in range(0, 100 * 1440, 30)]
    bench.send(timestamp=times, features={"x": [1.0] * len(times)})
    bench.commit()
    panes = dict(
        bench.db.execute("SELECT resolution, count(*) FROM pane GROUP BY resolution").fetchall()
    )
    assert panes[0] < 2 * 26 * 2 + 10
    assert panes[1] < 2 * 35 * 24 + 10
    assert panes[2] < 2 * 100
    assert bench.figures()["inferences_total",] == len(times)
    pane = window_of(bench, "traffic", int(NOW) - 200 * 86_400, int(NOW) + 60)
    assert pane.counts[0] == len(times)
    assert bench.registry.views[KEY].traffic_windows["24h"].pane.counts[0] == 48


def test_models_features_and_classes_beyond_their_limits_are_pooled_and_counted(tmp_path):
    bench = Offline(tmp_path, Config(limits=Limits(models=2, features=3)))
    for model in ("a", "b", "c", "d"):
        event = Line(project_id="p", model_id=model, y_pred=1, features={"x": 1})
        bench.send_events(event)
    many = Line(project_id="p", model_id="a", features={f"f{i}": 1 for i in range(9)})
    bench.send_events(many)
    classes = [Line(project_id="p", model_id="b", y_pred=f"c{i:02}") for i in range(30)]
    bench.send_events(*classes)
    bench.commit()
    assert {key.model for key in bench.registry.views} == {"a", "b", "__other__"}
    assert bench.registry.views[ModelKey(*["__other__"] * 3)].traffic.rows == 2
    assert bench.counts["series_overflow", "model"] == 2
    assert bench.counts["series_overflow", "feature"] == 7
    assert bench.counts["series_overflow", "prediction"] == 11
    counts = [v for k, v in bench.figures().items() if k[0] == "predictions_total"]
    assert len(counts) == 21
    assert sum(counts) == 31
    bench.close()


def test_names_that_cannot_be_labels_are_left_out_and_counted(bench):
    bench.send(features={"ok": [1], "bad\n": [1], "": [1], "x" * 129: [1]})
    bench.commit()
    assert {k[2] for k in bench.figures() if k[0] == "feature_mean"} == {"ok"}
    assert bench.counts["invalid_values", "socket", "bad_feature_name"] == 3


def test_a_given_baseline_is_used_at_once_and_can_be_changed_and_changed_back(tmp_path):
    from mlguard_sidecar.baseline import Binning, build, dump

    files = []
    for i, shift in enumerate((0.0, 5.0)):
        x = np.random.default_rng(i).normal(shift, size=500).tolist()
        sample = ColumnSample.of(x)
        made = build({"x": sample}, {}, samples=500, source="s", created=1, default=Binning())
        files.append(tmp_path / f"{i}.json")
        files[-1].write_bytes(dump(made))

    def config(file) -> Config:
        return Config(
            models=[ModelConfig(project="p", model="m", baseline=BaselineConfig(file=str(file)))]
        )

    bench = Offline(tmp_path / "data", config(files[0]))
    x = np.random.default_rng(9).normal(size=300).tolist()

    def psi() -> float:
        bench.send(features={"x": x, "new": x})
        bench.commit()
        return bench.figures()["drift_psi", "1h", "feature", "x"]

    assert psi() < 0.2
    bench.use(config(files[1]))
    assert psi() > 2
    figures = bench.figures()
    assert figures["drift_samples", "1h", "feature", "x"] == 300, "only what came since the change"
    assert figures["inferences_total",] == 600
    bench.use(config(files[0]))
    assert psi() < 0.2
    assert bench.figures()["drift_samples", "1h", "feature", "x"] == 600, "those of before are back"
    bench.close()


def test_a_kind_can_be_forced(tmp_path):
    features = {"code": FeatureConfig(kind=Kind.CATEGORICAL)}
    models = [ModelConfig(project="p", model="m", features=features)]
    bench = Offline(tmp_path, Config(baseline=BaselineConfig(events=4), models=models))
    bench.send(features={"code": [1, 2, 2, 1]})
    bench.send(features={"code": [2, 3]})
    bench.commit()
    baseline = bench.registry.views[KEY].schema.baseline
    assert baseline is not None
    assert baseline.columns[0].psi_labels == ("1", "2", "__other__")
    assert [v for k, v in bench.figures().items() if k[0] == "feature_bin_total"] == [2, 3, 1]
    bench.close()


def test_regression_values_are_scores_and_no_classes(bench):
    y = np.random.default_rng(1).normal(100, 15, size=400)
    bench.send(y_pred=y.tolist())
    bench.commit()
    figures = bench.figures()
    assert figures["prediction_score_mean", "1h"] == pytest.approx(y.mean())
    assert figures["prediction_score_stddev", "1h"] == pytest.approx(y.std())
    assert not any(k[0] == "predictions_total" for k in figures)
    assert figures["drift_samples", "1h", "prediction", "y_pred"] == 400


def test_events_without_features_are_no_missing_values(bench):
    bench.send(features={"x": [1.0, None]})
    bench.send(latency_ms=[5.0] * 10)
    bench.commit()
    assert bench.figures()["feature_missing_ratio", "1h", "x"] == 0.5


def test_an_interrupted_commit_leaves_nothing_and_the_next_try_counts_once(bench):
    bench.send(latency_ms=[1.0])
    assert bench.commit()
    bench.send(latency_ms=[1.0] * 3, features={"x": [1, 2, 3]})
    bench.db.execute(
        "CREATE TRIGGER full BEFORE INSERT ON counter BEGIN SELECT RAISE(ABORT, 'disk full'); END"
    )
    assert not bench.commit()
    assert load(bench.db).models[KEY].view.traffic.rows == 1
    assert bench.figures()["inferences_total",] == 1
    bench.send(latency_ms=[1.0] * 5)
    assert not bench.commit()
    bench.db.execute("DROP TRIGGER full")
    assert bench.commit()
    assert bench.commit()
    assert load(bench.db).models[KEY].view.traffic.rows == 9
    assert bench.figures()["inferences_total",] == 9
