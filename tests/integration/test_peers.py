"""Figures are those of the field's libraries on the same data and bins."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from support.offline import Offline

from mlguard_sidecar.config import BaselineConfig, Config, DriftConfig, FeatureConfig, ModelConfig

ROOT = Path(__file__).resolve().parents[2]
PEERS = ROOT / ".venv-peers/bin/python"
N = 4000


@pytest.mark.long
def test_psi_without_smoothing_is_evidently_s_on_the_same_bins(tmp_path):
    if not PEERS.exists():
        pytest.skip("make .venv-peers/.ready makes the environment that this needs")
    rng = np.random.default_rng(1)
    columns = {
        "uniform": (rng.uniform(0, 10, N), rng.beta(1.2, 1, N) * 10),
        "triangle": (rng.triangular(-5, 0, 5, N), rng.triangular(-5, 2, 5, N)),
        "plan": (rng.choice(["a", "b", "c"], N), rng.choice(["a", "b", "c"], N, p=[0.5, 0.3, 0.2])),
        "flag": (rng.random(N) < 0.5, rng.random(N) < 0.7),
    }
    asked = [
        {"reference": a.tolist(), "current": b.tolist(), "numeric": a.dtype.kind == "f"}
        for a, b in columns.values()
    ]
    done = subprocess.run(
        [str(PEERS), str(ROOT / "tests/support/evidently_psi.py")],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    answers = dict(zip(columns, json.loads(done.stdout), strict=True))
    features = {
        name: FeatureConfig(edges=answer["edges"][1:-1])
        for name, answer in answers.items()
        if answer["edges"]
    }
    config = Config(
        baseline=BaselineConfig(events=N),
        drift=DriftConfig(smoothing=0),
        models=[ModelConfig(project="p", model="m", features=features)],
    )
    bench = Offline(tmp_path, config)
    for i in range(2):
        bench.send(features={name: pair[i].tolist() for name, pair in columns.items()})
        bench.commit()
        if i == 0:  # the window is of the second part alone
            bench.now += 2 * 86_400
    bench.move()
    (model,) = bench.statistics()
    bench.close()
    found = {c.column.name: c for c in model.columns if c.window == "24h"}
    for name, answer in answers.items():
        assert min(found[name].bins[: len(answer["edges"]) or 2]) > 0, "else it is infinite"
        assert found[name].drift.psi == pytest.approx(answer["psi"], abs=1e-9)
        assert answer["psi"] > 0.001
