"""The README files say what the code does."""

from __future__ import annotations

import inspect
import re
import tomllib
from pathlib import Path

import msgspec
import pytest

from mlguard import Guard
from mlguard_common.config.load import type_at
from mlguard_sidecar.config import Config
from mlguard_sidecar.exposition import METRICS
from mlguard_sidecar.wire import Reason

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
REFERENCE = (ROOT / "sidecar/README.md").read_text()


def cells(text: str, first: str) -> dict[str, list[str]]:
    """Rows of the table whose first heading is this, by their first cell."""
    table = text[text.index(f"\n| {first} |") :].split("\n\n", maxsplit=1)[0]
    rows = [re.split(r" ?(?<!\\)\| ?", line)[1:-1] for line in table.strip().splitlines()[2:]]
    return {row[0].strip("` "): [cell.strip() for cell in row[1:]] for row in rows}


def keys(struct, prefix: str = "") -> dict[str, object]:
    """Every key of the configuration with its default."""
    found: dict[str, object] = {}
    for field in msgspec.structs.fields(struct):
        key = prefix + field.name
        default = field.default
        if default is msgspec.NODEFAULT:
            default = (
                None if field.default_factory is msgspec.NODEFAULT else field.default_factory()
            )
        text = str(field.type)
        if key == "models":
            found |= keys(type_at(Config, ["models", 0]), "models[].")
        elif key.endswith(".features") and "dict" in text:
            found |= keys(type_at(Config, ["models", 0, "features", "x"]), f"{key}.*.")
        elif isinstance(default, msgspec.Struct):
            nested = keys(type(default), key + ".")
            found |= {k: getattr(default, k.removeprefix(key + "."), v) for k, v in nested.items()}
        else:
            found[key] = default
    return found


def test_the_configuration_reference_has_every_key_with_its_default():
    documented = cells(REFERENCE, "key")
    expected = {}
    for key, default in keys(Config).items():
        if isinstance(default, list):
            default = "[" + ", ".join(default) + "]"  # noqa: PLW2901
        expected[key] = "" if default is None else str(default)
    assert {k: row[0].strip('`"') for k, row in documented.items()} == expected
    assert all(row[1] for row in documented.values())


def test_the_reference_has_every_metric_with_its_type_labels_and_meaning():
    model = ("project", "model", "model_endpoint")
    assert cells(REFERENCE, "name") == {
        metric.name: [
            metric.type,
            ", ".join(f"`{label}`" for label in metric.labels if label not in model),
            metric.help,
        ]
        for metric in METRICS
    }


def test_the_sdk_s_parameters_are_documented_with_their_defaults():
    documented = cells(REFERENCE, "parameter")
    names = {name.strip("` ") for row in documented for name in row.split(",")}
    parameters = inspect.signature(Guard).parameters
    assert names == set(parameters)
    for name in ("queue_size", "flush_seconds"):
        default = documented[name][0].strip("`")
        assert float(default) == parameters[name].default


def test_the_reference_has_every_reason():
    documented = {name.strip("` ") for row in cells(REFERENCE, "reason") for name in row.split(",")}
    assert documented == set(Reason)


@pytest.mark.parametrize("text", [README, REFERENCE])
def test_metrics_that_are_named_exist(text):
    names = {m.name for m in METRICS}
    for found in re.findall(r"\bmlguard_[a-z0-9_]+\b", text):
        assert found in names | {"mlguard_sidecar", "mlguard_injector"}, found


@pytest.mark.parametrize("text", [README, REFERENCE])
def test_links_lead_somewhere(text):
    for target in re.findall(r"\]\(([^)#]*)(?:#[^)]*)?\)", text):
        assert not target or (ROOT / target).exists(), target


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
    numeric, categorical, feature_windows, traffic_windows, classes = 2, 1, 1, 1, 2
    thresholds = sum("_threshold" in line for line in samples)
    bins = sum(line.startswith("mlguard_feature_bin_total") for line in samples)
    expected = (
        20
        + thresholds
        + classes
        + 2 * bins
        + numeric
        + 2 * categorical
        + 4
        + 6 * traffic_windows
        + classes * traffic_windows
        + feature_windows * (8 + 11 * numeric + 7 * categorical)
    )
    assert len(samples) == expected
