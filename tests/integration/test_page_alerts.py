"""Which models come first, what is said about them, and alerts whose texts are hostile."""

from __future__ import annotations

import json
import random

import pytest
from support.pages import NAMES, batch, fetch, send
from support.sidecar import Sidecar, eventually

RULES = """\
groups:
  - name: own
    rules:
      - {alert: Down, expr: 'mlguard_inferences_total{model="critical"} > 0',
         labels: {severity: critical}, annotations: {runbook_url: 'https://books.example/down'}}
      - {alert: Slow, expr: 'mlguard_inferences_total{model="warning"} > 0',
         labels: {severity: warning}, annotations: {summary: '<b>slow</b>'}}
      - {alert: Soon, expr: 'mlguard_inferences_total{model="pending"} > 0', for: 1h}
      - {alert: Always, expr: vector(1)}
"""
ORDER = ["critical", "warning", "drifting", "pending", "learning", "well"]
RUNBOOKS = {
    "javascript:alert(1)": None,
    "JavaScript:alert(1)": None,
    " javascript:alert(1)": None,
    "java\tscript:alert(1)": None,
    "data:text/html,<script>alert(1)</script>": None,
    "vbscript:x": None,
    "rules/README.md#x": None,
    "": None,
    "https://books.example/a?b=c&d": "https://books.example/a?b=c&d",
    "http://books.example/\"onclick='x'": "http://books.example/\"onclick='x'",
}


def drawn(name: str, shift: float, rows: int) -> dict:
    rng = random.Random(name)
    return batch(name, {"x": [rng.gauss(shift, 1) for _ in range(rows)]}, rows)


@pytest.fixture(scope="module")
def sidecar(tmp_path_factory):
    folder = tmp_path_factory.mktemp("alerts")
    (folder / "own.yml").write_text(RULES)
    rules = {"bundled": False, "files": [str(folder / "own.yml")], "interval": "1s"}
    with Sidecar(folder, {"rules": rules, "baseline": {"events": 400}}) as running:
        for name in ORDER:
            send(running, drawn(name, 0, 100 if name == "learning" else 400))
        send(running, drawn("drifting", 3, 400))
        eventually(lambda: running.get("/api/v1/alerts").count('"alertname"') == 4)
        yield running


def names(page) -> list[str]:
    return [row[1].split()[0] for row in page.rows[1:]]


def test_the_most_urgent_model_comes_first_and_says_why(sidecar):
    page = fetch(sidecar).html
    assert names(page) == ORDER
    whys = {row[1].split()[0]: row[0] for row in page.rows[1:]}
    for name, why in (
        ("critical", "1 alert firing"),
        ("warning", "1 alert firing"),
        ("pending", "1 alert pending"),
        ("learning", "learning, 25%"),
        ("well", "well"),
    ):
        assert why in whys[name]
    assert "drifted" in whys["drifting"]
    assert "3 alerts firing" in page.text
    other = page.text.partition("Alerts about no model above")[2]
    assert "Always" in other
    assert "Slow" not in other


@pytest.mark.parametrize("sort", ["model", "traffic", "p95", "drift", "seen", "nonsense", ""])
def test_other_orders(sidecar, sort):
    page = fetch(sidecar, f"/?sort={sort}").html
    order = names(page)
    assert sorted(order) == sorted(ORDER)
    if sort == "model":
        assert order == sorted(ORDER)
    elif sort in ("traffic", "drift"):
        assert order[0] == "drifting"
    elif sort in ("nonsense", ""):
        assert order == ORDER


def test_the_page_of_a_model_shows_its_own_alerts(sidecar):
    page = fetch(sidecar, "/models/critical/critical/critical").html
    assert "Down" in page.text
    assert "Slow" not in page.text
    assert "https://books.example/down" in page.addresses
    page = fetch(sidecar, "/models/warning/warning/warning").html
    assert "<b>slow</b>" in page.text
    assert "Alerts" not in fetch(sidecar, "/models/well/well/well").html.text


def test_alerts_of_others_are_shown_as_they_are_and_link_nowhere_odd(make_exporter):
    exporter = make_exporter(rules={"enabled": False}).start()
    alerts = [
        {"labels": {"alertname": f"A{n}", "model": name},
         "annotations": {"summary": name, "runbook_url": url}}
        for n, (name, url) in enumerate(zip(NAMES, RUNBOOKS, strict=False))
    ]  # fmt: skip
    posted = fetch(
        exporter, "/api/v2/alerts", "POST", json.dumps(alerts), Content_Type="application/json"
    )
    assert posted.status == 200
    page = fetch(exporter).html
    shown = [path for path in page.addresses if not path.startswith(("/", "#"))]
    assert sorted(shown) == sorted(url for url in RUNBOOKS.values() if url)
    assert {tag for tag, _ in page.tags} & {"b", "img", "iframe"} == set()
    assert len([tag for tag, _ in page.tags if tag == "script"]) == 1
    for alert in alerts:
        assert page.texts.count(alert["annotations"]["summary"]) >= 2, "as label and as summary"
