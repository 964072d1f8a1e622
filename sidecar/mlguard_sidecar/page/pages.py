"""Handlers of the pages."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mlguard_common.page import Page, not_found
from mlguard_sidecar.details import column_detail
from mlguard_sidecar.page.attention import (
    alerts_of,
    attention,
    exceeds,
    judged_window,
    subject_of,
)
from mlguard_sidecar.page.column_page import bin_rows, chosen_window, day_charts
from mlguard_sidecar.page.links import (
    COLUMN_PATH,
    MODEL_PATH,
    column_json,
    key_of,
    model_json,
    model_path,
)
from mlguard_sidecar.page.model_page import column_rows, facts, model_charts
from mlguard_sidecar.page.overview import SORTS, model_row, summary
from mlguard_sidecar.series import Range
from mlguard_sidecar.statistics import explain, moved_together

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

    from aiohttp import web

    from mlguard_rules.service import AlertAnswer
    from mlguard_sidecar.history import DayRecorder
    from mlguard_sidecar.ingest import Reject
    from mlguard_sidecar.series import SeriesReader
    from mlguard_sidecar.statistics import ModelStatistics
    from mlguard_sidecar.telemetry import Telemetry
    from mlguard_sidecar.wire import ModelKey

TEMPLATES = Path(__file__).parent / "templates"

_REFRESH_SECONDS = 10
_REJECTS = 10
_EXPLAINED_DAYS = 30
_TODAY_SECONDS = 60.0
_COLUMN_DAYS = {"30d": 30, "400d": 400}


@dataclass(frozen=True)
class Pages:
    """Pages of models.

    Attributes:
        statistics: returns the current statistics of each model.
        alerts: returns the alerts that are pending or firing.
        history: has the days of each model.
        series: reads series.
        rejects: the last rejections and invalid values, the newest last.
        telemetry: the counts of events.
        last_seen: returns when events of a model came last, epoch seconds.
        clock: epoch seconds.
    """

    statistics: Callable[[], Sequence[ModelStatistics]]
    alerts: Callable[[], Sequence[AlertAnswer]]
    history: DayRecorder
    series: SeriesReader
    rejects: Collection[Reject]
    telemetry: Telemetry
    last_seen: Callable[[ModelKey], float | None]
    clock: Callable[[], float]

    def handlers(self) -> Mapping[str, Callable[[web.Request], Awaitable[Page]]]:
        """Return path -> handler."""
        return {"/": self._overview, MODEL_PATH: self._model, COLUMN_PATH: self._column}

    async def _overview(self, request: web.Request) -> Page:
        alerts, now = self.alerts(), self.clock()
        rows = []
        for model in self.statistics():
            try:
                recent = await self.series.recent(model.key)
            except (sqlite3.Error, OSError):
                recent = None  # the row is worth more than its small lines
            points = recent.points if recent else ()
            rows.append(model_row(model, points, alerts, self.last_seen(model.key), now))
        order = request.query.get("sort", "attention")
        order = order if order in SORTS else "attention"
        rows.sort(key=SORTS[order][1])
        names = {tuple(row.key) for row in rows}
        return Page(
            "overview.html",
            "Models",
            ("/api/v1/models", "/api/v1/alerts"),
            {
                "rows": rows,
                "summary": summary(rows, alerts),
                "sorts": {name: heading for name, (heading, _) in SORTS.items()},
                "order": order,
                "other_alerts": [alert for alert in alerts if subject_of(alert) not in names],
                "committed": self.telemetry.total("events_committed"),
                "rejected": self.telemetry.total("events_rejected"),
                "host": request.host,
                "refresh_seconds": _REFRESH_SECONDS,
            },
        )

    def _find(self, request: web.Request) -> tuple[ModelKey, ModelStatistics | None]:
        key = key_of(request.match_info)
        return key, next((each for each in self.statistics() if each.key == key), None)

    async def _model(self, request: web.Request) -> Page:
        key, model = self._find(request)
        wanted = request.query.get("range")
        span = Range(wanted) if wanted in list(Range) else self.series.usual(key)
        series = await self.series.read(key, span)
        days = await self.history.days(key, _EXPLAINED_DAYS, max_age=_TODAY_SECONDS)
        if model is None or series is None or days is None:
            return not_found(f"There is no model {'/'.join(key)} here, or it has long been silent.")
        alerts = alerts_of(key, self.alerts())
        baseline = model.schema.baseline
        explanations = explain(model.columns, days, baseline.id if baseline else None)
        labels = [window.span.label for window in model.feature_windows]
        window = request.query.get("window")
        window = window if window in labels else judged_window(model)
        traffic = [each for each in model.traffic if each.inferences] or list(model.traffic)
        now = self.clock()
        return Page(
            "model.html",
            f"{key.model}, {key.project}",
            model_json(key, span),
            {
                "model": model,
                "path": model_path(key),
                "verdict": attention(model, alerts),
                "alerts": alerts,
                "together": moved_together(explanations),
                "columns": column_rows(model, window, explanations),
                "window": window,
                "windows": labels,
                "range": span,
                "ranges": self.series.ranges(),
                "charts": model_charts(series, model.settings.thresholds),
                "points": series.points[::-1],
                "last_seen": self.last_seen(key),
                "rejects": list(self.rejects)[: -_REJECTS - 1 : -1],
                "refresh_seconds": _REFRESH_SECONDS,
                **facts(model, traffic[0] if traffic else None, now),
            },
        )

    async def _column(self, request: web.Request) -> Page:
        key, model = self._find(request)
        role, name = request.match_info["kind"], request.query.get("name", "")
        span = request.query.get("range", "")
        span = span if span in _COLUMN_DAYS else next(iter(_COLUMN_DAYS))
        days = _COLUMN_DAYS[span]
        detail = None
        if model is not None:
            detail = await column_detail([model], self.history, key, role, name, days)
        if detail is None:
            return not_found(f"There is no {role} {name} of {'/'.join(key)} here.")
        chosen = chosen_window(detail.windows, request.query.get("window"))
        return Page(
            "column.html",
            f"{name}, {key.model}",
            column_json(key, role, name),
            {
                "detail": detail,
                "column": chosen,
                "is_over": exceeds(chosen, detail.model),
                "bins": bin_rows(chosen),
                "charts": day_charts(detail, self.clock(), days),
                "model_path": model_path(key),
                "range": span,
                "ranges": list(_COLUMN_DAYS),
                "psi_threshold": detail.model.settings.thresholds.get("drift_psi"),
                "refresh_seconds": 6 * _REFRESH_SECONDS,
            },
        )
