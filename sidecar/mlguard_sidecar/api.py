"""HTTP API of the statistics of models."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import web

from mlguard_sidecar.models import LearnAgainError
from mlguard_sidecar.statistics import explain
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


def model_routes(
    statistics: Callable[[], Sequence[ModelStatistics]],
    history: Callable[[ModelKey, int], Awaitable[Sequence[DayStatistics] | None]],
    learn_again: Callable[[ModelKey], int],
    rejects: Collection[Reject],
    telemetry: Telemetry,
    clock: Callable[[], float],
) -> list[web.RouteDef]:
    """Return the routes that show the statistics of models, and change their baselines.

    Args:
        statistics: returns the current statistics of each model.
        history: returns the statistics of a model's last days; None if there is no such model.
        learn_again: begins to learn the baseline of a model again; returns from how many events.
        rejects: the last rejections and invalid values, the newest last.
        telemetry: the counts of events.
        clock: epoch seconds.
    """

    async def models(_: web.Request) -> web.Response:
        now = clock()
        answer = {
            "models": [_model(model, now) for model in statistics()],
            "events": {
                "committed": telemetry.total("events_committed"),
                "rejected": telemetry.total("events_rejected"),
                "dropped_by_clients": telemetry.total("client_dropped_events"),
            },
            "store_errors": telemetry.store_errors,
        }
        return _json(answer)

    async def model(request: web.Request) -> web.Response:
        key = _key(request)
        found = next((each for each in statistics() if each.key == key), None)
        return _no_model(key) if found is None else _json(_model(found, clock()))

    async def days(request: web.Request) -> web.Response:
        key, text = _key(request), request.query.get("days", str(_DEFAULT_HISTORY_DAYS))
        if not text.isdecimal() or not 1 <= int(text) <= MAX_HISTORY_DAYS:
            return _json({"error": f"days: expected 1 to {MAX_HISTORY_DAYS}"}, 400)
        found = await history(key, int(text))
        return _no_model(key) if found is None else _json({"days": [_day(each) for each in found]})

    async def explanations(request: web.Request) -> web.Response:
        key = _key(request)
        found = next((each for each in statistics() if each.key == key), None)
        past = await history(key, _DEFAULT_HISTORY_DAYS)
        if found is None or past is None:
            return _no_model(key)
        return _json({"columns": [_explanation(e) for e in explain(found.columns, past)]})

    async def relearn(request: web.Request) -> web.Response:
        try:
            return _json({"events": learn_again(_key(request))})
        except LearnAgainError as error:
            return _json({"error": str(error)}, 409)

    async def last_rejects(_: web.Request) -> web.Response:
        return _json({"rejects": [_reject(each) for each in reversed(list(rejects))]})

    one = "/api/v1/models/{project}/{model}/{endpoint}"
    return [
        web.get("/api/v1/models", models),
        web.get("/api/v1/rejects", last_rejects),
        web.get(one, model),
        web.get(f"{one}/history", days),
        web.get(f"{one}/explain", explanations),
        web.post(f"{one}/baseline/relearn", relearn),
    ]


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
