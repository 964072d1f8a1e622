"""HTTP API of the statistics of models."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from mlguard_common.web import Operation, rfc3339
from mlguard_sidecar.api.answers import (
    ColumnAnswer,
    DayAnswer,
    DayColumnAnswer,
    ErasedAnswer,
    EventCounts,
    ExplanationAnswer,
    ExplanationsAnswer,
    HistoryAnswer,
    ModelAnswer,
    ModelsAnswer,
    OutcomesAnswer,
    QualityAnswer,
    RejectAnswer,
    RejectsAnswer,
    TrafficAnswer,
)
from mlguard_sidecar.api.responses import json_response, model_key, no_model
from mlguard_sidecar.statistics import explain, moved_together, quality_as_json

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

    from aiohttp import web

    from mlguard_sidecar.history import DayRecorder
    from mlguard_sidecar.ingest import Reject
    from mlguard_sidecar.models import Day, DayColumn
    from mlguard_sidecar.outcomes import Quality
    from mlguard_sidecar.statistics import (
        ColumnStatistics,
        Explanation,
        ModelStatistics,
        OutcomeStatistics,
        TrafficStatistics,
    )
    from mlguard_sidecar.telemetry import Telemetry
    from mlguard_sidecar.wire import ModelKey


MAX_HISTORY_DAYS = 400
_DEFAULT_HISTORY_DAYS = 30
_Days = Annotated[int, msgspec.Meta(ge=1, le=MAX_HISTORY_DAYS)]


@dataclass(frozen=True)
class ModelApi:
    """Handlers of the paths below `/api/v1/models`, and of `/api/v1/rejects`.

    Attributes:
        statistics: returns the current statistics of each model.
        history: has the days of each model.
        forget: erases a model; returns whether there was one.
        rejects: the last rejections and invalid values, the newest last.
        telemetry: the counts of events.
        last_seen: returns when events of a model came last, epoch seconds.
        clock: epoch seconds.
    """

    statistics: Callable[[], Sequence[ModelStatistics]]
    history: DayRecorder
    forget: Callable[[ModelKey], Awaitable[bool]]
    rejects: Collection[Reject]
    telemetry: Telemetry
    last_seen: Callable[[ModelKey], float | None]
    clock: Callable[[], float]

    def operations(self) -> list[Operation]:
        """Return the operations."""
        one = "/api/v1/models/{project}/{model}/{endpoint}"
        return [
            Operation(
                "GET", "/api/v1/models", self._models, "List all models.", answer=ModelsAnswer
            ),
            Operation(
                "GET",
                "/api/v1/rejects",
                self._rejects,
                "List the last rejected events and invalid values.",
                answer=RejectsAnswer,
            ),
            Operation(
                "GET", one, self._model, "Return one model.", answer=ModelAnswer, errors=(404,)
            ),
            Operation(
                "DELETE",
                one,
                self._erase,
                "Erase a model with its figures, its history and its baseline.",
                answer=ErasedAnswer,
                errors=(404,),
            ),
            Operation(
                "GET",
                f"{one}/history",
                self._history,
                "Return the last days of a model.",
                answer=HistoryAnswer,
                query={"days": _Days},
                errors=(400, 404),
            ),
            Operation(
                "GET",
                f"{one}/explain",
                self._explain,
                "Explain the columns of a model that have drifted.",
                answer=ExplanationsAnswer,
                errors=(404,),
            ),
        ]

    async def _models(self, _: web.Request) -> web.Response:
        now, telemetry = self.clock(), self.telemetry
        return json_response(
            ModelsAnswer(
                models=[self._answer(model, now) for model in self.statistics()],
                events=EventCounts(
                    committed=telemetry.total("events_committed"),
                    rejected=telemetry.total("events_rejected"),
                    dropped_by_clients=telemetry.total("client_dropped_events"),
                ),
                store_errors=telemetry.store_errors,
            )
        )

    async def _rejects(self, _: web.Request) -> web.Response:
        return json_response(
            RejectsAnswer(rejects=[_reject(each) for each in reversed(list(self.rejects))])
        )

    def _find(self, key: ModelKey) -> ModelStatistics | None:
        return next((each for each in self.statistics() if each.key == key), None)

    async def _model(self, request: web.Request) -> web.Response:
        key = model_key(request)
        found = self._find(key)
        if found is None:
            return no_model(key)
        return json_response(self._answer(found, self.clock()))

    def _answer(self, model: ModelStatistics, now: float) -> ModelAnswer:
        return _model(model, now, self.last_seen(model.key))

    async def _erase(self, request: web.Request) -> web.Response:
        key = model_key(request)
        if not await self.forget(key):
            return no_model(key)
        return json_response(ErasedAnswer(erased="/".join(key)))

    async def _history(self, request: web.Request) -> web.Response:
        key = model_key(request)
        try:
            count = msgspec.convert(
                request.query.get("days", str(_DEFAULT_HISTORY_DAYS)), _Days, strict=False
            )
        except msgspec.ValidationError:
            return json_response({"error": f"days: expected 1 to {MAX_HISTORY_DAYS}"}, 400)
        found = await self.history.days(key, count)
        if found is None:
            return no_model(key)
        quality = await self.history.quality(key, count)
        return json_response(
            HistoryAnswer(days=[day_answer(day, quality.get(day.start)) for day in found])
        )

    async def _explain(self, request: web.Request) -> web.Response:
        key = model_key(request)
        found, past = self._find(key), await self.history.days(key, _DEFAULT_HISTORY_DAYS)
        if found is None or past is None:
            return no_model(key)
        baseline = found.schema.baseline
        explanations = explain(found.columns, past, baseline.id if baseline else None)
        return json_response(
            ExplanationsAnswer(
                together=moved_together(explanations),
                columns=[_explanation(each) for each in explanations],
            )
        )


def _reject(reject: Reject) -> RejectAnswer:
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(reject.time))
    return RejectAnswer(**reject._asdict() | {"time": when})


def _explanation(explanation: Explanation) -> ExplanationAnswer:
    return ExplanationAnswer(
        **msgspec.structs.asdict(column_answer_of(explanation.column)),
        since=explanation.since,
        guess=explanation.guess,
        sentences=explanation.sentences,
    )


def traffic_figures(
    quantiles: tuple[float, float, float] | None,
    ratios: Mapping[str, float],
    score: tuple[float, float] | None,
) -> dict[str, Any]:
    """Return latency, classes and score as every answer about a span of time has them."""
    p50, p95, p99 = quantiles or (None, None, None)
    mean, stddev = score or (None, None)
    return {
        "latency_p50_seconds": p50,
        "latency_p95_seconds": p95,
        "latency_p99_seconds": p99,
        "prediction_ratios": dict(ratios),
        "score_mean": mean,
        "score_stddev": stddev,
    }


def day_answer(day: Day, quality: Quality | None = None) -> DayAnswer:
    """Return a day as `GET .../history` does."""
    return DayAnswer(
        day=time.strftime("%Y-%m-%d", time.gmtime(day.start)),
        inferences=day.inferences,
        **traffic_figures(day.latency_quantiles, day.prediction_ratios, day.score),
        baseline=day.baseline,
        quality=None if quality is None else _day_quality(quality),
        columns=[day_column_answer(column) for column in day.columns],
    )


def _day_quality(quality: Quality) -> QualityAnswer:
    coverage = quality.covered / quality.predictions if quality.predictions else None
    return QualityAnswer(**quality_as_json(quality), coverage_ratio=coverage)


def _outcomes(outcomes: OutcomeStatistics) -> OutcomesAnswer:
    usual = outcomes.baseline
    return OutcomesAnswer(
        total=outcomes.total.outcomes,
        predictions=outcomes.total.predictions,
        uncounted={reason: n for reason, n in outcomes.uncounted.items() if n},
        coverage_ratio=outcomes.coverage,
        quality=[
            QualityAnswer(window=each.window, **quality_as_json(each.quality))
            for each in outcomes.windows
        ],
        baseline=None if usual is None else QualityAnswer(**quality_as_json(usual)),
    )


def day_column_answer(column: DayColumn) -> DayColumnAnswer:
    """Return a column of a day."""
    return DayColumnAnswer(
        name=column.name,
        role=column.role,
        kind=column.kind,
        rows=column.rows,
        count=column.count,
        missing=column.missing,
        invalid=column.invalid,
        mean=column.mean,
        stddev=column.stddev,
        min=column.minimum,
        max=column.maximum,
        out_of_range=column.out_of_range,
        unseen=column.unseen,
        psi=column.psi,
        psi_critical=column.psi_critical,
        js_distance=column.js_distance,
        reference_psi=column.reference_psi,
        reference_psi_critical=column.reference_psi_critical,
    )


def _model(model: ModelStatistics, now: float, last_seen: float | None) -> ModelAnswer:
    baseline = model.schema.baseline
    return ModelAnswer(
        project=model.key.project,
        model=model.key.model,
        endpoint=model.key.endpoint,
        inferences=model.total.rows,
        last_seen=None if last_seen is None else rfc3339(last_seen),
        thresholds=model.settings.thresholds,
        baseline=baseline.id if baseline else None,
        baseline_origin=model.schema.origin,
        learning_ratio=model.learning_ratio,
        drifted=model.drifted,
        not_watched=model.not_watched,
        windows=[_traffic(window, now) for window in model.traffic],
        columns=[column_answer_of(column) for column in model.columns],
        outcomes=None if model.outcomes is None else _outcomes(model.outcomes),
    )


def _traffic(traffic: TrafficStatistics, now: float) -> TrafficAnswer:
    return TrafficAnswer(
        window=traffic.window,
        inferences=traffic.inferences,
        inferences_per_second=traffic.rate(now),
        **traffic_figures(traffic.latency_quantiles, dict(traffic.class_ratios), traffic.score),
    )


def column_answer_of(column: ColumnStatistics) -> ColumnAnswer:
    """Return the statistics of a column in a window."""
    drift, sliding = column.drift, column.reference_drift
    return ColumnAnswer(
        name=column.column.name,
        role=column.column.role,
        kind=column.column.kind,
        window=column.window,
        rows=column.rows,
        count=column.count,
        missing=column.missing,
        invalid=column.invalid,
        mean=column.mean,
        stddev=column.stddev,
        min=column.minimum,
        max=column.maximum,
        out_of_range=column.out_of_range,
        unseen=column.unseen,
        outside=list(column.outside.items()),
        samples=column.samples,
        psi=drift.psi if drift else None,
        psi_critical=drift.critical if drift else None,
        reference_psi=sliding.psi if sliding else None,
        reference_psi_critical=sliding.critical if sliding else None,
        js_distance=drift.js if drift else None,
    )
