"""Output of `mlguard status`."""

from __future__ import annotations

from collections import Counter
from typing import Any

from mlguard_sidecar.cli.client import request
from mlguard_sidecar.cli.table import table


def status_table(url: str) -> str:
    """Return a table of a sidecar's models, and the state of its alerts.

    The variable MLGUARD_API_KEY is sent as API key.

    Args:
        url: address of the sidecar, such as `http://127.0.0.1:9520`.

    Raises:
        RequestError: there is no answer, or the sidecar refuses.
    """
    found = request(f"{url.rstrip('/')}/api/v1/models")
    answer = request(f"{url.rstrip('/')}/api/v1/alerts")
    alerts = Counter(alert["state"] for alert in answer["data"]["alerts"])
    rows = [("MODEL", "INFERENCES", "PER SECOND", "P95", "BASELINE", "DRIFTING BEYOND CHANCE")]
    rows += map(_row, found["models"])
    lines = [table(rows)] if found["models"] else ["No events yet."]
    lines += [line for model in found["models"] for line in _not_watched(model)]
    lines += [line for model in found["models"] for line in _quality(model)]
    events = found["events"]
    lines += [
        "",
        f"alerts {alerts['firing']} firing, {alerts['pending']} pending",
        (
            f"rejected {events['rejected']:,}, dropped by clients"
            f" {events['dropped_by_clients']:,}, store errors {found['store_errors']:,}"
        ),
    ]
    return "\n".join(lines)


def _not_watched(model: dict[str, Any]) -> list[str]:
    """Return a line for each feature of a model that is not watched."""
    name = f"{model['project']}/{model['model']}/{model['endpoint']}"
    found = model["not_watched"].items()
    return [f"{name}: {feature} is not watched: {why}" for feature, why in found]


def _quality(model: dict[str, Any]) -> list[str]:
    """Return a line with the quality of a model in its shortest window with outcomes."""
    windows = (model.get("outcomes") or {}).get("quality", [])
    found = next((each for each in windows if each["outcomes"]), None)
    if found is None:
        return []
    name = f"{model['project']}/{model['model']}/{model['endpoint']}"
    shown = {
        "accuracy": found.get("accuracy"),
        "log loss": found.get("log_loss"),
        "mean absolute error": found.get("absolute_error_mean"),
    }
    figures = [f"{text} {value:.4g}" for text, value in shown.items() if value is not None]
    counted = f"{found['outcomes']:,} outcomes in {found['window']}"
    return [f"{name}: {', '.join([*figures, counted])}"]


def _row(model: dict[str, Any]) -> tuple[str, str, str, str, str, str]:
    shortest = model["windows"][0] if model["windows"] else {}
    p95, learning = shortest.get("latency_p95_seconds"), model["learning_ratio"]
    return (
        f"{model['project']}/{model['model']}/{model['endpoint']}",
        f"{model['inferences']:,}",
        f"{shortest.get('inferences_per_second', 0):,.1f}",
        "-" if p95 is None else f"{p95 * 1000:,.1f} ms",
        "in use" if learning is None else f"learning {learning:.0%}",
        ", ".join(model["drifted"]) or "-",
    )
