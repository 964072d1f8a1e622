"""All dashboards by name, and their JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from mlguard_dashboards import cost, feature, fleet, health, model

if TYPE_CHECKING:
    from collections.abc import Callable

    from grafana_foundation_sdk.models.dashboard import Dashboard

FOLDER = Path(__file__).resolve().parents[1]
"""Folder of the JSON files."""

DASHBOARDS: dict[str, Callable[[], Dashboard]] = {
    "fleet": fleet.build,
    "model": model.build,
    "feature": feature.build,
    "cost": cost.build,
    "health": health.build,
}
"""Name of the file, without `.json` -> what builds the dashboard."""


_UNKNOWN = ("auto", "auto_count", "auto_min", "id")
"""Keys of variables that the library writes and Grafana's types lack, as `style` of all."""


def render(dashboard: Dashboard) -> str:
    """Return the JSON of a dashboard, as it is kept in its file."""
    plain = json.loads(json.dumps(dashboard, cls=JSONEncoder))
    del plain["style"]
    for variable in plain["templating"]["list"]:
        for key in _UNKNOWN:
            variable.pop(key, None)
    return json.dumps(plain, indent=1, sort_keys=True) + "\n"
