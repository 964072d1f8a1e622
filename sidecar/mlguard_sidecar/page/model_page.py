"""The page of one model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlguard_common.page import Chart, Limit, Series, paired_bars, texts, time_chart
from mlguard_sidecar.page.attention import exceeds, judged_columns
from mlguard_sidecar.page.links import column_path

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlguard_sidecar.series import TrafficSeries
    from mlguard_sidecar.statistics import (
        ColumnStatistics,
        Explanation,
        ModelStatistics,
        Point,
        TrafficStatistics,
    )

_CLASSES = 5
_OTHERS = "all others"


@dataclass(frozen=True)
class ColumnRow:
    """A column in the table of drift.

    Attributes:
        statistics: its statistics in the window.
        path: address of its page.
        bars: shares of the bins in what it is compared with, and now; None without a baseline.
        is_over: whether it has drifted beyond chance and beyond the threshold.
        sentences: what explains its drift.
    """

    statistics: ColumnStatistics
    path: str
    bars: tuple[str, str] | None
    is_over: bool
    sentences: Sequence[str]


def column_rows(
    model: ModelStatistics, window: str | None, explanations: Sequence[Explanation]
) -> list[ColumnRow]:
    """Return the rows of the table of drift, the furthest over its evidence first.

    Args:
        model: the model.
        window: label of the window.
        explanations: those of the model.
    """
    explained = {
        (each.column.column.role, each.column.column.name): each.sentences for each in explanations
    }
    return [
        ColumnRow(
            column,
            column_path(model.key, column.column.role, column.column.name),
            _bars(column),
            exceeds(column, model),
            explained.get((column.column.role, column.column.name), ()),
        )
        for column in judged_columns(model, window)
    ]


def _bars(column: ColumnStatistics) -> tuple[str, str] | None:
    shares = column.bin_shares
    if not shares or not column.count:
        return None
    return paired_bars([share.before or 0.0 for share in shares], [share.now for share in shares])


def model_charts(series: TrafficSeries, thresholds: Mapping[str, float]) -> list[Chart]:
    """Return the charts of traffic, latency, classes and score; the last two only if there are any.

    Args:
        series: the points.
        thresholds: key of the configuration -> limit.
    """
    points, step = series.points, series.step
    times = [float(point.start) for point in points]
    threshold = thresholds.get("latency_p95_seconds")
    charts = [
        time_chart(
            f"Inferences per {_step(step)}",
            times,
            step,
            [Series("inferences", [float(point.inferences) for point in points])],
            texts.count,
            kind="bars",
        ),
        time_chart(
            "Latency",
            times,
            step,
            [Series(f"p{level}", _latency(points, i)) for i, level in enumerate((50, 95, 99))],
            texts.seconds,
            limits=[Limit("p95 threshold", threshold)] if threshold else [],
        ),
    ]
    classes = _class_series(points)
    if classes:
        charts.append(
            time_chart("Predicted classes", times, step, classes, texts.percent, kind="stack")
        )
    if any(point.score for point in points):
        scores = [point.score[0] if point.score else None for point in points]
        spread = [point.score[1] if point.score else None for point in points]
        name = "mean, \N{PLUS-MINUS SIGN} standard deviation"
        charts.append(
            time_chart("Score", times, step, [Series(name, scores, spread)], texts.number)
        )
    return charts


def _latency(points: Sequence[Point], i: int) -> list[float | None]:
    return [point.latency_quantiles[i] if point.latency_quantiles else None for point in points]


def _step(seconds: int) -> str:
    names = {60: "minute", 3600: "hour", 86_400: "day"}
    return names.get(seconds, f"{seconds // 60} minutes" if seconds > 60 else f"{seconds} seconds")


def _class_series(points: Sequence[Point]) -> list[Series]:
    """Return the shares of the most frequent classes, and of all others together."""
    totals: dict[str, float] = {}
    for point in points:
        for name, ratio in point.prediction_ratios.items():
            totals[name] = totals.get(name, 0.0) + ratio * point.inferences
    order = sorted(totals, key=lambda name: -totals[name])
    shown, rest = order[:_CLASSES], order[_CLASSES:]
    found = [Series(name, [_ratio(point, name) for point in points]) for name in shown]
    if rest:
        shares = [
            sum(point.prediction_ratios.get(name, 0.0) for name in rest)
            if point.prediction_ratios
            else None
            for point in points
        ]
        found.append(Series(_OTHERS, shares))
    return found


def _ratio(point: Point, name: str) -> float | None:
    return point.prediction_ratios.get(name, 0.0) if point.prediction_ratios else None


def facts(model: ModelStatistics, traffic: TrafficStatistics | None, now: float) -> dict[str, Any]:
    """Return the figures of the row of tiles.

    Args:
        model: the model.
        traffic: its traffic in the window that is shown.
        now: epoch seconds.
    """
    return {
        "traffic": traffic,
        "rate": traffic.rate(now) if traffic else None,
        "psi_threshold": model.settings.thresholds.get("drift_psi"),
    }
