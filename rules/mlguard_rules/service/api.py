"""HTTP: alerts and silences."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from aiohttp import web

from mlguard_common.web import rfc3339
from mlguard_rules.notify import Matcher, Silence

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlguard_rules.service.alerting import Alerting

_LONGEST_SILENCE_DAYS = 366


class _SilenceRequest(msgspec.Struct, forbid_unknown_fields=True):
    matchers: Annotated[list[str], msgspec.Meta(min_length=1, max_length=50)]
    ends_at: datetime
    comment: Annotated[str, msgspec.Meta(max_length=1000)] = ""
    author: Annotated[str, msgspec.Meta(max_length=200)] = ""


class AlertApi:
    """Answers about alerts and silences.

    Args:
        alerting: that they are of.
        clock: epoch seconds.
    """

    def __init__(self, alerting: Alerting, clock: Callable[[], float]) -> None:
        self._alerting = alerting
        self._clock = clock

    def routes(self) -> list[web.RouteDef]:
        """The paths."""
        return [
            web.get("/api/v1/alerts", self._alerts),
            web.get("/api/v1/silences", self._silences),
            web.post("/api/v1/silences", self._silence),
            web.delete("/api/v1/silences/{id}", self._unsilence),
        ]

    async def _alerts(self, _: web.Request) -> web.Response:
        silences = self._alerting.silences
        now = self._clock()

        def silenced(labels: dict[str, str]) -> bool:
            return any(silence.holds(labels, now) for silence in silences)

        told: list[dict[str, Any]] = [
            {
                "labels": dict(alert.labels),
                "annotations": dict(alert.annotations),
                "state": alert.state.value,
                "activeAt": rfc3339(alert.active_at),
                "value": repr(alert.value),
                "silenced": silenced(dict(alert.labels)),
            }
            for alert in self._alerting.active
        ]
        told += [
            {
                "labels": dict(alert.labels),
                "annotations": dict(alert.annotations),
                "state": "firing",
                "activeAt": rfc3339(alert.starts_at),
                "silenced": silenced(dict(alert.labels)),
            }
            for alert in self._alerting.received
        ]
        return web.json_response({"status": "success", "data": {"alerts": told}})

    async def _silences(self, _: web.Request) -> web.Response:
        told = [_told(silence) for silence in self._alerting.silences]
        return web.json_response({"status": "success", "data": told})

    async def _silence(self, request: web.Request) -> web.Response:
        if self._alerting.hands_over:
            raise _problem(web.HTTPConflict, "alerts go to a relay; silence them there")
        if request.content_type != "application/json":
            raise _problem(web.HTTPUnsupportedMediaType, "expected application/json")
        try:
            asked = msgspec.json.decode(await request.read(), type=_SilenceRequest)
            matchers = tuple(Matcher.parse(text) for text in asked.matchers)
        except RecursionError as error:
            raise _problem(web.HTTPBadRequest, "nested too deeply") from error
        except ValueError as error:
            raise _problem(web.HTTPBadRequest, str(error)) from error
        ends = asked.ends_at if asked.ends_at.tzinfo else asked.ends_at.replace(tzinfo=UTC)
        seconds = ends.timestamp() - self._clock()
        if not 0 < seconds <= _LONGEST_SILENCE_DAYS * 86_400:
            raise _problem(web.HTTPBadRequest, "ends_at: expected a time within the next year")
        made = Silence("", matchers, None, ends.timestamp(), asked.comment, asked.author)
        try:
            made = await self._alerting.add_silence(made)
        except (sqlite3.Error, OSError) as error:
            raise _problem(web.HTTPServiceUnavailable, "the database refused it") from error
        return web.json_response({"status": "success", "data": _told(made)})

    async def _unsilence(self, request: web.Request) -> web.Response:
        if not await self._alerting.end_silence(request.match_info["id"]):
            raise _problem(web.HTTPNotFound, "no silence of that id")
        return web.json_response({"status": "success"})


def _told(silence: Silence) -> dict[str, Any]:
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
