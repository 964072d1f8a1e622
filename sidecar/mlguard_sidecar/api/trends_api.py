"""HTTP API of models over time, and of single columns."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from mlguard_common.web import Operation, rfc3339
from mlguard_sidecar.api.answers import (
    BinAnswer,
    ColumnDetailAnswer,
    DatedColumnAnswer,
    PointAnswer,
    SeriesAnswer,
    WindowBinsAnswer,
)
from mlguard_sidecar.api.models_api import (
    MAX_HISTORY_DAYS,
    column_answer_of,
    day_column_answer,
    traffic_figures,
)
from mlguard_sidecar.api.responses import json_response, model_key, no_model
from mlguard_sidecar.details import ColumnDetail, column_detail
from mlguard_sidecar.series import Range

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aiohttp import web

    from mlguard_sidecar.history import DayRecorder
    from mlguard_sidecar.series import SeriesReader
    from mlguard_sidecar.statistics import ColumnStatistics, ModelStatistics, Point


@dataclass(frozen=True)
class TrendsApi:
    """Handlers of the paths `series` and `columns` below a model.

    Attributes:
        statistics: returns the current statistics of each model.
        history: has the days of each model.
        series: reads series.
    """

    statistics: Callable[[], Sequence[ModelStatistics]]
    history: DayRecorder
    series: SeriesReader

    def operations(self) -> list[Operation]:
        """Return the operations."""
        one = "/api/v1/models/{project}/{model}/{endpoint}"
        return [
            Operation(
                "GET",
                f"{one}/series",
                self._series,
                "Return traffic, latency and predictions over time.",
                answer=SeriesAnswer,
                query={"range": Range},
                errors=(400, 404),
            ),
            Operation(
                "GET",
                f"{one}/columns/{{kind}}/{{name}}",
                self._column,
                "Return a feature or prediction: its bins, its days, and what explains its drift.",
                answer=ColumnDetailAnswer,
                errors=(404,),
            ),
        ]

    async def _series(self, request: web.Request) -> web.Response:
        key = model_key(request)
        try:
            span = Range(request.query.get("range", Range.DAY))
        except ValueError:
            return json_response({"error": f"range: expected one of {', '.join(Range)}"}, 400)
        found = await self.series.read(key, span)
        if found is None:
            return no_model(key)
        points = [_point(point) for point in found.points]
        return json_response(SeriesAnswer(step_seconds=found.step, points=points))

    async def _column(self, request: web.Request) -> web.Response:
        key, names = model_key(request), request.match_info
        found = await column_detail(
            self.statistics(), self.history, key, names["kind"], names["name"], MAX_HISTORY_DAYS
        )
        if found is None:
            text = f"found no {names['kind']} {names['name']} of {'/'.join(key)}"
            return json_response({"error": text}, 404)
        return json_response(_detail(found))


def _point(point: Point) -> PointAnswer:
    return PointAnswer(
        start=rfc3339(point.start),
        inferences=point.inferences,
        **traffic_figures(point.latency_quantiles, point.prediction_ratios, point.score),
    )


def _detail(detail: ColumnDetail) -> ColumnDetailAnswer:
    explanation = detail.explanation
    return ColumnDetailAnswer(
        windows=[_window(window) for window in detail.windows],
        days=[
            DatedColumnAnswer(
                **msgspec.structs.asdict(day_column_answer(column)),
                day=time.strftime("%Y-%m-%d", time.gmtime(start)),
            )
            for start, column in detail.days
        ],
        since=explanation.since if explanation else None,
        sentences=explanation.sentences if explanation else (),
    )


def _window(column: ColumnStatistics) -> WindowBinsAnswer:
    bins = [
        BinAnswer(bin=share.label, baseline_ratio=share.before, ratio=share.now)
        for share in column.bin_shares
    ]
    return WindowBinsAnswer(**msgspec.structs.asdict(column_answer_of(column)), bins=bins)
