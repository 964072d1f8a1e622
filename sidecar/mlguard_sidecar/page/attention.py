"""How urgent a model is, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlguard_common.page import texts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlguard_rules.service import AlertAnswer
    from mlguard_sidecar.statistics import ColumnStatistics, ModelStatistics
    from mlguard_sidecar.wire import ModelKey

_LABELS = ("project", "model", "model_endpoint")


@dataclass(frozen=True)
class Attention:
    """Verdict on a model.

    Attributes:
        level: `bad` if an alert fires, `warn` if a column drifts beyond the threshold or an alert
            is pending, `good`, or `quiet` if there is nothing to judge yet.
        text: the reason in a few words.
        rank: the larger, the more urgent.
    """

    level: str
    text: str
    rank: float


def subject_of(alert: AlertAnswer) -> tuple[str | None, ...]:
    """Return the key of the model that an alert is about; None for parts that it does not name."""
    return tuple(alert.labels.get(label) for label in _LABELS)


def alerts_of(key: ModelKey, alerts: Sequence[AlertAnswer]) -> list[AlertAnswer]:
    """Return the alerts about a model, those that fire first."""
    found = [alert for alert in alerts if subject_of(alert) == tuple(key)]
    return sorted(
        found,
        key=lambda alert: (
            alert.state != "firing",
            alert.labels.get("severity") != "critical",
            alert.activeAt,
        ),
    )


def judged_columns(model: ModelStatistics, window: str | None = None) -> list[ColumnStatistics]:
    """Return the columns of a window, the furthest over its evidence first.

    Args:
        model: the model.
        window: its label; by default the one over which rules judge.
    """
    window = window or judged_window(model)
    found = [column for column in model.columns if column.window == window]
    return sorted(found, key=lambda column: (-(column.evidence or -1.0), column.column.name))


def judged_window(model: ModelStatistics) -> str | None:
    """Return the window over which rules judge features; the shortest one without features."""
    chosen = [each.window for each in model.judged_windows if each.figure == "features"]
    labels = [window.span.label for window in model.feature_windows]
    return next(iter([*chosen, *labels]), None)


def exceeds(column: ColumnStatistics, model: ModelStatistics) -> bool:
    """Return whether a column has drifted, beyond chance and beyond the model's threshold."""
    threshold = model.settings.thresholds.get("drift_psi")
    drift = column.judged_drift
    return (
        drift is not None and column.has_drifted and threshold is not None and drift.psi > threshold
    )


def attention(model: ModelStatistics, alerts: Sequence[AlertAnswer]) -> Attention:
    """Return the verdict on a model.

    Args:
        model: its statistics.
        alerts: the alerts about it.
    """
    firing = [alert for alert in alerts if alert.state == "firing"]
    moved = [column for column in judged_columns(model) if exceeds(column, model)]
    worst = max((column.evidence or 0.0 for column in moved), default=0.0)
    if firing:
        critical = sum(alert.labels.get("severity") == "critical" for alert in firing)
        rank = 4e9 + 1e6 * critical + 1e3 * len(firing) + min(worst, 999)
        return Attention("bad", f"{texts.counted(len(firing), 'alert')} firing", rank)
    if moved:
        text = f"{texts.counted(len(moved), 'column')} drifted"
        return Attention("warn", text, 3e9 + len(moved) + worst)
    if alerts:
        text = f"{texts.counted(len(alerts), 'alert')} pending"
        return Attention("warn", text, 2e9 + len(alerts))
    if model.learning_ratio is not None and model.schema.baseline is None:
        return Attention("quiet", f"learning, {model.learning_ratio:.0%}", 1e9)
    if not model.judged:
        return Attention("quiet", "no baseline", 1e9)
    return Attention("good", "well", 0.0)
