"""The OpenAPI documents: valid, complete, and true of a real sidecar and a real exporter."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from jsonschema import Draft202012Validator
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
ROOT = Path(__file__).resolve().parents[2]


def busy(make_sidecar):
    """A sidecar with a model that has drifted, outcomes, a silence, and a rejection."""
    sidecar = make_sidecar(baseline={"events": 500}).start()
    rng = np.random.default_rng(1)
    for i in range(2):
        ids = [f"{i}-{n}" for n in range(1000)]
        columns = {
            "latency_ms": rng.random(1000).tolist(),
            "y_pred": ["yes"] * 1000,
            "id": ids,
            "features": {"x": rng.normal(3 * i, 1, 1000).tolist(), "c": ["a", "b"] * 500},
        }
        lines = [
            {"project_id": "p", "model_id": "m", "columns": columns},
            {"project_id": "p", "model_id": "m", "outcome": {"id": ids, "y_true": ["yes"] * 1000}},
            {"model_id": "no project"},
        ]
        answer = requests.post(f"{sidecar.url}/api/v1/events", json=lines, timeout=30)
        assert answer.status_code == 200, answer.text
    return sidecar


def document(url: str) -> dict:
    return requests.get(f"{url}/api/v1/openapi.json", timeout=10).json()


def ask_everything(url: str, examples: int) -> Counter[int]:
    """Send many requests to every operation, and check each answer; return their statuses."""
    schema = schemathesis.openapi.from_url(f"{url}/api/v1/openapi.json")
    statuses: Counter[int] = Counter()
    for found in schema.get_all_operations():
        operation = found.ok()

        @settings(
            max_examples=examples,
            derandomize=True,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def ask(case) -> None:
            response = case.call()
            statuses[response.status_code] += 1
            case.validate_response(response, checks=CHECKS)

        ask()
    return statuses


def check_document(url: str, *, known: set[str]) -> None:
    found = document(url)
    assert found["openapi"].startswith("3.1")
    for schema in found["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    operations = {
        f"{method.upper()} {path}" for path, methods in found["paths"].items() for method in methods
    }
    assert operations == known
    names = [
        each["operationId"] for methods in found["paths"].values() for each in methods.values()
    ]
    assert len(set(names)) == len(names)


def documented(manual: str) -> set[str]:
    """Operations in a table of a manual, such as `GET, POST /api/v1/silences`."""
    text = (ROOT / manual).read_text()
    found = set()
    for methods, path in re.findall(r"`((?:[A-Z]+(?:, )?)+) (/api/v[12]/[^`?]*)[^`]*`", text):
        for name in ("PROJECT", "MODEL", "ENDPOINT", "ID", "KIND", "NAME"):
            path = path.replace(f"/{name}", f"/{{{name.lower()}}}")  # noqa: PLW2901
        found |= {f"{method} {path}" for method in methods.split(", ")}
    return found


@pytest.mark.parametrize("examples", [8, pytest.param(150, marks=pytest.mark.long)])
def test_a_sidecar_answers_as_its_document_says(make_sidecar, examples):
    sidecar = busy(make_sidecar)
    check_document(sidecar.url, known=documented("sidecar/README.md"))
    model = requests.get(f"{sidecar.url}/api/v1/models", timeout=10).json()["models"][0]
    assert model["drifted"] == ["x"]
    validate(sidecar.url, "/api/v1/models/p/m/predict")
    validate(sidecar.url, "/api/v1/models/p/m/predict/explain")
    validate(sidecar.url, "/api/v1/models/p/m/predict/history")
    for span in ("1h", "24h", "30d", "400d"):
        validate(sidecar.url, f"/api/v1/models/p/m/predict/series?range={span}")
    validate(sidecar.url, "/api/v1/models/p/m/predict/columns/feature/x")
    validate(sidecar.url, "/api/v1/rejects")
    statuses = ask_everything(sidecar.url, examples)
    print(dict(statuses))
    assert {200, 404} <= set(statuses)
    assert sidecar.get("/healthz") == "ok\n"


def validate(url: str, path: str) -> None:
    """Check an answer with data in it, which random names do not find."""
    found, plain = document(url), path.partition("?")[0]
    pattern = next(p for p in found["paths"] if re.fullmatch(re.sub(r"{\w+}", r"[^/]+", p), plain))
    schema = found["paths"][pattern]["get"]["responses"]["200"]["content"]["application/json"]
    answer = requests.get(url + path, timeout=10).json()
    Draft202012Validator({**schema["schema"], "components": found["components"]}).validate(answer)


@pytest.mark.parametrize("examples", [8, pytest.param(150, marks=pytest.mark.long)])
def test_an_exporter_answers_as_its_document_says(make_exporter, examples):
    exporter = make_exporter().start()
    check_document(exporter.url, known=documented("exporter/README.md"))
    statuses = ask_everything(exporter.url, examples)
    print(dict(statuses))
    assert {200, 400, 404} <= set(statuses)
    assert exporter.get("/healthz") == "ok\n"
