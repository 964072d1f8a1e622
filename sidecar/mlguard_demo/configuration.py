"""The configuration files of the sidecar and of the exporter."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mlguard_demo.rules import write_rules
from mlguard_demo.spend import BUDGETS_USD
from mlguard_demo.workspace import Address, Windows, Workspace

BASELINE_EVENTS = 20_000
PSI_THRESHOLD = 0.2
RULES_INTERVAL_SECONDS = 1
_RECEIVER = "demo"


@dataclass(frozen=True)
class Alerting:
    """How both daemons alert.

    Attributes:
        receiver: Apprise URL of who is notified.
        speedup: by how much the waiting times of rules are shortened.
    """

    receiver: str
    speedup: float


def write_sidecar_config(
    workspace: Workspace, address: Address, windows: Windows, alerting: Alerting
) -> None:
    """Write the sidecar's configuration and its rules."""
    config = {
        "listen": address.listen,
        "socket": {"path": str(workspace.socket)},
        "data_dir": str(workspace.data),
        "pane": "1s",
        "windows": {
            "traffic": [windows.traffic_label, "15s"],
            "features": [windows.features_label],
        },
        "baseline": {"events": BASELINE_EVENTS},
        "drift": {"min_samples": 100},
        "thresholds": {"drift_psi": PSI_THRESHOLD},
    }
    common = _common(workspace, address, alerting, ("model", "sidecar"))
    _write(workspace.config, config | common)


def write_exporter_config(workspace: Workspace, address: Address, alerting: Alerting) -> None:
    """Write the exporter's configuration and its rules."""
    config = {
        "listen": address.listen,
        "data_dir": str(workspace.data),
        "cost": {
            "accounts": [{"name": "demo"}],
            "budgets": [
                {"project": project, "amount": amount} for project, amount in BUDGETS_USD.items()
            ],
        },
    }
    _write(workspace.exporter_config, config | _common(workspace, address, alerting, ("cost",)))


def _common(
    workspace: Workspace, address: Address, alerting: Alerting, rules: tuple[str, ...]
) -> dict[str, Any]:
    files = [write_rules(workspace.path, name, alerting.speedup) for name in rules]
    return {
        "rules": {
            "bundled": False,
            "files": [str(path) for path in files],
            "interval": f"{RULES_INTERVAL_SECONDS}s",
        },
        "notify": {
            "receivers": [{"name": _RECEIVER, "url": alerting.receiver}],
            "routes": [{"receivers": [_RECEIVER], "group_wait": "1s", "group_interval": "10s"}],
            "external_url": address.url,
        },
        "log": {"level": "warning", "format": "logfmt"},
    }


def _write(path: Path, config: dict[str, Any]) -> None:
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
