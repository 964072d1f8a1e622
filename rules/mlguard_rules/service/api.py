"""The HTTP API of alerts and silences."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from aiohttp import web

from mlguard_common.web import rfc3339
from mlguard_rules.notify import Silence, parse_matchers

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlguard_rules.service.alerting import Alerting

_MAX_SILENCE_DAYS = 366


class _SilenceRequest(msgspec.Struct, forbid_unknown_fields=True):
    matchers: Annotated[list[str], msgspec.Meta(min_length=1, max_length=50)]
    ends_at: datetime
    comment: Annotated[str, msgspec.Meta(max_length=1000)] = ""
    author: Annotated[str, msgspec.Meta(max_length=200)] = ""


class AlertApi:
    """Handlers of the HTTP API.

    Args:
        alerting: its alerts and silences.
        clock: epoch seconds.
    """

    def __init__(self, alerting: Alerting, clock: Callable[[], float]) -> None:
        self._alerting = alerting
        self._clock = clock

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [
            web.get("/api/v1/alerts", self._alerts),
            web.get("/api/v1/silences", self._silences),
            web.post("/api/v1/silences", self._add_silence),
            web.delete("/api/v1/silences/{id}", self._end_silence),
        ]

    async def _alerts(self, _: web.Request) -> web.Response:
        silences = self._alerting.silences
        now = self._clock()

        def silenced(labels: dict[str, str]) -> bool:
            return any(silence.matches(labels, now) for silence in silences)

        alerts: list[dict[str, Any]] = [
            {
                "labels": dict(alert.labels),
                "annotations": dict(alert.annotations),
                "state": alert.state.value,
                "activeAt": rfc3339(alert.active_at),
                "value": "NaN" if alert.value is None else repr(alert.value),
                "silenced": silenced(dict(alert.labels)),
            }
            for alert in self._alerting.active
        ]
        alerts += [
            {
                "labels": dict(alert.labels),
                "annotations": dict(alert.annotations),
                "state": "firing",
                "activeAt": rfc3339(alert.active_at),
                "silenced": silenced(dict(alert.labels)),
            }
            for alert in self._alerting.received
        ]
        return web.json_response({"status": "success", "data": {"alerts": alerts}})

    async def _silences(self, _: web.Request) -> web.Response:
        data = [_to_json(silence) for silence in self._alerting.silences]
        return web.json_response({"status": "success", "data": data})

    async def _add_silence(self, request: web.Request) -> web.Response:
        if self._alerting.forwards:
            raise _problem(web.HTTPConflict, "alerts are forwarded to a relay; silence them there")
        if request.content_type != "application/json":
            raise _problem(web.HTTPUnsupportedMediaType, "expected application/json")
        try:
            body = msgspec.json.decode(await request.read(), type=_SilenceRequest)
            matchers = tuple(m for text in body.matchers for m in parse_matchers(text))
        except RecursionError as error:
            raise _problem(web.HTTPBadRequest, "nested too deeply") from error
        except ValueError as error:
            raise _problem(web.HTTPBadRequest, str(error)) from error
        if not matchers:
            raise _problem(web.HTTPBadRequest, "matchers: expected at least one matcher")
        ends = body.ends_at if body.ends_at.tzinfo else body.ends_at.replace(tzinfo=UTC)
        seconds = ends.timestamp() - self._clock()
        if not 0 < seconds <= _MAX_SILENCE_DAYS * 86_400:
            raise _problem(web.HTTPBadRequest, "ends_at: expected a time within the next year")
        silence = Silence("", matchers, None, ends.timestamp(), body.comment, body.author)
        try:
            silence = await self._alerting.add_silence(silence)
        except (sqlite3.Error, OSError) as error:
            raise _problem(
                web.HTTPServiceUnavailable, "the database refused the silence"
            ) from error
        return web.json_response({"status": "success", "data": _to_json(silence)})

    async def _end_silence(self, request: web.Request) -> web.Response:
        if not await self._alerting.end_silence(request.match_info["id"]):
            raise _problem(web.HTTPNotFound, "no silence of that id")
        return web.json_response({"status": "success"})


def _to_json(silence: Silence) -> dict[str, Any]:
    return {
        "id": silence.id,
        "matchers": [str(matcher) for matcher in silence.matchers],
        "starts_at": None if silence.starts_at is None else rfc3339(silence.starts_at),
        "ends_at": None if silence.ends_at is None else rfc3339(silence.ends_at),
        "comment": silence.comment,
        "author": silence.author,
    }


def _problem(kind: Callable[..., web.HTTPException], reason: str) -> web.HTTPException:
    body = msgspec.json.encode({"status": "error", "error": reason})
    return kind(body=body, content_type="application/json")
