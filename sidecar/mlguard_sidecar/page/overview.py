"""The page of all models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlguard_common.page import sparkline, texts
from mlguard_sidecar.page.attention import (
    Attention,
    alerts_of,
    attention,
    exceeds,
    judged_columns,
)
from mlguard_sidecar.page.links import model_path

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mlguard_rules.service import AlertAnswer
    from mlguard_sidecar.statistics import ColumnStatistics, ModelStatistics, Point
    from mlguard_sidecar.wire import ModelKey

_ALERTS = 2
_CLASSES = 2
_TREND = 0.1


@dataclass(frozen=True)
class ModelRow:
    """A model in the table.

    Attributes:
        key: key of the model.
        path: address of its page.
        attention: the verdict.
        inferences: in the longest window.
        window: label of that window.
        rate: inferences a second in the shortest window; None without traffic.
        traffic: path of the recent inferences.
        p95: latency in the shortest window that has any, in seconds.
        p95_trend: its change against the longest window; empty if it is small.
        classes: the most frequent classes and their shares.
        score: mean score.
        drifted: number of columns beyond chance and threshold.
        worst: the column that is the furthest over its evidence.
        quality: quality of outcomes in words; empty if it is not known.
        last_seen: epoch seconds; None if it is not known.
    """

    key: ModelKey
    path: str
    attention: Attention
    inferences: int
    window: str
    rate: float | None
    traffic: str
    p95: float | None
    p95_trend: str
    classes: Sequence[tuple[str, float]]
    score: float | None
    drifted: int
    worst: ColumnStatistics | None
    quality: str
    last_seen: float | None


SORTS: Mapping[str, tuple[str, Callable[[ModelRow], Any]]] = {
    "attention": ("State", lambda row: (-row.attention.rank, row.key)),
    "model": ("Model", lambda row: row.key),
    "traffic": ("Inferences", lambda row: (-row.inferences, row.key)),
    "p95": ("Latency p95", lambda row: (-(row.p95 or 0.0), row.key)),
    "drift": ("Drift", lambda row: (-_evidence(row.worst), row.key)),
    "seen": ("Last seen", lambda row: (-(row.last_seen or 0.0), row.key)),
}
"""Name of an order -> heading of its column, and the key by which rows are sorted."""


def model_row(
    model: ModelStatistics,
    recent: Sequence[Point],
    alerts: Sequence[AlertAnswer],
    last_seen: float | None,
    now: float,
) -> ModelRow:
    """Return the row of a model.

    Args:
        model: its statistics.
        recent: the last 24 hours, of a young model less.
        alerts: all alerts.
        last_seen: when its events came last, epoch seconds.
        now: epoch seconds.
    """
    columns = judged_columns(model)
    timed = [traffic for traffic in model.traffic if traffic.latency_quantiles]
    p95 = timed[0].latency_quantiles[1] if timed and timed[0].latency_quantiles else None
    busy = [traffic for traffic in model.traffic if traffic.inferences]
    return ModelRow(
        key=model.key,
        path=model_path(model.key),
        attention=attention(model, alerts_of(model.key, alerts)),
        inferences=model.traffic[-1].inferences if model.traffic else 0,
        window=model.traffic[-1].window if model.traffic else "",
        rate=model.traffic[0].rate(now) if model.traffic else None,
        traffic=sparkline([float(point.inferences) for point in recent]),
        p95=p95,
        p95_trend=_trend(model),
        classes=_classes(busy[0].class_ratios if busy else []),
        score=busy[0].score[0] if busy and busy[0].score else None,
        drifted=sum(exceeds(column, model) for column in columns),
        worst=columns[0] if columns and columns[0].judged_drift else None,
        quality=_quality(model),
        last_seen=last_seen,
    )


def summary(rows: Sequence[ModelRow], alerts: Sequence[AlertAnswer]) -> tuple[str, str, str]:
    """Return level, headline and explanation of the state of all models.

    Args:
        rows: the models.
        alerts: all alerts.
    """
    firing = [alert for alert in alerts if alert.state == "firing"]
    drifted = sum(row.attention.level == "warn" or row.drifted > 0 for row in rows)
    quiet = sum(row.attention.level == "quiet" for row in rows)
    models = texts.counted(len(rows), "model")
    if firing:
        head = f"{texts.counted(len(firing), 'alert')} firing"
        return "bad", head, f"{_what(firing)}; {models} watched"
    if drifted:
        head = f"{texts.counted(drifted, 'model')} may need a look"
        return "warn", head, f"no alert is firing; {models} watched"
    if quiet == len(rows):
        return "quiet", "Still learning", f"{models} without a baseline yet, no alert is firing"
    text = f"{models} watched, no alert is firing, nothing drifts beyond its threshold"
    return "good", "All is well", text + (f"; {quiet} still learning" if quiet else "")


def _what(firing: Sequence[AlertAnswer]) -> str:
    """Return what the alerts say, the critical ones first, each thing once."""
    order = sorted(firing, key=lambda alert: alert.labels.get("severity") != "critical")
    said = [a.annotations.get("summary") or a.labels.get("alertname", "an alert") for a in order]
    different = list(dict.fromkeys(said))
    rest = len(different) - _ALERTS
    return ", ".join(different[:_ALERTS]) + (f" and {rest} more" if rest > 0 else "")


def _evidence(column: ColumnStatistics | None) -> float:
    return (column.evidence or 0.0) if column else 0.0


def _trend(model: ModelStatistics) -> str:
    timed = [traffic for traffic in model.traffic if traffic.latency_quantiles]
    if len(timed) < 2:
        return ""
    short, long = timed[0].latency_quantiles, timed[-1].latency_quantiles
    if short is None or long is None or not long[1]:
        return ""
    change = short[1] / long[1] - 1
    if abs(change) < _TREND:
        return f"as in {timed[-1].window}"
    sign = "\N{UPWARDS ARROW}" if change > 0 else "\N{DOWNWARDS ARROW}"
    return f"{sign} {texts.percent(abs(change))} against {timed[-1].window}"


def _classes(ratios: Sequence[tuple[str, float]]) -> list[tuple[str, float]]:
    return sorted(ratios, key=lambda each: -each[1])[:_CLASSES]


def _quality(model: ModelStatistics) -> str:
    windows = model.outcomes.windows if model.outcomes else ()
    for window in windows:
        quality = window.quality
        if quality.accuracy is not None:
            return f"accuracy {texts.percent(quality.accuracy)}"
        if quality.absolute_error is not None:
            return f"mean error {texts.number(quality.absolute_error.mean)}"
    return ""
