"""Promtool as an oracle: series in its notation, test files, and what it says."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

STALE = "stale"


class Said(NamedTuple):
    """What promtool made of a test file."""

    ok: bool
    text: str


def test_rules(*paths: Path) -> Said:
    """`promtool test rules`."""
    done = subprocess.run(
        ["promtool", "test", "rules", *map(str, paths)],
        capture_output=True,
        text=True,
        check=False,
    )
    return Said(done.returncode == 0, done.stdout + done.stderr)


def series_text(metric: str, labels: tuple) -> str:
    """A series as PromQL writes it."""
    pairs = ",".join(f"{name}={json.dumps(value)}" for name, value in labels)
    return f"{metric}{{{pairs}}}"


def values_text(values: list) -> str:
    """Values in the expanding notation; None is no sample."""
    return " ".join("_" if v is None else v if v == STALE else repr(float(v)) for v in values)


def ended(world: dict) -> dict:
    """Series that end with every gap, as in a process that reads its own figures."""
    return {
        key: [
            STALE if value is None and i > 0 and values[i - 1] is not None else value
            for i, value in enumerate(values)
        ]
        for key, values in world.items()
    }


def write_tests(
    path: Path, rules: Path, interval: int, scenarios: list[dict], groups: tuple[str, ...] = ()
) -> Path:
    """A test file; JSON is YAML, and faster to write.

    Args:
        path: of the test file.
        rules: the rule file.
        interval: seconds between samples and between evaluations.
        scenarios: the tests, without their interval.
        groups: the order of the file's groups, which promtool else evaluates in any.
    """
    content = {
        "rule_files": [str(rules)],
        "evaluation_interval": f"{interval}s",
        "tests": [{"interval": f"{interval}s", **scenario} for scenario in scenarios],
    }
    if groups:
        content["group_eval_order"] = list(groups)
    path.write_text(json.dumps(content, indent=0))
    return path


test_rules.__test__ = False
