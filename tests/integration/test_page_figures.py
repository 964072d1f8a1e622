"""Pages show the figures of the API, and stay small."""

from __future__ import annotations

import gzip
import json
import random

import pytest
from support.pages import batch, fetch, figure, send
from support.sidecar import Sidecar

KEY = "moves/moves/moves"
CONFIG = {
    "rules": {"enabled": False},
    "baseline": {"events": 500},
    "thresholds": {"drift_psi": 0.1},
}


def rows_of(n: int, shift: float, rows: int) -> dict:
    rng = random.Random(f"{n} {shift}")
    features = {f"feature_{i}": [rng.gauss(shift * i, 1) for _ in range(rows)] for i in range(n)}
    features["country"] = [rng.choice(("CA", "US", "FR")) for _ in range(rows)]
    return batch("moves", features, rows)


@pytest.fixture(scope="module")
def sidecar(tmp_path_factory):
    with Sidecar(tmp_path_factory.mktemp("figures"), CONFIG) as running:
        for shift in (0, 0, 0.3):
            body = rows_of(5, shift, 500)
            send(running, body)
        yield running


def get(sidecar, path):
    return fetch(sidecar, f"/api/v1/models/{path}").json


def get_both(sidecar, path, json_path):
    """A page and its twin of the same minute, at the end of which windows move."""

    def minute():
        answer = fetch(sidecar, f"/api/v1/models/{KEY}").json
        return [
            {name: value for name, value in window.items() if name != "inferences_per_second"}
            for window in answer["windows"]
        ]

    while True:
        before = minute()
        found = fetch(sidecar, path).html, get(sidecar, json_path)
        if minute() == before:
            return found


def close(text: str, value: float | None, relative: float = 0.006) -> None:
    shown = figure(text)
    if value is None:
        assert shown is None, text
    else:
        least = 0.0051 if "%" in text else 0.0006
        assert shown == pytest.approx(value, rel=relative, abs=least), text


def test_the_row_of_a_model_is_what_the_api_says(sidecar):
    page, model = get_both(sidecar, "/", KEY)
    (row,) = [row for row in page.rows if row[1].startswith("moves")]
    series = get(sidecar, f"{KEY}/series?range=24h")["points"]
    close(row[2], sum(point["inferences"] for point in series))
    assert figure(row[2]) == model["inferences"] == 1500
    timed = next(w for w in model["windows"] if w["latency_p95_seconds"] is not None)
    close(row[4], timed["latency_p95_seconds"])
    for name, ratio in sorted(timed["prediction_ratios"].items(), key=lambda each: -each[1])[:2]:
        assert name in row[5]
        assert f"{100 * ratio:.0f}\N{NO-BREAK SPACE}%" in row[5]
    close(row[5].rpartition("mean score")[2], timed["score_mean"])
    judged = [c for c in model["columns"] if c["window"] == "1h" and c["psi"] is not None]
    over = [c for c in judged if c["psi"] > max(c["psi_critical"], 0.1)]
    assert over
    assert row[6].startswith(f"{len(over)} column")
    worst = max(judged, key=lambda c: c["psi"] / c["psi_critical"])
    assert worst["name"] in row[6]


@pytest.mark.parametrize("window", ["1h", "24h"])
def test_the_table_of_drift_is_what_the_api_says(sidecar, window):
    page, model = get_both(sidecar, f"/models/{KEY}?window={window}", KEY)
    (head,) = [i for i, row in enumerate(page.rows) if row[0].startswith("Column")]
    columns = {c["name"]: c for c in model["columns"] if c["window"] == window}
    shown = page.rows[head + 1 : head + 1 + len(columns)]
    evidence = []
    for row in shown:
        column = columns.pop(row[0].split()[0])
        close(row[2], column["psi"])
        close(row[3], column["psi_critical"])
        close(row[5], column["samples"])
        close(row[6], column["missing"] / column["rows"])
        unusual = column["out_of_range"] if column["unseen"] is None else column["unseen"]
        if unusual is not None:
            close(row[7], unusual / column["count"])
        evidence.append(column["psi"] / column["psi_critical"])
    assert not columns
    assert evidence == sorted(evidence, reverse=True), "the furthest beyond chance first"


@pytest.mark.parametrize("span", ["1h", "24h", "30d", "400d"])
def test_the_numbers_beside_the_charts_are_the_series(sidecar, span):
    twin = f"{KEY}/series?range={span}"
    page, series = get_both(sidecar, f"/models/{KEY}?range={span}", twin)
    assert f"/api/v1/models/{twin}" in page.addresses
    (head,) = [i for i, row in enumerate(page.rows) if row[0].startswith("From")]
    points = [p for p in series["points"] if p["inferences"]]
    shown = page.rows[head + 1 : head + 1 + len(points)]
    for row, point in zip(shown, reversed(points), strict=True):
        assert figure(row[1]) == point["inferences"]
        for cell, level in zip(row[2:5], (50, 95, 99), strict=True):
            close(cell, point[f"latency_p{level}_seconds"])
        close(row[5], point["score_mean"])
        for name, ratio in point["prediction_ratios"].items():
            close(row[6].partition(name)[2], ratio)
    assert sum(point["inferences"] for point in points) == 1500


@pytest.mark.parametrize("name", ["feature_4", "country"])
def test_the_bins_of_a_column_are_those_of_the_api(sidecar, name):
    twin = f"{KEY}/columns/feature/{name}"
    page, detail = get_both(sidecar, f"/models/{KEY}/feature?name={name}&window=1h", twin)
    assert f"/api/v1/models/{twin}" in page.addresses
    (window,) = [each for each in detail["windows"] if each["window"] == "1h"]
    (head,) = [i for i, row in enumerate(page.rows) if row[0].startswith("Values")]
    shown = page.rows[head + 1 : head + 1 + len(window["bins"])]
    for row, one in zip(shown, window["bins"], strict=True):
        close(row[2], one["baseline_ratio"])
        close(row[3], one["ratio"])
    for sentence in detail["sentences"]:
        assert sentence in page.text
    (head,) = [i for i, row in enumerate(page.rows) if row[0].startswith("Day")]
    close(page.rows[head + 1][2], detail["days"][-1]["psi"])


def test_a_model_of_fifty_features_has_a_small_page(tmp_path):
    with Sidecar(tmp_path, CONFIG) as daemon:
        for shift in (0, 0.2):
            body = rows_of(49, shift, 500)
            send(daemon, body)
        for path in (f"/models/{KEY}", f"/models/{KEY}?range=1h", f"/models/{KEY}?range=400d"):
            plain = fetch(daemon, path)
            assert plain.html.text.count("feature_") >= 49
            assert len(plain.body) < 150_000
            packed = fetch(daemon, path, Accept_Encoding="gzip")
            assert packed.headers["Content-Encoding"] == "gzip"
            assert len(packed.body) < 40_000
            assert len(gzip.decompress(packed.body)) == pytest.approx(len(plain.body), abs=500)


@pytest.mark.long
def test_thirty_two_models_of_fifty_features_have_a_small_first_page(tmp_path):
    with Sidecar(tmp_path, CONFIG) as daemon:
        for n in range(32):
            rng = random.Random(n)
            features = {f"feature_{i}": [rng.random() for _ in range(600)] for i in range(50)}
            send(daemon, batch(f"model_{n}", features, 600))
        answer = fetch(daemon)
        assert sum("model_" in row[1] for row in answer.html.rows) == 32
        assert len(answer.body) < 150_000
        assert json.loads(fetch(daemon, "/api/v1/models").body)["events"]["committed"] == 32 * 600
