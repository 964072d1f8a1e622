"""The HTTP API of alerts and silences."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import msgspec
from aiohttp import web

from mlguard_common.web import Operation, rfc3339
from mlguard_rules.notify import Silence, parse_matchers

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlguard_rules.service.alerting import Alerting

_MAX_SILENCE_DAYS = 366


class SilenceRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Silence to be added."""

    matchers: Annotated[list[str], msgspec.Meta(min_length=1, max_length=50)]
    ends_at: datetime
    comment: Annotated[str, msgspec.Meta(max_length=1000)] = ""
    author: Annotated[str, msgspec.Meta(max_length=200)] = ""


class AlertAnswer(msgspec.Struct, frozen=True):
    """An alert, as Prometheus shows it; `value` only of those that are evaluated here."""

    labels: dict[str, str]
    annotations: dict[str, str]
    state: str
    activeAt: str  # noqa: N815 - Prometheus' name
    silenced: bool
    value: str | msgspec.UnsetType = msgspec.UNSET


class Alerts(msgspec.Struct, frozen=True):
    """Alerts that are pending or firing."""

    alerts: list[AlertAnswer]


class AlertsAnswer(msgspec.Struct, frozen=True):
    """Answer with alerts."""

    data: Alerts
    status: str = "success"


class SilenceAnswer(msgspec.Struct, frozen=True):
    """A silence."""

    id: str
    matchers: list[str]
    starts_at: str | None
    ends_at: str | None
    comment: str
    author: str


class SilencesAnswer(msgspec.Struct, frozen=True):
    """Answer with all silences."""

    data: list[SilenceAnswer]
    status: str = "success"


class AddedAnswer(msgspec.Struct, frozen=True):
    """Answer with the silence that was added."""

    data: SilenceAnswer
    status: str = "success"


class DoneAnswer(msgspec.Struct, frozen=True):
    """Answer without data."""

    status: str = "success"


class AlertApi:
    """Handlers of the HTTP API.

    Args:
        alerting: its alerts and silences.
        clock: epoch seconds.
    """

    def __init__(self, alerting: Alerting, clock: Callable[[], float]) -> None:
        self._alerting = alerting
        self._clock = clock

    def operations(self) -> list[Operation]:
        """Return the operations."""
        silences = "/api/v1/silences"
        return [
            Operation(
                "GET",
                "/api/v1/alerts",
                self._alerts,
                "List alerts that are pending or firing.",
                answer=AlertsAnswer,
            ),
            Operation("GET", silences, self._silences, "List silences.", answer=SilencesAnswer),
            Operation(
                "POST",
                silences,
                self._add_silence,
                "Silence alerts for a time.",
                answer=AddedAnswer,
                body=SilenceRequest,
                errors=(400, 409, 503),
            ),
            Operation(
                "DELETE",
                f"{silences}/{{id}}",
                self._end_silence,
                "End a silence.",
                answer=DoneAnswer,
                errors=(404,),
            ),
        ]

    async def _alerts(self, _: web.Request) -> web.Response:
        return _json(AlertsAnswer(Alerts(self.alerts())))

    def alerts(self) -> list[AlertAnswer]:
        """Return the alerts that are pending or firing."""
        silences = self._alerting.silences
        now = self._clock()

        def silenced(labels: dict[str, str]) -> bool:
            return any(silence.matches(labels, now) for silence in silences)

        alerts = [
            AlertAnswer(
                dict(alert.labels),
                dict(alert.annotations),
                alert.state.value,
                rfc3339(alert.active_at),
                silenced(dict(alert.labels)),
                "NaN" if alert.value is None else repr(alert.value),
            )
            for alert in self._alerting.active
        ]
        alerts += [
            AlertAnswer(
                dict(alert.labels),
                dict(alert.annotations),
                "firing",
                rfc3339(alert.active_at),
                silenced(dict(alert.labels)),
            )
            for alert in self._alerting.received
        ]
        return alerts

    async def _silences(self, _: web.Request) -> web.Response:
        return _json(SilencesAnswer([_to_json(silence) for silence in self._alerting.silences]))

    async def _add_silence(self, request: web.Request) -> web.Response:
        if self._alerting.forwards:
            raise _problem(web.HTTPConflict, "alerts are forwarded to a relay; silence them there")
        if request.content_type != "application/json":
            raise _problem(web.HTTPUnsupportedMediaType, "expected application/json")
        try:
            body = msgspec.json.decode(await request.read(), type=SilenceRequest)
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
        return _json(AddedAnswer(_to_json(silence)))

    async def _end_silence(self, request: web.Request) -> web.Response:
        if not await self._alerting.end_silence(request.match_info["id"]):
            raise _problem(web.HTTPNotFound, "no silence of that id")
        return _json(DoneAnswer())


def _to_json(silence: Silence) -> SilenceAnswer:
    return SilenceAnswer(
        silence.id,
        [str(matcher) for matcher in silence.matchers],
        None if silence.starts_at is None else rfc3339(silence.starts_at),
        None if silence.ends_at is None else rfc3339(silence.ends_at),
        silence.comment,
        silence.author,
    )


def _json(answer: msgspec.Struct) -> web.Response:
    return web.Response(body=msgspec.json.encode(answer), content_type="application/json")


def _problem(kind: Callable[..., web.HTTPException], reason: str) -> web.HTTPException:
    body = msgspec.json.encode({"status": "error", "error": reason})
    return kind(body=body, content_type="application/json")
