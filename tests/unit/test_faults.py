"""What no sender and no fault may do: stop the counting, lose an event, or count it twice."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
import tracemalloc

import pytest
from support.offline import KEY, NOW, Offline
from support.outcomes import outcome

from mlguard_common.config import Duration
from mlguard_sidecar.baseline import Binning, ColumnSample, Method, build, dump
from mlguard_sidecar.baseline import load as load_baseline
from mlguard_sidecar.config import (
    BaselineConfig,
    Config,
    DriftConfig,
    RetentionConfig,
    WindowsConfig,
)
from mlguard_sidecar.exposition import collector, definitions
from mlguard_sidecar.models import Chosen, ModelAccumulator, Origin, give
from mlguard_sidecar.store import Retention, Writer, compact, load
from mlguard_sidecar.telemetry import RECEIVED, STATISTICS_ERRORS
from mlguard_sidecar.wire import Line
from mlguard_sidecar.wire.messages import Batch


@pytest.fixture
def bench(tmp_path):
    made = Offline(tmp_path)
    yield made
    made.close()


POISON = [
    {"latency_ms": [1e14]},
    {"latency_ms": [9e7] * 50},
    {"features": {"x": [2**64, 2**70, -(2**70), 10**400]}},
    {"features": {"x": [1e200, -1e200, 1.7e308, -1.7976931348623157e308]}},
    {"features": {"x": [-1.7976931348623157e308] * 4}},
    {"y_pred": [1.5, 2**70, None, "a"]},
    {"y_pred": [1, True, 1.0, "1", None, 2**70]},
    {"y_proba": [0.5, None, {"a": 0.3, "b": 0.7}, {}]},
    {"features": {"text": ["x" * 100_000, "y", None, 5]}},
    {"features": {"": [1], "\ud800": [1]}},
]


@pytest.mark.parametrize("columns", POISON)
@pytest.mark.parametrize("method", list(Method))
def test_no_values_can_stop_the_counting(tmp_path, columns, method):
    config = Config(baseline=BaselineConfig(events=20), drift=DriftConfig(method=method))
    bench = Offline(tmp_path, config)
    for _ in range(3):
        bench.send(**columns)
        bench.send(features={"ok": [float(i) for i in range(10)]})
        assert bench.commit()
    figures = bench.figures()
    rejected = bench.counts["events_rejected", "socket", "internal"]
    assert rejected == 0
    assert sum(v for k, v in figures.items() if k[0] == "feature_bin_total" and "ok" in k) == 30
    bench.close()
    again = Offline(tmp_path, config)
    assert again.figures()["inferences_total",] == figures["inferences_total",]
    again.close()


def test_a_sum_of_latencies_is_full_rather_than_negative(bench):
    for _ in range(40):
        bench.send(latency_ms=[1e8] * 5000)
        bench.commit()
        assert bench.figures()["inference_latency_seconds_sum",] > 0
    assert bench.figures()["inferences_total",] == 200_000


def test_a_fault_while_folding_costs_only_the_events_of_that_model(bench, monkeypatch):
    whole = ModelAccumulator.fold

    def faulty(self, parts, *rest):
        if parts[0].key == KEY:
            raise RuntimeError("a fault")
        whole(self, parts, *rest)

    monkeypatch.setattr(ModelAccumulator, "fold", faulty)
    other = Line(project_id="q", model_id="n", latency_ms=1)
    for _ in range(2):
        bench.send(latency_ms=[1.0] * 3)
        bench.send_events(other)
        assert bench.commit()
    tally = bench.counts
    assert tally["events_rejected", "socket", "internal"] == 6
    assert tally["events_committed", "socket"] == 2
    monkeypatch.undo()
    bench.send(latency_ms=[1.0] * 3)
    assert bench.commit()
    assert bench.registry.views[KEY].traffic.rows == 3


def test_what_can_never_be_stored_is_rejected_and_acknowledged(bench, monkeypatch):
    def faulty(*_) -> None:
        raise TypeError("a fault")

    monkeypatch.setattr(Writer, "commit", faulty)
    line = Line(project_id="p", model_id="m", seq=7, columns=Batch(latency_ms=[1.0, 2.0]))
    bench.pipeline.submit_batch(line, "socket", "client")
    assert not bench.commit()
    monkeypatch.undo()
    assert bench.commit()
    assert bench.counts["events_rejected", "socket", "internal"] == 2
    assert bench.registry.last_committed == {"client": 7}


def test_names_that_are_new_with_every_event_stay_small(bench):
    events = [Line(project_id="p", model_id="m", features={f"id{i}": 1.0}) for i in range(4000)]
    tracemalloc.start()
    bench.send_events(*events)
    bench.commit()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 40 << 20
    assert bench.counts["series_overflow", "feature"] == 4000 - 512


def test_rates_are_those_of_the_time_that_events_cover(bench):
    bench.send(latency_ms=[1.0] * 3600, timestamp=[NOW - i for i in range(3600)])
    bench.commit()
    assert bench.figures()["inferences_per_second", "24h"] == pytest.approx(1, rel=0.02)
    assert bench.figures()["inferences_per_second", "1h"] == pytest.approx(1, rel=0.02)


def test_received_does_not_go_back_while_commits_fail_and_recover(bench):
    seen = []

    def look() -> None:
        found = [sample for family in bench.telemetry.collect() for sample in family.samples]
        seen.append(sum(s.value for s in found if s.name == RECEIVED.name))

    async def look_meanwhile() -> None:
        commit_task = asyncio.create_task(bench.committer.commit())
        while bench.committer._in_flight is None:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0)
        look()
        await commit_task

    bench.send(latency_ms=[1.0] * 2)
    bench.db.execute(
        "CREATE TRIGGER full BEFORE INSERT ON counter BEGIN SELECT RAISE(ABORT, 'disk full'); END"
    )
    bench.commit()
    look()
    bench.send(latency_ms=[1.0] * 5)
    look()
    bench.db.execute("DROP TRIGGER full")
    bench.commit()
    look()
    bench.loop.run_until_complete(look_meanwhile())
    look()
    bench.commit()
    look()
    assert seen == [2, 7, 7, 7, 7, 7]


def test_a_commit_that_is_cancelled_goes_on_to_its_end_once(bench, monkeypatch):
    began, go_on = threading.Event(), threading.Event()

    whole = Writer.commit

    def slow(*arguments) -> None:
        began.set()
        go_on.wait(10)
        whole(*arguments)

    monkeypatch.setattr(Writer, "commit", slow)
    bench.send(latency_ms=[1.0] * 10)

    async def stop_in_the_middle() -> bool:
        task = asyncio.create_task(bench.committer.commit())
        await asyncio.to_thread(began.wait)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        go_on.set()
        return await bench.committer.commit()

    assert bench.loop.run_until_complete(stop_in_the_middle())
    assert bench.figures()["inferences_total",] == 10
    assert load(bench.db).models[KEY].view.traffic.rows == 10


def test_clients_that_are_connected_are_not_forgotten_when_the_clock_jumps(bench):
    for client in ("here", "gone"):
        line = Line(project_id="p", model_id="m", seq=1, columns=Batch(latency_ms=[1.0]))
        bench.pipeline.submit_batch(line, "socket", client)
    bench.commit()
    forgotten = compact(bench.db, NOW + 30 * 86_400, Retention(), ["here"]).forgotten
    assert forgotten == ["gone"]


def test_late_events_of_a_folded_day_count_once_in_a_long_window(tmp_path):
    hours = [Duration("7d")]
    config = Config(
        windows=WindowsConfig(traffic=hours, features=hours),
        retention=RetentionConfig(hours=Duration("2d")),
    )
    bench = Offline(tmp_path, config)
    day = NOW // 86_400 * 86_400 - 4 * 86_400
    bench.now = day + 86_400
    bench.send(latency_ms=[1.0] * 24, timestamp=[day + 3600 * hour for hour in range(24)])
    bench.commit()
    bench.now = NOW
    bench.refresh()
    bench.compact(Retention(hours=2 * 86_400))
    for expected in (25, 26):
        bench.send(latency_ms=[1.0], timestamp=[day + 100])
        bench.commit()
        bench.refresh()
        assert bench.registry.views[KEY].traffic_windows["7d"].pane.counts[0] == expected
    bench.close()


def test_a_pane_that_cannot_be_read_costs_its_model_alone(bench):
    other = Line(project_id="q", model_id="n", latency_ms=1)
    bench.send(latency_ms=[1.0])
    bench.commit()
    bench.db.execute("UPDATE pane SET body = x'00' WHERE resolution = 3")
    bench.compact(Retention(minutes=-3600.0))  # after which panes are read again
    bench.send(latency_ms=[1.0] * 2)
    bench.send_events(other)
    assert bench.commit()
    tally = bench.counts
    assert tally["events_rejected", "socket", "internal"] == 2
    assert tally["events_committed", "socket"] == 2
    assert bench.registry.views[KEY].traffic.rows == 1


def test_a_commit_that_stands_is_not_repeated_where_the_size_cannot_be_told(bench, monkeypatch):
    def faulty(*_) -> int:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr("mlguard_sidecar.store.store.store_bytes", faulty)
    bench.send(latency_ms=[1.0] * 10)
    assert bench.commit()
    assert load(bench.db).models[KEY].view.traffic.rows == 10


def impossible(quality: dict):
    """A baseline as no reader accepts it, which may be stored all the same."""
    built = build(
        {"x": ColumnSample.of([1.0, 2.5, 3.5, None, 7.0])},
        {"y_pred": ColumnSample.of([0.5, 1.5, 2.5, 3.5, 4.5])},
        samples=5,
        source="t",
        created=0.0,
        default=Binning(),
    )
    tree = json.loads(dump(built))
    return load_baseline(json.dumps(tree | {"quality": quality}).encode())


WRONG = {"absolute_error": [5, 1, -1e9, 1, 1], "squared_error": [5, 1, -1e9, 1, 1]}


def test_a_model_whose_statistics_fail_costs_no_other_its_metrics(bench, caplog):
    baseline = impossible({"outcomes": 5, "moments": WRONG})
    give(bench.registry, KEY, Chosen(baseline, Origin.PUT))
    bench.commit()
    n = 300
    pipeline = bench.pipeline
    ids = [str(i) for i in range(n)]
    truths = [i * 0.3 for i in range(n)]
    pipeline.submit_outcomes(outcome(id=ids, y_true=truths, y_pred=[0.5] * n), "socket")
    other = Line(project_id="p", model_id="other", columns=Batch(y_pred=["a"] * 3))
    pipeline.submit_batch(other, "socket")
    bench.commit()
    for _ in range(3):
        bench.refresh()
        samples = [line for line in bench.page().splitlines() if "inferences_total{" in line]
        assert [line for line in samples if 'model="other"' in line and line.endswith(" 3.0")]
    assert caplog.text.count("p/m/predict: its statistics cannot be computed") == 1
    assert bench.telemetry._counts[STATISTICS_ERRORS] >= 1


def test_one_metric_of_one_model_that_fails_is_left_out_logged_once_and_counted(bench, caplog):
    def fails(model, _):
        if model.key == KEY:
            raise ZeroDivisionError
        yield (), 1.0

    bench.send(y_pred=["a"] * 3)
    for _ in range(2):
        line = Line(project_id="p", model_id="other", columns=Batch(y_pred=["a"] * 3))
        bench.pipeline.submit_batch(line, "socket")
    bench.commit()
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(collector._ALL, definitions.INFERENCES, fails)
        found = [bench.page() for _ in range(3)][-1]
    lines = [line for line in found.splitlines() if line.startswith("mlguard_inferences_total{")]
    assert len(lines) == 1
    assert 'model="other"' in lines[0]
    assert 'model="m"' in found
    assert caplog.text.count("p/m/predict: mlguard_inferences_total cannot be computed") == 1
    assert bench.telemetry._counts[STATISTICS_ERRORS] == 3
