"""HTTP API of the statistics of models."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import web

from mlguard_sidecar.baseline import dump
from mlguard_sidecar.models import LearnAgainError
from mlguard_sidecar.statistics import explain, outcomes_as_json
from mlguard_sidecar.wire import ModelKey

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Sequence

    from mlguard_sidecar.ingest import Reject
    from mlguard_sidecar.statistics import (
        ColumnStatistics,
        DayStatistics,
        Explanation,
        ModelStatistics,
        TrafficStatistics,
    )
    from mlguard_sidecar.telemetry import Telemetry


MAX_HISTORY_DAYS = 400
_DEFAULT_HISTORY_DAYS = 30


@dataclass(frozen=True)
class ModelApi:
    """Handlers of the paths below `/api/v1/models`, and of `/api/v1/rejects`.

    Attributes:
        statistics: returns the current statistics of each model.
        history: returns the statistics of a model's last days; None if there is no such model.
        learn_again: begins to learn the baseline of a model again; returns from how many events.
        forget: erases a model; returns whether there was one.
        rejects: the last rejections and invalid values, the newest last.
        telemetry: the counts of events.
        clock: epoch seconds.
    """

    statistics: Callable[[], Sequence[ModelStatistics]]
    history: Callable[[ModelKey, int], Awaitable[Sequence[DayStatistics] | None]]
    learn_again: Callable[[ModelKey], int]
    forget: Callable[[ModelKey], Awaitable[bool]]
    rejects: Collection[Reject]
    telemetry: Telemetry
    clock: Callable[[], float]

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        one = "/api/v1/models/{project}/{model}/{endpoint}"
        return [
            web.get("/api/v1/models", self._models),
            web.get("/api/v1/rejects", self._rejects),
            web.get(one, self._model),
            web.delete(one, self._erase),
            web.get(f"{one}/history", self._history),
            web.get(f"{one}/explain", self._explain),
            web.get(f"{one}/baseline", self._baseline),
            web.post(f"{one}/baseline/relearn", self._relearn),
        ]

    async def _models(self, _: web.Request) -> web.Response:
        now, telemetry = self.clock(), self.telemetry
        answer = {
            "models": [_model(model, now) for model in self.statistics()],
            "events": {
                "committed": telemetry.total("events_committed"),
                "rejected": telemetry.total("events_rejected"),
                "dropped_by_clients": telemetry.total("client_dropped_events"),
            },
            "store_errors": telemetry.store_errors,
        }
        return _json(answer)

    async def _rejects(self, _: web.Request) -> web.Response:
        return _json({"rejects": [_reject(each) for each in reversed(list(self.rejects))]})

    def _find(self, key: ModelKey) -> ModelStatistics | None:
        return next((each for each in self.statistics() if each.key == key), None)

    async def _model(self, request: web.Request) -> web.Response:
        key = _key(request)
        found = self._find(key)
        return _no_model(key) if found is None else _json(_model(found, self.clock()))

    async def _erase(self, request: web.Request) -> web.Response:
        key = _key(request)
        return _json({"erased": "/".join(key)}) if await self.forget(key) else _no_model(key)

    async def _history(self, request: web.Request) -> web.Response:
        key, text = _key(request), request.query.get("days", str(_DEFAULT_HISTORY_DAYS))
        if not text.isdecimal() or not 1 <= int(text) <= MAX_HISTORY_DAYS:
            return _json({"error": f"days: expected 1 to {MAX_HISTORY_DAYS}"}, 400)
        found = await self.history(key, int(text))
        return _no_model(key) if found is None else _json({"days": [_day(each) for each in found]})

    async def _explain(self, request: web.Request) -> web.Response:
        key = _key(request)
        found, past = self._find(key), await self.history(key, _DEFAULT_HISTORY_DAYS)
        if found is None or past is None:
            return _no_model(key)
        return _json({"columns": [_explanation(e) for e in explain(found.columns, past)]})

    async def _baseline(self, request: web.Request) -> web.Response:
        key = _key(request)
        found = self._find(key)
        if found is None:
            return _no_model(key)
        if found.schema.baseline is None:
            return _json({"error": f"{'/'.join(key)} has no baseline yet"}, 404)
        return web.Response(body=dump(found.schema.baseline), content_type="application/json")

    async def _relearn(self, request: web.Request) -> web.Response:
        try:
            return _json({"events": self.learn_again(_key(request))})
        except LearnAgainError as error:
            return _json({"error": str(error)}, 409)


def _key(request: web.Request) -> ModelKey:
    names = request.match_info
    return ModelKey(names["project"], names["model"], names["endpoint"])


def _json(answer: object, status: int = 200) -> web.Response:
    body = msgspec.json.encode(answer)
    return web.Response(body=body, status=status, content_type="application/json")


def _no_model(key: ModelKey) -> web.Response:
    return _json({"error": f"found no model {'/'.join(key)}"}, 404)


def _reject(reject: Reject) -> dict[str, Any]:
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(reject.time))
    return reject._asdict() | {"time": when}


def _explanation(explanation: Explanation) -> dict[str, Any]:
    return _column(explanation.column) | {
        "since": explanation.since,
        "sentences": explanation.sentences,
    }


def _day(day: DayStatistics) -> dict[str, Any]:
    p50, p95, p99 = day.latency_quantiles or (None, None, None)
    mean, stddev = day.score or (None, None)
    return {
        "day": time.strftime("%Y-%m-%d", time.gmtime(day.start)),
        "inferences": day.inferences,
        "latency_p50_seconds": p50,
        "latency_p95_seconds": p95,
        "latency_p99_seconds": p99,
        "prediction_ratios": dict(day.class_ratios),
        "score_mean": mean,
        "score_stddev": stddev,
        "baseline": day.baseline,
        "columns": [_column(column) for column in day.columns],
    }


def _model(model: ModelStatistics, now: float) -> dict[str, Any]:
    baseline = model.schema.baseline
    return {
        "project": model.key.project,
        "model": model.key.model,
        "endpoint": model.key.endpoint,
        "inferences": model.total.rows,
        "baseline": baseline.id if baseline else None,
        "learning_ratio": model.learning_ratio,
        "drifted": model.drifted,
        "not_watched": model.not_watched,
        "windows": [_traffic(window, now) for window in model.traffic],
        "columns": [_column(column) for column in model.columns],
        "outcomes": None if model.outcomes is None else outcomes_as_json(model.outcomes),
    }


def _traffic(traffic: TrafficStatistics, now: float) -> dict[str, Any]:
    p50, p95, p99 = traffic.latency_quantiles or (None, None, None)
    mean, stddev = traffic.score or (None, None)
    return {
        "window": traffic.window,
        "inferences": traffic.inferences,
        "inferences_per_second": traffic.rate(now),
        "latency_p50_seconds": p50,
        "latency_p95_seconds": p95,
        "latency_p99_seconds": p99,
        "prediction_ratios": dict(traffic.class_ratios),
        "score_mean": mean,
        "score_stddev": stddev,
    }


def _column(column: ColumnStatistics) -> dict[str, Any]:
    drift = column.drift
    return {
        "name": column.column.name,
        "role": column.column.role,
        "kind": column.column.kind,
        "window": column.window,
        "rows": column.rows,
        "count": column.count,
        "missing": column.missing,
        "invalid": column.invalid,
        "mean": column.mean,
        "stddev": column.stddev,
        "min": column.minimum,
        "max": column.maximum,
        "out_of_range": column.out_of_range,
        "unseen": column.unseen,
        "outside": [[value, n] for value, n in column.outside.items()],
        "samples": column.samples,
        "psi": drift.psi if drift else None,
        "psi_critical": drift.critical if drift else None,
        "js_distance": drift.js if drift else None,
    }
