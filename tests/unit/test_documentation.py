"""The README files say what the code does."""

from __future__ import annotations

import inspect
import re
import tomllib
from pathlib import Path
from typing import get_args, get_origin, get_type_hints

import msgspec
import pytest

from mlguard import Guard
from mlguard_common.daemon import lifecycle_metrics
from mlguard_exporter.config import Config as ExporterConfig
from mlguard_exporter.daemon import METRICS as EXPORTER_METRICS
from mlguard_exporter.export import METRICS as HISTORY_METRICS
from mlguard_exporter.exposition import METRICS as SPEND_METRICS
from mlguard_injector.annotations import READERS
from mlguard_injector.config import Config as InjectorConfig
from mlguard_injector.config import ResourcesConfig
from mlguard_rules.notify import NotifyConfig, RulesConfig
from mlguard_rules.service import METRICS as ALERTING_METRICS
from mlguard_sidecar import telemetry
from mlguard_sidecar.config import Config
from mlguard_sidecar.daemon import METRICS as SIDECAR_METRICS
from mlguard_sidecar.exposition import METRICS as MODEL_METRICS
from mlguard_sidecar.exposition.quality_definitions import ACCURACY_THRESHOLD, ERROR_THRESHOLD
from mlguard_sidecar.exposition.quality_definitions import METRICS as OUTCOME_METRICS
from mlguard_sidecar.wire import REJECTION_REASONS, VALUE_REASONS

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
REFERENCE = (ROOT / "sidecar/README.md").read_text()
EXPORTER = (ROOT / "exporter/README.md").read_text()
KUBERNETES = (ROOT / "sidecar/KUBERNETES.md").read_text()
RULES = (ROOT / "rules/README.md").read_text()


def cells(text: str, first: str) -> dict[str, list[str]]:
    """Rows of the table whose first heading is this, by their first cell."""
    table = text[text.index(f"\n| {first} |") :].split("\n\n", maxsplit=1)[0]
    rows = [re.split(r" ?(?<!\\)\| ?", line)[1:-1] for line in table.strip().splitlines()[2:]]
    return {row[0].strip("` "): [cell.strip() for cell in row[1:]] for row in rows}


