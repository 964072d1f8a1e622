"""The dashboards as Grafana reads them: complete, consistent, and of the types of its versions."""

from __future__ import annotations

import json
import os
import re
import subprocess
from itertools import chain
from pathlib import Path

import pytest
import yaml

from mlguard_dashboards import DASHBOARDS, FOLDER, render
from mlguard_exporter.daemon import METRICS as EXPORTER
from mlguard_sidecar.daemon import METRICS as SIDECAR

ROOT = Path(__file__).resolve().parents[2]
TYPES = ROOT / ".venv-node/node_modules"
BUILT_IN = {"__rate_interval", "__interval", "__range", "__url_time_range"}
NUMERIC = {"stat", "timeseries", "bargauge", "heatmap", "barchart"}
ANNOTATION_OF_PROMETHEUS = ("expr", "titleFormat", "textFormat", "tagKeys")
"""Keys of annotations that the data source reads, and the types leave out."""


def dashboard(name: str) -> dict:
    return json.loads((FOLDER / f"{name}.json").read_text())


def strings(value: object):
    """Every string within a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from chain.from_iterable(map(strings, value.values()))
    elif isinstance(value, list):
        yield from chain.from_iterable(map(strings, value))


def links(value: object):
    """Every address within a JSON value."""
    return [text for text in strings(value) if text.startswith(("/d/", "${runbook_base}"))]


def variables_in(text: str) -> set[str]:
    """Names of the variables that a text refers to, but those of fields and values."""
    found = re.findall(r"\$\{?([a-z_]\w*)", text)
    return {n for n in found if not n.startswith(("__data", "__field", "__value", "__all"))}


def test_each_file_is_what_its_module_builds():
    assert {path.stem for path in FOLDER.glob("*.json")} == set(DASHBOARDS)
    for name, build in DASHBOARDS.items():
        text = render(build())
        assert (FOLDER / f"{name}.json").read_text() == text, "run: make dashboards"
        assert len(text) < 2**20  # the most that a ConfigMap holds


@pytest.mark.parametrize("name", DASHBOARDS)
def test_a_dashboard_is_imported_without_an_edit(name):
    found = dashboard(name)
    assert found["uid"] == f"mlguard-{name}"
    assert "__inputs" not in found
    assert "id" not in found
    sources = [p["datasource"] for p in [*found["panels"], *found["annotations"]["list"]]]
    sources += [t["datasource"] for p in found["panels"] for t in p["targets"]]
    sources += [v["datasource"] for v in found["templating"]["list"] if v["type"] == "query"]
    assert all(s == {"type": "prometheus", "uid": "${datasource}"} for s in sources)


@pytest.mark.parametrize("name", DASHBOARDS)
def test_each_panel_says_what_it_shows(name):
    panels = dashboard(name)["panels"]
    assert len(panels) <= 20
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len({panel["title"] for panel in panels}) == len(panels)
    for panel in panels:
        assert panel["title"]
        assert panel["description"].endswith(".")
        if panel["type"] in NUMERIC:
            assert panel["fieldConfig"]["defaults"]["unit"]


@pytest.mark.parametrize("name", DASHBOARDS)
def test_panels_fill_the_grid_and_do_not_overlap(name):
    taken = set()
    for panel in dashboard(name)["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"])
                 for y in range(at["y"], at["y"] + at["h"])}  # fmt: skip
        assert not cells & taken
        taken |= cells
    width, height = max(x for x, _ in taken) + 1, max(y for _, y in taken) + 1
    assert width == 24
    assert len(taken) == width * height


@pytest.mark.parametrize("name", DASHBOARDS)
def test_variables_are_those_that_are_used(name):
    found = dashboard(name)
    defined = {variable["name"] for variable in found["templating"]["list"]}
    used = set().union(*(variables_in(text) for text in strings(found)))
    assert used - BUILT_IN <= defined
    assert defined <= used


@pytest.mark.parametrize("name", DASHBOARDS)
def test_links_lead_to_dashboards_and_variables_that_exist(name):
    sections = {
        re.sub(r"[^\w-]", "", line.strip("# \n").lower().replace(" ", "-"))
        for line in (ROOT / "rules/README.md").read_text().splitlines()
        if line.startswith("#")
    }
    for url in links(dashboard(name)):
        if url.startswith("/d/"):
            target = re.fullmatch(r"/d/mlguard-(\w+)(\?.*)?", url)
            assert target
            there = dashboard(target[1])["templating"]["list"]
            passed = re.findall(r"var-(\w+)=", target[2] or "")
            assert set(passed) <= {variable["name"] for variable in there}
        else:
            assert url.startswith("${runbook_base}/rules/README.md")
    anchors = {
        mapped["text"]
        for panel in dashboard(name)["panels"]
        for override in panel["fieldConfig"]["overrides"]
        if override["matcher"]["options"] == "Runbook"
        for each in override["properties"]
        if each["id"] == "mappings"
        for mapped in each["value"][0]["options"].values()
    }
    assert anchors <= sections


BUNDLED = ROOT / "rules/mlguard_rules/bundled"
NOT_SHOWN = {
    "mlguard_quality_outcomes": "how many outcomes a window has; accuracy's line of chance says it",
    "mlguard_outcome_coverage_ratio": "over 30 days; the API shows it beside the outcomes",
    "mlguard_baseline_outcomes": "of the baseline's data; the API shows it beside its quality",
}
"""Exported metrics that no panel and no rule reads, and why."""


def metrics_in(text: str) -> set[str]:
    """Names of the metrics that an expression reads, and of histograms without their suffix."""
    names = set(re.findall(r"\b(?:mlguard[_:][\w:]+|ALERTS\w*|up)\b(?=[{\[\s)]|$)", text))
    pattern = re.findall(r"mlguard_\(([\w|]+)\)(\w+)|__name__=~\"(mlguard[\w:|]+)\"", text)
    for parts, rest, several in pattern:
        names |= {f"mlguard_{part}{rest}" for part in parts.split("|")} if parts else set()
        names |= set(several.split("|")) if several else set()
    return {re.sub(r"_bucket$", "", name) for name in names}


def expressions(found: dict) -> list[str]:
    """Every expression of panels, annotations and variables."""
    targets = [target["expr"] for panel in found["panels"] for target in panel["targets"]]
    annotations = [annotation["expr"] for annotation in found["annotations"]["list"]]
    return targets + annotations + [v["query"] for v in found["templating"]["list"]]


def test_every_metric_is_shown_and_every_shown_one_exists():
    rules = [
        rule
        for path in BUNDLED.glob("*.rules.yml")
        for group in yaml.safe_load(path.read_text())["groups"]
        for rule in group["rules"]
    ]
    exported = {metric.name for metric in (*SIDECAR, *EXPORTER)}
    recorded = {rule["record"] for rule in rules if "record" in rule}
    shown = set().union(
        *(metrics_in(text) for name in DASHBOARDS for text in expressions(dashboard(name)))
    )
    assert shown <= exported | recorded | {"up"}
    judged = set().union(*(metrics_in(rule["expr"]) for rule in rules))
    assert exported - shown - judged == set(NOT_SHOWN)


def checked_by_types(folder: Path, version: int) -> str:
    """What the compiler says of the dashboards as values of a version's type."""
    for name in DASHBOARDS:
        value = dashboard(name)
        for annotation in value["annotations"]["list"]:
            for key in ANNOTATION_OF_PROMETHEUS:
                annotation.pop(key, None)
        (folder / f"{name}.ts").write_text(
            f'import type {{ Dashboard }} from "{TYPES}/schema{version}";\n'
            # JSON has strings where the types have enumerations
            "type Plain<T> = 0 extends 1 & T ? T : T extends string ? `${T}` : T extends object"
            " ? { [K in keyof T]: Plain<T[K]> } : T;\n"
            f"export const it: Plain<Dashboard> = {json.dumps(value, indent=1)};\n"
        )
    done = subprocess.run(
        ["node", TYPES / "typescript/bin/tsc", "--noEmit", "--strict", "--skipLibCheck",
         "--moduleResolution", "bundler", "--module", "esnext",
         *(folder / f"{name}.ts" for name in DASHBOARDS)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0 or done.stdout, done.stderr
    return done.stdout


@pytest.mark.needs("node")
@pytest.mark.parametrize(
    "version", [13, *(pytest.param(n, marks=pytest.mark.long) for n in (10, 11, 12))]
)
def test_the_types_of_grafana_accept_each_dashboard(tmp_path, version):
    if not (TYPES / "typescript").exists():
        if os.environ.get("MLGUARD_REQUIRE_TOOLS") == "1":
            pytest.fail("Grafana's types are not installed, and MLGUARD_REQUIRE_TOOLS=1")
        pytest.skip("Grafana's types are not installed: make .venv-node/.ready")
    assert checked_by_types(tmp_path, version) == ""
