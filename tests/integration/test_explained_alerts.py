"""An alert about drift says which values moved."""

from __future__ import annotations

import json
import re

import numpy as np
from support.sidecar import eventually

DRIFT = """
groups:
  - name: drift
    rules:
      - alert: Drift
        expr: max without (window) (mlguard_drift_psi > mlguard_drift_psi_critical)
        annotations: {summary: "{{ $labels.feature }} has drifted", description: It moved.}
"""


def test_the_sentences_of_explain_are_in_the_alert_and_in_its_notification(
    make_sidecar, hook, tmp_path
):
    (tmp_path / "drift.yml").write_text(DRIFT)
    sidecar = make_sidecar(
        baseline={"events": 1000},
        rules={"bundled": False, "files": [str(tmp_path / "drift.yml")], "interval": "1s"},
        notify={
            "receivers": [{"name": "hook", "url": hook.url}],
            "routes": [{"receivers": ["hook"], "group_wait": "1s", "group_interval": "1s"}],
        },
    )
    rng = np.random.default_rng(1)
    sidecar.start()
    with sidecar.connection() as client:
        for price in (rng.normal(20, 4, 1000), rng.normal(20, 4, 1000) * 100):
            columns = {"features": {"price": price.tolist(), "age": rng.random(1000).tolist()}}
            client.send({"project_id": "p", "model_id": "m", "columns": columns})
        eventually(lambda: sidecar.value("mlguard_inferences_total") == 2000)
    eventually(lambda: hook.got)
    (message,) = [body["message"] for _, body in hook.got]
    assert re.search(r"\*\*price has drifted\*\*. It moved. \d+% of price lie above ", message)
    assert "It looks like a mixture: about 50% are distributed as before" in message
    assert message.count("has drifted") == 1
    (alert,) = json.loads(sidecar.get("/api/v1/alerts"))["data"]["alerts"]
    told = json.loads(sidecar.get("/api/v1/models/p/m/predict/explain"))
    (column,) = told["columns"]
    assert alert["annotations"]["explanation"] == " ".join(column["sentences"])
    assert (column["name"], column["guess"], told["together"]) == ("price", "mixture", [])
