"""What `mlguard status` prints."""

from __future__ import annotations

import re
import urllib.request
from collections import Counter, defaultdict

from mlguard_sidecar.cli.table import table

_LINE = re.compile(r"^(mlguard_\w+|ALERTS)(?:\{(.*)\})? (\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_MODEL = ("project", "model", "model_endpoint")


def status_table(url: str) -> str:
    """A line for each model of the sidecar at an address.

    Raises:
        OSError: nobody answers there.
        ValueError: what answers is not a sidecar.
    """
    with urllib.request.urlopen(f"{url.rstrip('/')}/metrics", timeout=5) as answer:  # noqa: S310
        text = answer.read().decode()
    if "mlguard_build_info" not in text:
        raise ValueError("what answers there is not an ML Guard sidecar")
    models: defaultdict[tuple[str, ...], dict[str, float]] = defaultdict(dict)
    drifting: defaultdict[tuple[str, ...], set[str]] = defaultdict(set)
    psi: dict[tuple[tuple[str, str], ...], float] = {}
    own: defaultdict[str, float] = defaultdict(float)
    alerts: Counter[str] = Counter()
    for name, raw, value in _LINE.findall(text):
        labels = {key: _unescaped(found) for key, found in _LABEL.findall(raw)}
        key = tuple(labels.get(part, "") for part in _MODEL)
        series = tuple(sorted(labels.items()))
        if name == "ALERTS":
            alerts[labels["alertstate"]] += 1
        elif name == "mlguard_drift_psi":
            psi[series] = float(value)
        elif name == "mlguard_drift_psi_critical" and psi.get(series, 0.0) > float(value):
            drifting[key].add(labels["feature"])
        elif "model" in labels:
            models[key].setdefault(name, float(value))  # the first window is the shortest
        else:
            own[name] += float(value)
    rows = [("MODEL", "INFERENCES", "PER SECOND", "P95", "BASELINE", "DRIFTING BEYOND CHANCE")]
    for key, figures in models.items():
        learning = figures.get("mlguard_baseline_learning_ratio")
        p95 = figures.get("mlguard_latency_p95_seconds")
        rows.append(
            (
                "/".join(key),
                f"{figures.get('mlguard_inferences_total', 0):,.0f}",
                f"{figures.get('mlguard_inferences_per_second', 0):,.1f}",
                "-" if p95 is None else f"{p95 * 1000:,.1f} ms",
                "in use" if learning is None else f"learning {learning:.0%}",
                ", ".join(sorted(drifting[key])) or "-",
            )
        )
    told = [table(rows)] if models else ["No events yet."]
    rejected = own["mlguard_sidecar_events_rejected_total"]
    dropped = own["mlguard_sidecar_client_dropped_events_total"]
    errors = own["mlguard_sidecar_store_errors_total"]
    told += [
        "",
        f"alerts {alerts['firing']} firing, {alerts['pending']} pending",
        f"rejected {rejected:,.0f}, dropped by clients {dropped:,.0f}, store errors {errors:,.0f}",
    ]
    return "\n".join(told)


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda found: {"n": "\n"}.get(found[1], found[1]), text)