def struct_in(kind) -> tuple[type[msgspec.Struct], str] | None:
    """The struct that a type is, may be or holds, and what stands behind its key."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return kind, "."
    sign = {list: "[].", dict: ".*."}.get(get_origin(kind))
    for argument in get_args(kind):
        if isinstance(argument, type) and issubclass(argument, msgspec.Struct):
            return argument, sign or "."
    return None


def keys(struct, prefix: str = "", default=None) -> dict[str, str]:
    """Every key of a configuration with its default."""
    found: dict[str, str] = {}
    types = get_type_hints(struct)
    for field in msgspec.structs.fields(struct):
        key = prefix + field.encode_name
        nested = struct_in(types[field.name])
        value = getattr(default, field.name, None)
        if default is None and field.default is not msgspec.NODEFAULT:
            value = field.default
        elif default is None and field.default_factory is not msgspec.NODEFAULT:
            value = field.default_factory()
        if nested is not None:
            inner = value if isinstance(value, msgspec.Struct) else None
            found |= keys(nested[0], key + nested[1], inner)
        else:
            found[key] = shown(value)
    return found


def shown(value: object) -> str:
    """A default as the table has it."""
    if value is None:
        return ""
    if isinstance(value, list):
        return "[" + ", ".join(map(str, value)) + "]"
    return str(value).lower() if isinstance(value, bool) else str(value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (REFERENCE, keys(Config)),
        (EXPORTER, keys(ExporterConfig)),
        (KUBERNETES, keys(InjectorConfig)),
        (RULES, keys(RulesConfig, "rules.") | keys(NotifyConfig, "notify.")),
    ],
    ids=["sidecar", "exporter", "injector", "rules"],
)
def test_the_configuration_reference_has_every_key_with_its_default(text, expected):
    documented = cells(text, "key")
    if documented.pop("rules`, `notify", None):
        expected = {k: v for k, v in expected.items() if not k.startswith(("rules.", "notify."))}
    assert {k: row[0].strip('`"') for k, row in documented.items()} == expected
    assert all(row[1] for row in documented.values())


@pytest.mark.parametrize(
    ("heading", "metrics"),
    [
        ("name", (*MODEL_METRICS, *telemetry.METRICS, *lifecycle_metrics("sidecar"))),
        ("alerting", ALERTING_METRICS),
    ],
    ids=["models", "alerting"],
)
def test_the_reference_has_every_metric_with_its_type_labels_and_meaning(heading, metrics):
    model = ("project", "model", "model_endpoint")

    def labels(metric) -> str:
        if metric.name.startswith("ALERTS"):
            return "those of the alert"
        return ", ".join(f"`{label}`" for label in metric.labels if label not in model)

    assert cells(REFERENCE, heading) == {
        m.name: [m.type, labels(m), m.documentation] for m in metrics
    }


def test_the_exporter_s_reference_has_every_metric_of_spend():
    def labels(metric) -> str:
        return ", ".join(f"`{label}`" for label in metric.labels)

    documented = cells(EXPORTER, "spend")
    assert documented == {m.name: [m.type, labels(m), m.documentation] for m in SPEND_METRICS}


def test_the_annotations_of_pods_are_documented():
    resources = {each.replace("_", "-") for each in ResourcesConfig.__struct_fields__}
    documented = {
        name.strip("` ").removeprefix("mlguard.io/")
        for row in cells(KUBERNETES, "annotation")
        for name in row.split(",")
    }
    assert documented == {*READERS, *resources}


def test_the_sdk_s_parameters_are_documented_with_their_defaults():
    documented = cells(REFERENCE, "parameter")
    names = {name.strip("` ") for row in documented for name in row.split(",")}
    parameters = inspect.signature(Guard).parameters
    assert names == set(parameters)
    for name in ("queue_size", "flush_seconds"):
        default = documented[name][0].strip("`")
        assert float(default) == parameters[name].default


def test_the_reference_has_every_reason():
    for heading, reasons in (
        ("reason", REJECTION_REASONS),
        ("reason of a value", VALUE_REASONS),
    ):
        rows = cells(REFERENCE, heading)
        assert {name.strip("` ") for row in rows for name in row.split(",")} == reasons


@pytest.mark.parametrize("text", [README, REFERENCE, EXPORTER])
def test_metrics_that_are_named_exist(text):
    history = {name for name, _ in HISTORY_METRICS.values()}
    shown = (*SIDECAR_METRICS, *EXPORTER_METRICS)
    names = {m.name for m in shown} | history
    packages = {path.name for path in ROOT.glob("*/mlguard_*")}
    for found in re.findall(r"\bmlguard_[a-z0-9_]+\b", text):
        assert found in names | packages, found


@pytest.mark.parametrize("folder", [".", "sidecar", "exporter", "rules"])
def test_links_lead_somewhere(folder):
    text = (ROOT / folder / "README.md").read_text()
    for target in re.findall(r"\]\(([^)#]*)(?:#[^)]*)?\)", text):
        if "://" not in target:
            assert not target or (ROOT / folder / target).exists(), target


def test_the_licence_is_the_same_everywhere():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["license"] == "LicenseRef-MLGuard-Source-Available"
    for text in (README, (ROOT / "LICENSE").read_text()):
        plain = " ".join(text.lower().split())
        assert "not open source" in plain
        for need in (
            "commercial use",
            "deployment",
            "modification",
            "redistribution",
            "explicit permission",
        ):
            assert need in plain
    assert not any("OSI Approved" in c for c in project["classifiers"])


def test_the_numbers_of_series_follow_the_documented_formula():
    text = (ROOT / "tests/unit/metrics.golden").read_text()
    samples = [
        line
        for line in text.splitlines()
        if 'project="p"' in line and not line.startswith(("#", "mlguard_baseline_learning"))
    ]
    numeric, categorical, predictions = 2, 1, 2
    feature_windows, traffic_windows, classes = 1, 1, 2
    thresholds = sum("_threshold" in line for line in samples)
    bins = sum(line.startswith("mlguard_feature_bin_total") for line in samples)
    expected = (
        20
        + thresholds
        + classes
        + 2 * bins
        + 2 * numeric
        + 3 * categorical
        + predictions
        + 5
        + 6 * traffic_windows
        + classes * traffic_windows
        + feature_windows * (6 * predictions + 13 * numeric + 9 * categorical)
    )
    assert len(samples) == expected


@pytest.mark.parametrize(("model", "expected"), [("classes", 11 + 8 + 3), ("values", 10 + 3 + 3)])
def test_the_numbers_of_series_of_outcomes_follow_the_documented_formula(model, expected):
    names = {metric.name for metric in (*OUTCOME_METRICS, ACCURACY_THRESHOLD, ERROR_THRESHOLD)}
    samples = [
        line
        for line in (ROOT / "tests/unit/metrics.golden").read_text().splitlines()
        if f'model="{model}"' in line and line.partition("{")[0] in names
    ]
    assert len(samples) == expected
