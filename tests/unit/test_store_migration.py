"""A database of November 2026, before tables and columns had their present names."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from support.offline import NOW, Offline

from mlguard_sidecar.config import BaselineConfig, Config
from mlguard_sidecar.wire import Line, ModelKey
from mlguard_sidecar.wire.messages import Batch

DUMP = Path(__file__).parents[1] / "data" / "sidecar_2026_11.sql"
FIGURES = DUMP.with_suffix(".json")


@pytest.fixture
def bench(tmp_path):
    connection = sqlite3.connect(tmp_path / "mlguard.db")
    connection.executescript(DUMP.read_text())
    connection.close()
    made = Offline(tmp_path, Config(baseline=BaselineConfig(events=50)))
    yield made
    made.close()


def test_everything_is_found_again(bench):
    assert not bench.recreated
    before = {tuple(json.loads(name)): v for name, v in json.loads(FIGURES.read_text()).items()}
    assert bench.now == NOW
    assert bench.figures() == pytest.approx(before, rel=1e-9)
    assert bench.registry.last_committed == {"client-1": 1}
    assert bench.counts["events_committed", "socket"] == 67


def test_counting_and_learning_go_on(bench):
    batch = Line(project_id="p", model_id="learning", seq=1, columns=Batch(latency_ms=[5.0] * 7))
    assert bench.pipeline.submit_batch(batch, "socket", "client-1").duplicate
    columns = Batch(features={"z": [float(i) for i in range(43)]})
    batch = Line(project_id="p", model_id="learning", seq=2, columns=columns)
    assert bench.pipeline.submit_batch(batch, "socket", "client-1").accepted == 43
    bench.send(features={"x": [1.0] * 5, "c": ["a"] * 5})
    assert bench.commit()
    baseline = bench.registry.views[ModelKey("p", "learning", "predict")].schema.baseline
    assert baseline is not None
    assert baseline.samples == 50
    assert bench.registry.views[ModelKey("p", "m", "predict")].traffic.rows == 65
    tables = set(bench.db.table_names())
    assert {"counter", "training_rows"} <= tables
    assert not {"tally", "lesson"} & tables
