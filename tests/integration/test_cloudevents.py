"""CloudEvents of payload loggers, against a real sidecar."""

from __future__ import annotations

import json

import requests
from support.sidecar import eventually

PATH = "/api/v1/cloudevents"


def post(sidecar, body, headers):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = requests.post(sidecar.url + PATH, data=data, headers=headers, timeout=10)
    assert answer.status_code == 200
    assert answer.content == b""


def kserve(half: str, name: str = "1", **more: str) -> dict[str, str]:
    """Headers as KServe's agent sends them."""
    return {
        "Ce-Specversion": "1.0",
        "Ce-Id": name,
        "Ce-Type": f"org.kubeflow.serving.inference.{half}",
        "Ce-Source": "http://localhost:9081/",
        "Ce-Inferenceservicename": "churn",
        "Ce-Namespace": "shop",
        "Ce-Component": "predictor",
        "Ce-Endpoint": "",
        "Content-Type": "application/json",
    } | more


def result(sidecar, name: str) -> float:
    return sidecar.value("mlguard_sidecar_cloudevents_total", result=name)


def test_a_request_and_its_response_are_one_event(sidecar):
    post(sidecar, {"instances": [[1, 2], [3, 4]]}, kserve("request"))
    post(sidecar, {"predictions": [0, 1]}, kserve("response"))
    eventually(lambda: sidecar.value("mlguard_predictions_total", model="churn") == 2)
    assert result(sidecar, "joined") == 2
