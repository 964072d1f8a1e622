"""The bundled rule files, whose waiting times are shortened as the year is."""

from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from mlguard_common.config import duration_milliseconds

_HALF_HOURS = 36.5
"""Half hours of waiting in a replayed year: each becomes ten days."""


def speedup(seconds: float) -> float:
    """Return by how much waiting times are shortened when the year is replayed in `seconds`."""
    return max(1.0, _HALF_HOURS * 1800 / seconds)


def write_rules(folder: Path, name: str, speedup: float) -> Path:
    """Write the bundled rule file `name` to `folder`, its waiting times divided by `speedup`.

    `keep_firing_for` is left out, so that what fires is what the live table shows. Expressions,
    labels and texts stay as they are.
    """
    bundled = files("mlguard_rules") / "bundled" / f"{name}.rules.yml"
    document = yaml.safe_load(bundled.read_text(encoding="utf-8"))
    for group in document["groups"]:
        group["rules"] = [_shortened(rule, speedup) for rule in group["rules"]]
    path = folder / f"{name}.rules.yml"
    path.write_text(yaml.safe_dump(document, sort_keys=False, width=10_000), encoding="utf-8")
    return path


def _shortened(rule: dict[str, Any], speedup: float) -> dict[str, Any]:
    kept = {key: value for key, value in rule.items() if key != "keep_firing_for"}
    if "for" in rule:
        kept["for"] = f"{duration_milliseconds(rule['for']) / speedup:.0f}ms"
    return kept
